#include "store/process_identity.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hawser {
namespace {

TEST(ProcessIdentity, ReadsTheBootId) {
  EXPECT_NE(current_boot(), unknown_boot);
  EXPECT_EQ(parse_boot_id(ProcessIdentity::self().boot), current_boot());
  EXPECT_EQ(parse_boot_id("01234567-89ab-cdef-0123-456789abcdef"),
            (BootId{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}));
}

TEST(ProcessIdentity, WhatIsNoUuidIsNoBoot) {
  for (const char* text : {"", "x", "01234567-89ab-cdef-0123-456789abcdeg", "0123456789abcdef0123456789abcdef0123",
                           "01234567-89ab-cdef-0123-456789abcdef0"})
    EXPECT_EQ(parse_boot_id(text), unknown_boot) << text;
}

TEST(ProcessIdentity, SurvivesItsText) {
  const auto self = ProcessIdentity::self();
  EXPECT_EQ(ProcessIdentity::parse(self.encode()), self);
  EXPECT_GT(self.start_time, 0U);
}

TEST(ProcessIdentity, RefusesOtherTexts) {
  const std::string good = ProcessIdentity::self().encode();
  for (std::size_t length = 0; length < good.size(); ++length)
    EXPECT_FALSE(ProcessIdentity::parse(good.substr(0, length))) << length;
  EXPECT_FALSE(ProcessIdentity::parse(good + "more\n"));
  EXPECT_FALSE(ProcessIdentity::parse("host a\nboot b\npid_namespace c\npid -1\nstart_time 5\n"));
  EXPECT_FALSE(ProcessIdentity::parse("host a\nboot b\npid_namespace c\npid 99999999999999\nstart_time 5\n"));
}

TEST(ProcessIdentity, TellsTheLivingFromTheDead) {
  auto process = ProcessIdentity::self();
  EXPECT_EQ(liveness(process), Liveness::alive);
  ++process.start_time;
  EXPECT_EQ(liveness(process), Liveness::dead) << "the process ID has been used again";
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  process.pid = child;
  EXPECT_EQ(liveness(process), Liveness::dead);
}

TEST(ProcessIdentity, KnowsNothingOfOtherPlaces) {
  const auto self = ProcessIdentity::self();
  auto elsewhere = self;
  elsewhere.host += "x";
  EXPECT_EQ(liveness(elsewhere), Liveness::unknown);
  elsewhere = self;
  elsewhere.boot = "01234567-89ab-cdef-0123-456789abcdef";
  EXPECT_EQ(liveness(elsewhere), Liveness::unknown);
  elsewhere = self;
  elsewhere.pid_namespace = "pid:[1]";
  EXPECT_EQ(liveness(elsewhere), Liveness::unknown);
}

}  // namespace
}  // namespace hawser
