#include "support/failure.hpp"

#include <hawser/net/network_settings.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser::test {
namespace {

using testing::HasSubstr;

TEST(HostAddresses, AsCurlWritesThem) {
  using Made = HostAddresses;
  EXPECT_EQ(Made::parse("Registry.Example:443:192.0.2.1"), (Made{"registry.example", 443, {"192.0.2.1"}}));
  EXPECT_EQ(Made::parse("a:5000:192.0.2.1,[2001:db8::1],2001:db8::2"),
            (Made{"a", 5000, {"192.0.2.1", "2001:db8::1", "2001:db8::2"}}));
  EXPECT_EQ(Made::parse("*:443:2001:db8::1"), (Made{"*", 443, {"2001:db8::1"}}));
  EXPECT_EQ(Made::parse("[2001:db8::1]:443:192.0.2.1"), (Made{"2001:db8::1", 443, {"192.0.2.1"}}));
}

TEST(HostAddresses, OthersAreRefusedAndSaidWhy) {
  for (const auto& [text, why] : {std::pair{"registry", "a colon is missing"},
                                  {"registry:443", "a colon is missing"},
                                  {"[2001:db8::1:443:192.0.2.1", "a colon is missing"},
                                  {":443:192.0.2.1", "the host is missing"},
                                  {"registry:0:192.0.2.1", "no number from 1 to 65535"},
                                  {"registry:https:192.0.2.1", "no number from 1 to 65535"},
                                  {"registry:443:", "the address is missing"},
                                  {"registry:443:elsewhere", "\"elsewhere\" is no address"},
                                  {"registry:443:192.0.2.1,,192.0.2.2", "\"\" is no address"},
                                  {"+registry:443:192.0.2.1", "have no meaning here"},
                                  {"-registry:443", "have no meaning here"}}) {
    const Failure refused = failure_of([&] { HostAddresses::parse(text); });
    EXPECT_EQ(refused.code, Errc::usage) << text;
    EXPECT_THAT(refused.text, HasSubstr(why)) << text;
  }
}

}  // namespace
}  // namespace hawser::test
