#include <hawser/registry/credential_source.hpp>
#include <hawser/util/run_on.hpp>

#include <utility>

namespace hawser {
namespace {

asio::awaitable<Logins> look_up_on(asio::thread_pool* pool, std::string registry) {
  Logins found;
  auto look_up = [&] { found = docker_config_logins(registry); };
  co_await run_on(*pool, look_up);
  co_return found;
}

}  // namespace

asio::awaitable<Logins> known_credentials(std::optional<Credentials> credentials) {
  Logins known;
  if (credentials) known.logins.push_back({{}, std::move(*credentials)});
  co_return known;
}

asio::awaitable<Logins> known_logins(Logins logins) {
  co_return logins;
}

CredentialSource docker_config_source(asio::thread_pool& pool) {
  return [pool = &pool](std::string registry) { return look_up_on(pool, std::move(registry)); };
}

}  // namespace hawser
