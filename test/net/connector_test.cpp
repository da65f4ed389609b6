#include "net/connector.hpp"

#include <hawser/util/error.hpp>

#include <gtest/gtest.h>

namespace hawser {
namespace {

using Endpoints = std::vector<asio::ip::tcp::endpoint>;

Endpoints endpoints(std::initializer_list<const char*> addresses) {
  Endpoints made;
  for (const char* address : addresses) made.emplace_back(asio::ip::make_address(address), 443);
  return made;
}

TEST(MetadataHost, AttackAddressesAreKnownInEverySpelling) {
  for (const char* host : {"169.254.169.254", "169.254.0.1", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376",
                           "169.254.43518", "100.100.100.200", "fe80::1", "febf::1", "fd00:ec2::254", "fd20:ce::254",
                           "::169.254.169.254", "::ffff:169.254.169.254", "::ffff:0:a9fe:a9fe", "64:ff9b::a9fe:a9fe",
                           "2002:a9fe:a9fe::1", "2002:a9fe:1::", "::ffff:100.100.100.200", "169.254.169.254."})
    EXPECT_TRUE(is_metadata_host(host)) << host;
}

TEST(MetadataHost, AttackNamesOfMetadataServicesAreKnown) {
  for (const char* host : {"metadata.google.internal", "METADATA.google.internal.", "metadata.goog", "metadata",
                           "instance-data", "Instance-Data.ec2.internal"})
    EXPECT_TRUE(is_metadata_host(host)) << host;
}

TEST(MetadataHost, OthersAreNone) {
  for (const char* host : {"registry.example", "169.253.1.1", "100.100.100.201", "10.0.0.1", "127.0.0.1", "::1",
                           "fd00::1", "fec0::1", "fd20:ce::255", "::ffff:1.2.3.4", "64:ff9b::102:304", "2002:a9fd::1",
                           "2001:db8::a9fe:a9fe", "metadata.google.internal.example", "instance-data.example", ""})
    EXPECT_FALSE(is_metadata_host(host)) << host;
}

TEST(WithoutMetadataAddresses, TheOthersAreLeft) {
  EXPECT_EQ(without_metadata_addresses(endpoints({"192.0.2.1", "169.254.169.254", "fe80::1", "2001:db8::1"}), "a.test"),
            endpoints({"192.0.2.1", "2001:db8::1"}));
}

TEST(WithoutMetadataAddresses, AttackANameThatLeadsNowhereElseIsRefused) {
  try {
    without_metadata_addresses(endpoints({"fe80::1", "169.254.169.254"}), "cdn.test");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::redirect_refused);
    EXPECT_NE(std::string(error.what()).find("cdn.test"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("169.254.169.254"), std::string::npos);
    EXPECT_FALSE(error.hint().empty());
  }
}

TEST(RacingOrder, FamiliesTakeTurnsAndTheResolversFirstLeads) {
  EXPECT_EQ(racing_order(endpoints({"2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2", "192.0.2.3"}), {}),
            endpoints({"2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "192.0.2.3"}));
  EXPECT_EQ(racing_order(endpoints({"192.0.2.1", "2001:db8::1"}), {}), endpoints({"192.0.2.1", "2001:db8::1"}));
  EXPECT_EQ(racing_order({}, {}), endpoints({}));
}

TEST(RacingOrder, TheFamilyThatWonLastLeads) {
  AddressMemory memory;
  memory.v6_first = false;
  EXPECT_EQ(racing_order(endpoints({"2001:db8::1", "192.0.2.1", "2001:db8::2"}), memory),
            endpoints({"192.0.2.1", "2001:db8::1", "2001:db8::2"}));
}

TEST(RacingOrder, AnAddressThatTookAConnectionComesFirst) {
  AddressMemory memory;
  memory.good = {asio::ip::make_address("192.0.2.2")};
  EXPECT_EQ(racing_order(endpoints({"192.0.2.1", "2001:db8::1", "192.0.2.2"}), memory),
            endpoints({"192.0.2.2", "192.0.2.1", "2001:db8::1"}));
}

}  // namespace
}  // namespace hawser
