#include <hawser/util/error.hpp>

#include <cerrno>
#include <cstring>

namespace hawser {
namespace {

const char* describe(Errc code) {
  switch (code) {
    case Errc::usage:
      return "wrong usage";
    case Errc::bad_reference:
      return "bad image reference";
    case Errc::unauthorized:
      return "authentication failed";
    case Errc::forbidden:
      return "no permission";
    case Errc::not_found:
      return "not found";
    case Errc::no_platform:
      return "no such platform";
    case Errc::rate_limited:
      return "rate limited";
    case Errc::server_error:
      return "server error";
    case Errc::bad_request:
      return "request refused";
    case Errc::range_not_honoured:
      return "range not honoured";
    case Errc::unsupported:
      return "unsupported";
    case Errc::no_such_host:
      return "no such host";
    case Errc::resolve_failed:
      return "name resolution failed";
    case Errc::connect_failed:
      return "connection failed";
    case Errc::connect_refused:
      return "connection refused";
    case Errc::proxy_failed:
      return "proxy failed";
    case Errc::proxy_refused:
      return "refused by the proxy";
    case Errc::tls_certificate:
      return "certificate not trusted";
    case Errc::no_tls:
      return "no TLS";
    case Errc::tls_failed:
      return "TLS failed";
    case Errc::connection_lost:
      return "connection lost";
    case Errc::stalled:
      return "stalled";
    case Errc::too_many_redirects:
      return "too many redirects";
    case Errc::redirect_refused:
      return "redirect refused";
    case Errc::protocol:
      return "protocol violation";
    case Errc::malformed:
      return "malformed document";
    case Errc::too_large:
      return "too large";
    case Errc::digest_mismatch:
      return "digest mismatch";
    case Errc::size_mismatch:
      return "size mismatch";
    case Errc::disk_full:
      return "disk full";
    case Errc::disk:
      return "disk failure";
    case Errc::cancelled:
      return "cancelled";
  }
  return "unknown error";
}

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "hawser"; }
  std::string message(int value) const override { return describe(static_cast<Errc>(value)); }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const Category category;
  return category;
}

std::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

Error::Error(Errc code, const std::string& message, std::string hint)
    : std::runtime_error(message), code_(code), hint_(std::move(hint)) {}

Error Error::in(std::string_view context) const {
  return {code_, std::string(context) + ": " + what(), hint_};
}

Error disk_error(int error, std::string_view action, std::string_view path) {
  if (error == EMFILE || error == ENFILE)
    return {Errc::disk, "cannot " + std::string(action) + " " + std::string(path) + ": " + std::strerror(error),
            "allow more open files (ulimit -n), or pull fewer images at once"};
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  std::string message = "cannot " + std::string(action) + " " + std::string(path) + ": " + std::strerror(error);
  return {full ? Errc::disk_full : Errc::disk, message,
          full ? "free some space, or choose another place with --output and --cache-dir" : ""};
}

}  // namespace hawser
