#include "support/failure.hpp"

#include <hawser/app/standard_input.hpp>
#include <hawser/util/error.hpp>

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

std::string read(const std::string& text, std::size_t limit = 100'000) {
  std::istringstream input(text);
  return read_input(input, limit);
}

TEST(StandardInput, IsReadToItsEnd) {
  EXPECT_EQ(read(""), "");
  EXPECT_EQ(read(std::string("a\r\nb\0c\n", 7)), std::string("a\r\nb\0c\n", 7));
  EXPECT_EQ(read(std::string(10'000, 'x')), std::string(10'000, 'x'));
}

TEST(StandardInput, NoMoreIsReadThanShowsThatItIsTooLong) {
  EXPECT_EQ(read("abcd", 4), "abcd");
  EXPECT_EQ(read("abcde", 4), "abcde");
  EXPECT_EQ(read("abcdefgh", 4), "abcde");
}

TEST(StandardInput, WhatCannotBeReadIsNoEmptyInput) {
  std::ifstream directory("/");
  const test::Failure failure = test::failure_of([&] { read_input(directory, 10); });
  EXPECT_EQ(failure.code, Errc::disk);
  EXPECT_EQ(failure.text, "cannot read standard input: Is a directory");
}

}  // namespace
}  // namespace hawser
