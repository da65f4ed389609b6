// What the tests of the registry client share: a client, a scripted registry, and ways to ask.
#pragma once

#include "net/http_client.hpp"
#include "registry/client.hpp"
#include "support/failure.hpp"
#include "support/run_coroutine.hpp"
#include "support/scripted_registry.hpp"
#include "support/test_image.hpp"

#include <hawser/util/error.hpp>

#include <string>

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser::test {

/// The least that is a manifest or an index.
inline const std::string small_index = R"({"schemaVersion":2,"manifests":[]})";

inline NetOptions test_net_options() {
  NetOptions net;
  net.stall_timeout = std::chrono::seconds(5);
  return net;
}

/// What a source of credentials returns that need not look.
inline asio::awaitable<Logins> known_logins(Logins logins) {
  co_return logins;
}
inline asio::awaitable<Logins> known_credentials(Credentials credentials) {
  Logins known;
  known.logins.push_back({{}, std::move(credentials)});
  co_return known;
}

inline CredentialSource user_and_password(std::string user, std::string password) {
  return [user, password] { return known_credentials(Credentials{user, password, {}}); };
}

/// Notes as texts.
class TextNotes final : public OriginNotes {
 public:
  OriginNote recall(const Origin& origin) override { return OriginNote::parse(origin, texts[origin]); }
  void update(const Origin& origin, const std::function<void(OriginNote&)>& change) override {
    OriginNote note = recall(origin);
    change(note);
    texts[origin] = note.to_text(origin);
  }

  std::map<Origin, std::string> texts;
};

class RegistryFixture : public testing::Test {
 protected:
  RegistryFixture() : http(context.get_executor(), test_net_options()) {}

  /// A client of the registry that knows `source`.
  RegistryClient& use(CredentialSource source = {}, OriginNotes* notes = nullptr) {
    client = std::make_unique<RegistryClient>(http, registry.origin(), std::move(source), notes);
    return *client;
  }
  RegistryClient& current() { return client ? *client : use(); }

  FetchedManifest manifest(const std::string& selector = "latest", const std::string& repository = "a/b") {
    return run_coroutine(context, current().get_manifest(repository, selector));
  }
  Failure manifest_failure(const std::string& selector = "latest") {
    return failure_of([&] { manifest(selector); });
  }

  asio::awaitable<std::string> read_blob(Digest digest, std::optional<Interval> range) {
    BlobStream stream = co_await current().source("a/b")->open(digest, range);
    last_partial = stream.partial;
    last_begin = stream.begin;
    std::string body = co_await stream.body->read_all(100'000'000);
    co_return body;
  }
  std::string blob(const Digest& digest, std::optional<Interval> range = {}) {
    return run_coroutine(context, read_blob(digest, range));
  }
  Failure blob_failure(const Digest& digest, std::optional<Interval> range = {}) {
    return failure_of([&] { blob(digest, range); });
  }

  /// Puts a small manifest at a/b:latest.
  Digest serve_manifest(const std::string& bytes = small_index) {
    return registry.content().add_manifest("a/b", "latest", bytes, "application/vnd.oci.image.index.v1+json");
  }
  static ScriptedOptions sharing(ScriptedRegistry& other) {
    ScriptedOptions options;
    options.content = other.shared_content();
    return options;
  }
  /// Whether `server` ever saw an Authorization header.
  static bool saw_credentials(const ScriptedRegistry& server) {
    for (const ScriptedRequest& request : server.requests())
      if (!request.header("Authorization").empty() || request.body.find("refresh_token") != std::string::npos)
        return true;
    return false;
  }

  asio::io_context context;
  HttpClient http;
  ScriptedRegistry registry;
  std::unique_ptr<RegistryClient> client;
  bool last_partial = false;
  std::uint64_t last_begin = 0;
};

}  // namespace hawser::test
