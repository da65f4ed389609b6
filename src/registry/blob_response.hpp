// What an origin's answer to a blob request comes to: the bytes asked for, the whole blob, or an Error.
#pragma once

#include "registry/registry_error.hpp"

#include <hawser/registry/client.hpp>

#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>

namespace hawser {

/// Makes a stream of the answer to a request for `range` (or all) of a blob. Throws Error{range_not_honoured} for
/// 400 and 416 to a range and for a 206 that is not the range; else what the status stands for. `what` is what was
/// asked for; the server's words go through `scrub`.
asio::awaitable<BlobStream> accept_blob_response(HttpResponse response, std::optional<Interval> range, std::string what,
                                                 Scrub scrub);

/// Reads what is left of a small body so that the connection can serve again; failures don't matter.
asio::awaitable<void> discard_body(HttpResponse& response);

/// The body of an error, up to max_error_body; empty where it can't be read.
asio::awaitable<std::string> read_error_body(HttpResponse& response);

}  // namespace hawser
