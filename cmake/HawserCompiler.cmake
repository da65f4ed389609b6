# The language standard, the warnings, the sanitizers and the compiler cache.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()

# -O2 rather than -O3: hashing and inflating are libraries', and g++ 12 warns of overflows that are not there.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

# libc++ 16 lacks some of C++20.
add_compile_options("$<$<COMPILE_LANG_AND_ID:CXX,Clang>:SHELL:-include ${PROJECT_SOURCE_DIR}/src/util/libcxx.hpp>")

if(WIN32)
  # Windows 10 and newer; of its headers what is needed, and no macros called min and max.
  add_compile_definitions(_WIN32_WINNT=0x0A00 NTDDI_VERSION=0x0A000005 WIN32_LEAN_AND_MEAN NOMINMAX)
  # Boost's templates make more sections than an object file usually has.
  add_compile_options(-Wa,-mbig-obj)
endif()

option(HAWSER_WERROR "Treat warnings as errors" ON)
set(HAWSER_SANITIZE "" CACHE STRING "Sanitizers to build with: address,undefined or thread")

add_library(hawser_compiler_flags INTERFACE)
add_library(hawser::compiler_flags ALIAS hawser_compiler_flags)
target_compile_options(hawser_compiler_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow $<$<BOOL:${HAWSER_WERROR}>:-Werror>
  # g++ 12 sees overflows in std::string's own concatenation that are not there (GCC bugs 105329, 105651).
  # Both compilers know attributes of lambdas, which C++23 has.
  $<$<CXX_COMPILER_ID:Clang>:-Wno-c++2b-extensions>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-mismatched-new-delete>
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<PLATFORM_ID:Windows>>:-Wno-stringop-overread>)

if(HAWSER_SANITIZE)
  # Everything is built alike, so these are not on one target only.
  add_compile_options(-fsanitize=${HAWSER_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HAWSER_SANITIZE})
  # clang 14 can't assemble coroutines with the data that "function" wants before each of them.
  add_compile_options($<$<CXX_COMPILER_ID:Clang>:-fno-sanitize=function>)
  # With sanitizers g++ 12 takes the frames of coroutines for memory of another allocator.
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-mismatched-new-delete>)
  # ThreadSanitizer does not know fences; Asio's queues are guarded by mutexes besides.
  if(HAWSER_SANITIZE STREQUAL thread)
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
endif()

# ccache, with the settings without which it can't cache what a precompiled header is used in.
find_program(HAWSER_CCACHE ccache)
if(HAWSER_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1  # checkouts share what was compiled
    ${HAWSER_CCACHE})
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
  # A precompiled header out of the cache is older than what it was made of.
  add_compile_options("$<$<COMPILE_LANG_AND_ID:CXX,Clang>:SHELL:-Xclang -fno-pch-timestamp>")
endif()
