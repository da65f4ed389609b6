#include "support/failure.hpp"
#include "support/temp_dir.hpp"

#include <hawser/net/tls_settings.hpp>

#include <filesystem>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace hawser::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

void put(const fs::path& file) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << "x";
}

TEST(CertificateDirectory, NamesSayWhatIsWhat) {
  const TempDir directory;
  for (const char* name : {"b.crt", "a.crt", "client.cert", "client.key", "README", "x.pem"}) put(directory / name);
  fs::create_directory(directory / "deeper.crt");
  const TlsSettings settings = read_certificate_directory(directory.path());
  EXPECT_TRUE(settings.verify);
  EXPECT_THAT(settings.ca_files, ElementsAre((directory / "a.crt").string(), (directory / "b.crt").string()));
  EXPECT_THAT(settings.client_certificates, ElementsAre(ClientCertificate{(directory / "client.cert").string(),
                                                                          (directory / "client.key").string()}));
}

TEST(CertificateDirectory, OneThatIsNotThereSaysNothing) {
  EXPECT_EQ(read_certificate_directory("/no/such/directory"), TlsSettings{});
}

TEST(CertificateDirectory, HalfAPairIsRefused) {
  for (const auto& [name, missing] : {std::pair{"client.cert", "client.key"}, {"client.key", "client.cert"}}) {
    const TempDir directory;
    put(directory / name);
    const Failure refused = failure_of([&] { read_certificate_directory(directory.path()); });
    EXPECT_EQ(refused.code, Errc::usage);
    EXPECT_THAT(refused.text, HasSubstr((directory / missing).string() + " is missing"));
    EXPECT_THAT(refused.hint, HasSubstr("*.crt"));
  }
}

TEST(CertificateDirectories, TheUsersComeBeforeTheSystems) {
  std::map<std::string, std::string> variables{{"HOME", "/home/me"}};
  const auto environment = [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
  EXPECT_THAT(certificate_directories(environment),
              ElementsAre("/home/me/.config/containers/certs.d", "/home/me/.config/docker/certs.d",
                          "/etc/containers/certs.d", "/etc/docker/certs.d"));
  variables["XDG_CONFIG_HOME"] = "/config";
  EXPECT_EQ(certificate_directories(environment).at(1), "/config/docker/certs.d");
  variables.clear();
  EXPECT_THAT(certificate_directories(environment), ElementsAre("/etc/containers/certs.d", "/etc/docker/certs.d"));
}

class CertsDTest : public testing::Test {
 protected:
  std::vector<std::string> cas(const std::string& host) {
    return certificates_in({directory / "first", directory / "second"})(host).ca_files;
  }

  TempDir directory;
};

TEST_F(CertsDTest, TheFirstDirectoryForAHostCounts) {
  put(directory / "first/a.example:5000/ca.crt");
  put(directory / "second/a.example:5000/other.crt");
  put(directory / "second/b.example/ca.crt");
  EXPECT_THAT(cas("a.example:5000"), ElementsAre((directory / "first/a.example:5000/ca.crt").string()));
  EXPECT_THAT(cas("b.example"), ElementsAre((directory / "second/b.example/ca.crt").string()));
  EXPECT_THAT(cas("a.example"), IsEmpty());
  EXPECT_THAT(cas("c.example"), IsEmpty());
}

TEST_F(CertsDTest, AnEmptyOneCountsToo) {
  fs::create_directories(directory / "first/a.example");
  put(directory / "second/a.example/ca.crt");
  EXPECT_THAT(cas("a.example"), IsEmpty());
}

TEST_F(CertsDTest, ThePort443MayBeNamedAndDockerHubIsDockerIo) {
  put(directory / "first/a.example:443/ca.crt");
  put(directory / "first/[2001:db8::1]:443/ca.crt");
  put(directory / "first/docker.io/ca.crt");
  EXPECT_EQ(cas("a.example").size(), 1u);
  EXPECT_EQ(cas("[2001:db8::1]").size(), 1u);
  EXPECT_EQ(cas("registry-1.docker.io").size(), 1u);
}

TEST_F(CertsDTest, AttackAHostThatIsAPathIsNotFollowed) {
  put(directory / "ca.crt");
  put(directory / "first/a/ca.crt");
  for (const char* host : {"..", ".", "../first/a", "a/../a"}) EXPECT_THAT(cas(host), IsEmpty()) << host;
}

TEST_F(CertsDTest, ADirectoryThatMayNotBeReadIsPassedOver) {
  put(directory / "first/a.example/ca.crt");
  put(directory / "second/a.example/ca.crt");
  fs::permissions(directory.path(), fs::perms::all);
  fs::permissions(directory / "first/a.example", fs::perms::none);
  const bool root = ::geteuid() == 0;
  if (root) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  const std::vector<std::string> found = cas("a.example");
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  fs::permissions(directory / "first/a.example", fs::perms::owner_all);
  EXPECT_THAT(found, ElementsAre((directory / "second/a.example/ca.crt").string()));
}

TEST(TlsSettings, AddUnitesThem) {
  TlsSettings one{true, {"a"}, {{"c", "k"}}, TlsVersion::tls_1_3};
  one.add({false, {"a", "b"}, {{"d", "l"}}, TlsVersion::tls_1_2});
  EXPECT_EQ(one, (TlsSettings{false, {"a", "b"}, {{"c", "k"}, {"d", "l"}}, TlsVersion::tls_1_3}));
}

}  // namespace
}  // namespace hawser::test
