// What an action throws, for tests that compare it.
#pragma once

#include <hawser/util/error.hpp>

#include <string>

namespace hawser::test {

/// What an action threw; code Errc{} where it threw nothing.
struct Failure {
  Errc code{};
  std::string text;
  std::string hint;
};

template <class Action>
Failure failure_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return {error.code(), error.what(), error.hint()};
  }
  return {};
}

template <class Action>
Errc code_of(Action action) {
  return failure_of(action).code;
}

}  // namespace hawser::test
