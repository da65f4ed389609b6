# Of the tests those that run on every system: of what decides without a registry and a cache, and of the platform code.
# What is built for Windows elsewhere runs under wine, hawser.exe from end to end, too, beside the Linux build in
# HAWSER_LINUX_BINARY.
set(portable
  archive: archive_layout classic_writer delta nothing tar_header tar_members
  cli: exit_code habits image_lock named_files options progress report_page statistics tag_pattern yaml yaml_images
  image: digest image_layout manifest platform reference
  net: network_settings origin response_decoder
  pull: delta
  registry: containerd_hosts containers_registries docker_daemon origin_note rate_limit redirect registries registry_error
    registry_rule
  store: journal
  transfer: concurrency range_planner range_planner_simulation rate_limiter retry
  util: async decompressor gzip_recipe interval_set json toml
  util/platform: machine mapping network terminal user_directories)
if(WIN32)
  list(APPEND portable windows)
  # Windows has other paths and counts memory otherwise; wine has no links and no figures of sockets.
  list(REMOVE_ITEM portable containerd_hosts named_files network nothing registries user_directories)
endif()
foreach(word IN LISTS portable)
  if(word MATCHES "(.*):$")
    set(folder ${CMAKE_MATCH_1})
  else()
    target_sources(hawser_tests PRIVATE ${folder}/${word}_test.cpp)
  endif()
endforeach()
target_sources(hawser_tests PRIVATE archive/tar_listing.cpp util/compressed.cpp)

set(HAWSER_LINUX_BINARY ${PROJECT_SOURCE_DIR}/build/release/hawser CACHE FILEPATH "What hawser.exe is compared with")

set(wine)
if(WIN32 AND CMAKE_CROSSCOMPILING)
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
