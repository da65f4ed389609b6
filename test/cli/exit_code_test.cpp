#include "cli/exit_code.hpp"

#include <csignal>
#include <filesystem>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace hawser {
namespace {

TEST(ExitCode, NumbersAreThosePromised) {
  EXPECT_EQ(static_cast<int>(ExitCode::done), 0);
  EXPECT_EQ(static_cast<int>(ExitCode::other), 1);
  EXPECT_EQ(static_cast<int>(ExitCode::usage), 2);
  EXPECT_EQ(static_cast<int>(ExitCode::authentication), 3);
  EXPECT_EQ(static_cast<int>(ExitCode::not_found), 4);
  EXPECT_EQ(static_cast<int>(ExitCode::network), 5);
  EXPECT_EQ(static_cast<int>(ExitCode::integrity), 6);
  EXPECT_EQ(static_cast<int>(ExitCode::rate_limited), 7);
  EXPECT_EQ(static_cast<int>(ExitCode::local_disk), 8);
  EXPECT_EQ(static_cast<int>(exit_code_of_signal(SIGINT)), 130);
  EXPECT_EQ(static_cast<int>(exit_code_of_signal(SIGTERM)), 143);
}

TEST(ExitCode, EachKindOfFailureHasItsOwn) {
  const std::vector<std::pair<ExitCode, std::vector<Errc>>> cases{
      {ExitCode::usage, {Errc::usage, Errc::bad_reference}},
      {ExitCode::authentication, {Errc::unauthorized, Errc::forbidden}},
      {ExitCode::not_found, {Errc::not_found, Errc::no_platform}},
      {ExitCode::rate_limited, {Errc::rate_limited}},
      {ExitCode::integrity, {Errc::digest_mismatch, Errc::size_mismatch, Errc::malformed}},
      {ExitCode::local_disk, {Errc::disk, Errc::disk_full}},
      {ExitCode::other, {Errc::bad_request, Errc::unsupported}},
      {ExitCode::interrupted, {Errc::cancelled}},
      {ExitCode::network,
       {Errc::server_error, Errc::no_such_host, Errc::resolve_failed, Errc::connect_failed, Errc::proxy_failed,
        Errc::proxy_refused, Errc::tls_certificate, Errc::no_tls, Errc::tls_failed, Errc::connection_lost,
        Errc::stalled, Errc::too_many_redirects, Errc::redirect_refused, Errc::protocol}},
  };
  for (const auto& [expected, kinds] : cases)
    for (const Errc kind : kinds) EXPECT_EQ(exit_code(Error(kind, "")), expected) << static_cast<int>(kind);
}

TEST(ExitCode, OfExceptions) {
  EXPECT_EQ(exit_code(std::runtime_error("?")), ExitCode::other);
  const std::filesystem::filesystem_error missing("x", std::make_error_code(std::errc::permission_denied));
  EXPECT_EQ(exit_code(missing), ExitCode::local_disk);
}

TEST(ExitCode, TheMostSevereFailureDecides) {
  const auto of = [](std::vector<ExitCode> codes) { return most_severe(codes); };
  EXPECT_EQ(of({}), ExitCode::done);
  EXPECT_EQ(of({ExitCode::done, ExitCode::done}), ExitCode::done);
  EXPECT_EQ(of({ExitCode::done, ExitCode::not_found}), ExitCode::not_found);
  EXPECT_EQ(of({ExitCode::not_found, ExitCode::network}), ExitCode::network);
  EXPECT_EQ(of({ExitCode::integrity, ExitCode::network, ExitCode::not_found}), ExitCode::integrity);
  EXPECT_EQ(of({ExitCode::local_disk, ExitCode::integrity}), ExitCode::local_disk);
  EXPECT_EQ(of({ExitCode::network, ExitCode::terminated, ExitCode::local_disk}), ExitCode::terminated);
}

}  // namespace
}  // namespace hawser
