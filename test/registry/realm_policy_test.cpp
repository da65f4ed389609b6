#include "registry/realm_policy.hpp"

#include <hawser/util/error.hpp>

#include <gtest/gtest.h>

namespace hawser {
namespace {

const Origin https{true, "registry.example", 443};
const Origin http{false, "registry.example", 80};

Errc refusal(const Origin& registry, std::string_view realm) {
  try {
    checked_realm(registry, realm);
  } catch (const Error& error) {
    return error.code();
  }
  return Errc{};
}

TEST(RealmPolicy, HttpsRealmOnAnyHostIsTaken) {
  EXPECT_EQ(checked_realm(https, "https://auth.example/token?a=b").to_string(), "https://auth.example/token?a=b");
  EXPECT_EQ(checked_realm(http, "https://auth.example/token").origin.tls, true);
}

TEST(RealmPolicy, AttackHttpRealmOfHttpsRegistryIsRefused) {
  EXPECT_EQ(refusal(https, "http://auth.example/token"), Errc::unauthorized);
  EXPECT_EQ(refusal(https, "HTTP://registry.example/token"), Errc::unauthorized);
  EXPECT_EQ(refusal({true, "localhost", 5000}, "http://localhost:5001/token"), Errc::unauthorized);
}

TEST(RealmPolicy, PlainRegistryMayHavePlainRealm) {
  EXPECT_EQ(refusal(http, "http://auth.example:5001/token"), Errc{});
  EXPECT_EQ(refusal({false, "127.0.0.1", 5000}, "http://127.0.0.1:5001/token"), Errc{});
}

TEST(RealmPolicy, RealmThatIsNoUrl) {
  for (const char* realm : {"", "registry", "//host/token", "ftp://host/", "file:///etc/passwd", "https://",
                            "https:///x", "javascript:alert(1)"})
    EXPECT_EQ(refusal(https, realm), Errc::unauthorized) << realm;
}

TEST(RealmPolicy, AttackMetadataRealmIsRefused) {
  for (const char* host : {"169.254.169.254", "2852039166", "[::ffff:169.254.169.254]", "[fe80::1]",
                           "metadata.google.internal", "instance-data"})
    EXPECT_EQ(refusal(https, "https://" + std::string(host) + "/token"), Errc::unauthorized) << host;
}

TEST(RealmPolicy, MetadataAddressThatIsTheRegistryItselfIsTaken) {
  EXPECT_EQ(refusal({true, "169.254.1.1", 5000}, "https://169.254.1.1:5001/token"), Errc{});
  EXPECT_EQ(refusal({true, "169.254.1.1", 5000}, "https://169.254.169.254/token"), Errc::unauthorized);
}

TEST(RealmPolicy, RefusalShowsNoQueryAndNoEscapes) {
  for (const char* realm : {"http://auth.example/token?secret=1", "ftp://user:secret@auth.example/token?secret=1"}) {
    try {
      checked_realm(https, realm);
      ADD_FAILURE() << realm;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace hawser
