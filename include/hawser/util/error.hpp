// What can go wrong, in one enum. What else is thrown is std::filesystem::filesystem_error (a disk's failure, too),
// std::bad_alloc, or a mistake of hawser itself.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace hawser {

/// What kind of failure an Error is. The application maps each to an exit code (cli/exit_code.hpp),
/// the transfer engine decides from it whether to try again.
enum class Errc {
  // The caller's words.
  usage = 1,      ///< an option or argument that makes no sense
  bad_reference,  ///< an image reference outside docker's grammar

  // What the registry answers.
  unauthorized,        ///< 401: credentials are needed, or those given were refused
  forbidden,           ///< 403: the registry knows who asks and says no
  not_found,           ///< 404: no such repository, tag, manifest or blob
  no_platform,         ///< the image exists, but not for the platform asked for
  rate_limited,        ///< 429, or a server that asks to wait for too long
  server_error,        ///< 5xx and 408: the registry's fault, worth another try
  bad_request,         ///< any other 4xx: asking again will not help
  range_not_honoured,  ///< the origin answers ranges with something other than the range
  unsupported,         ///< a media type, schema or scheme that hawser does not take

  // The way there.
  no_such_host,        ///< the name service knows that the host name does not exist; never retried
  resolve_failed,      ///< the name service gave no answer
  connect_failed,      ///< no address of the host took the connection
  connect_refused,     ///< the host is there, and nothing listens on its port
  proxy_failed,        ///< the proxy broke the tunnel, or could not make it
  proxy_refused,       ///< the proxy does not allow what is asked for; never retried
  tls_certificate,     ///< the peer's certificate is not to be trusted; never retried
  no_tls,              ///< the peer answers the handshake in something other than TLS; never retried
  tls_failed,          ///< the handshake or the encrypted stream broke for another reason
  connection_lost,     ///< reset, closed early or truncated
  stalled,             ///< no byte came for the stall timeout
  too_many_redirects,  ///< more redirects than allowed, or a loop of them
  redirect_refused,    ///< a redirect that hawser will not follow (https to http, another scheme)
  protocol,            ///< an answer that breaks HTTP or the distribution-spec

  // What arrived.
  malformed,        ///< a document that is not what it should be (JSON, manifest, config, archive)
  too_large,        ///< more bytes than the limit of its kind allows
  digest_mismatch,  ///< bytes that do not have the digest they were asked for by
  size_mismatch,    ///< more or fewer bytes than the descriptor says

  // This side.
  disk_full,  ///< no space or quota left
  disk,       ///< any other failure of a file or directory
  cancelled,  ///< stopped by the user
};

/// Whether what failed is this side's doing: the disk's or the user's, not a registry's, a line's or an image's.
bool is_on_this_side(Errc code);

/// A failure: its kind, a sentence that says what failed on what, and, where there is one, a hint
/// that says what the user can do about it. Never holds a secret; text that came from a registry
/// must have gone through printable() (util/text.hpp) before it gets here.
class Error : public std::runtime_error {
 public:
  Error(Errc code, const std::string& message, std::string hint = {});

  Errc code() const noexcept { return code_; }
  /// What the user can do; empty where hawser does not know.
  const std::string& hint() const noexcept { return hint_; }
  /// The same error with "context: " before its message.
  Error in(std::string_view context) const;

 private:
  Errc code_;
  std::string hint_;
};

/// An Error (disk or disk_full) of what the system says, on `path`: "cannot <action> <path>: <reason>".
Error disk_error(const std::error_code& error, std::string_view action, std::string_view path);

}  // namespace hawser
