// What a fuzzer asserts: a promise that was broken stops it, in every build.
#pragma once

#include <cstdio>
#include <cstdlib>

#define HAWSER_CHECK(condition)                                                            \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      std::fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                        \
    }                                                                                      \
  } while (false)
