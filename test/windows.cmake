# Of the tests those that run on Windows, under wine where this build is a cross build: the unit tests of its platform
# code, and hawser.exe from end to end, beside the Linux build in HAWSER_LINUX_BINARY.
target_sources(hawser_tests PRIVATE util/platform/windows_test.cpp)
set(HAWSER_LINUX_BINARY ${PROJECT_SOURCE_DIR}/build/release/hawser CACHE FILEPATH "What hawser.exe is compared with")

set(wine)
if(CMAKE_CROSSCOMPILING)
  find_program(HAWSER_WINE wine64 PATHS /usr/lib/wine NO_CMAKE_FIND_ROOT_PATH REQUIRED)
  set(wine ${CMAKE_COMMAND} -E env WINEDEBUG=-all WINEDLLOVERRIDES=mscoree,mshtml,winemenubuilder.exe=
    WINEPREFIX=${PROJECT_BINARY_DIR}/wine ${HAWSER_WINE})
  add_test(NAME e2e.windows
    COMMAND /usr/bin/python3 -m pytest -q -c ${CMAKE_CURRENT_SOURCE_DIR}/e2e/pytest.ini
      --junitxml=${results}/e2e.windows.xml test_windows.py
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/e2e)
  set_tests_properties(e2e.windows PROPERTIES
    LABELS e2e
    TIMEOUT 900
    ENVIRONMENT "HAWSER_BIN=${HAWSER_LINUX_BINARY};HAWSER_EXE=$<TARGET_FILE:hawser-cli>;PYTHONDONTWRITEBYTECODE=1")
endif()
file(MAKE_DIRECTORY ${results})
add_test(NAME unit COMMAND ${wine} $<TARGET_FILE:hawser_tests> --gtest_output=xml:results/unit.xml
  WORKING_DIRECTORY ${PROJECT_BINARY_DIR})
set_tests_properties(unit PROPERTIES LABELS unit TIMEOUT 600)
