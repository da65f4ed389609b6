// Credentials that take their time, as those of a helper program do: looked for once, whoever needs them.
#include "registry/registry_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hawser::test {
namespace {

class CredentialLookupTest : public RegistryFixture {
 protected:
  CredentialLookupTest() {
    serve_manifest();
    registry.auth().require_basic("user", "secret");
  }

  asio::awaitable<void> fetch_and_count() {
    co_await current().get_manifest("a/b", "latest");
    ++fetched;
  }
  /// Credentials that are there only when `count` requests have come.
  asio::awaitable<Logins> after_requests(std::size_t count, std::optional<Credentials> then) {
    asio::steady_timer timer(context);
    for (int i = 0; i < 5'000 && registry.requests().size() < count; ++i) {
      timer.expires_after(std::chrono::milliseconds(2));
      co_await timer.async_wait(asio::use_awaitable);
    }
    ++asked;
    if (!then) throw Error(Errc::unauthorized, "the helper is out of order");
    Logins known;
    known.logins.push_back({{}, *then});
    co_return known;
  }
  /// Fetches the manifest four times at once; returns what failed.
  std::vector<Errc> fetch_together() {
    std::vector<Errc> codes;
    int done = 0;
    for (int i = 0; i < 4; ++i)
      asio::co_spawn(context, fetch_and_count(), [&](std::exception_ptr error) {
        ++done;
        if (error) codes.push_back(code_of([&] { std::rethrow_exception(error); }));
      });
    context.restart();
    while (done < 4 && context.run_one() > 0) {
    }
    return codes;
  }

  int fetched = 0;
  int asked = 0;
};

TEST_F(CredentialLookupTest, ASlowSourceOfCredentialsIsAskedOnceAndHoldsNobodyUp) {
  use([this](std::string) { return after_requests(4, Credentials{"user", "secret", {}}); });
  EXPECT_TRUE(fetch_together().empty());
  EXPECT_EQ(fetched, 4);
  EXPECT_EQ(asked, 1);
}

TEST_F(CredentialLookupTest, ASourceOfCredentialsThatFailsFailsAllWhoWait) {
  use([this](std::string) { return after_requests(4, std::nullopt); });
  EXPECT_EQ(fetch_together(), std::vector<Errc>(4, Errc::unauthorized));
}

}  // namespace
}  // namespace hawser::test
