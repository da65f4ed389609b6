#include "cli/exit_code.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>

namespace hawser {
namespace {

ExitCode of_kind(Errc code) noexcept {
  switch (code) {
    case Errc::usage:
    case Errc::bad_reference:
      return ExitCode::usage;
    case Errc::unauthorized:
    case Errc::forbidden:
      return ExitCode::authentication;
    case Errc::not_found:
    case Errc::no_platform:
      return ExitCode::not_found;
    case Errc::rate_limited:
      return ExitCode::rate_limited;
    case Errc::bad_request:
    case Errc::unsupported:
      return ExitCode::other;
    case Errc::server_error:
    case Errc::range_not_honoured:
    case Errc::no_such_host:
    case Errc::resolve_failed:
    case Errc::connect_failed:
    case Errc::connect_refused:
    case Errc::proxy_failed:
    case Errc::proxy_refused:
    case Errc::tls_certificate:
    case Errc::no_tls:
    case Errc::tls_failed:
    case Errc::connection_lost:
    case Errc::stalled:
    case Errc::too_many_redirects:
    case Errc::redirect_refused:
    case Errc::protocol:
      return ExitCode::network;
    case Errc::malformed:
    case Errc::too_large:
    case Errc::digest_mismatch:
    case Errc::size_mismatch:
      return ExitCode::integrity;
    case Errc::disk_full:
    case Errc::disk:
      return ExitCode::local_disk;
    case Errc::cancelled:
      return ExitCode::interrupted;
  }
  return ExitCode::other;
}

}  // namespace

ExitCode exit_code(const std::exception& failure) noexcept {
  if (const auto* error = dynamic_cast<const Error*>(&failure)) return of_kind(error->code());
  if (dynamic_cast<const std::filesystem::filesystem_error*>(&failure) != nullptr) return ExitCode::local_disk;
  return ExitCode::other;
}

ExitCode exit_code_of_signal(int signal) noexcept {
  return signal == SIGINT ? ExitCode::interrupted : ExitCode::terminated;
}

ExitCode most_severe(std::span<const ExitCode> codes) noexcept {
  static constexpr std::array order{
      ExitCode::terminated,     ExitCode::interrupted,  ExitCode::local_disk, ExitCode::integrity, ExitCode::other,
      ExitCode::authentication, ExitCode::rate_limited, ExitCode::network,    ExitCode::not_found, ExitCode::usage};
  for (const ExitCode code : order)
    if (std::ranges::find(codes, code) != codes.end()) return code;
  return ExitCode::done;
}

}  // namespace hawser
