// Where a registry client has its credentials from.
#pragma once

#include <hawser/registry/credentials.hpp>

#include <functional>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

namespace hawser {

namespace asio = boost::asio;

/// Finds what is known of a registry ("docker.io", "localhost:5000"): no login means anonymous access. Called on the
/// network thread, and only when the registry asks for authentication; what takes time is awaited.
using CredentialSource = std::function<asio::awaitable<Logins>(std::string registry)>;

/// What a source returns that need not look: `credentials` for all of the registry, or no login.
asio::awaitable<Logins> known_credentials(std::optional<Credentials> credentials);
asio::awaitable<Logins> known_logins(Logins logins);

/// docker_config_logins() as a source: files are read and helpers waited for on `pool`, which must outlive it.
CredentialSource docker_config_source(asio::thread_pool& pool);

}  // namespace hawser
