#include <hawser/registry/credential_source.hpp>
#include <hawser/util/run_on.hpp>

#include <utility>

namespace hawser {
namespace {

asio::awaitable<std::optional<Credentials>> look_up_on(asio::thread_pool* pool, std::string registry) {
  std::optional<Credentials> found;
  auto look_up = [&] { found = docker_config_credentials(registry); };
  co_await run_on(*pool, look_up);
  co_return found;
}

}  // namespace

asio::awaitable<std::optional<Credentials>> known_credentials(std::optional<Credentials> credentials) {
  co_return credentials;
}

CredentialSource docker_config_source(asio::thread_pool& pool) {
  return [pool = &pool](std::string registry) { return look_up_on(pool, std::move(registry)); };
}

}  // namespace hawser
