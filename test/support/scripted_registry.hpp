// A registry in the test's own process that does what it is told, faults included: HTTP/1.1 over loopback, with or
// without TLS, in a thread of its own. Any test that needs a peer scripts one of these.
//
//   ScriptedRegistry registry;
//   const Digest digest = registry.content().add_blob("bytes");
//   registry.expect("GET", "/v2/a/blobs/*").reply_with(Reply::of(503).with("Retry-After", "1"));
//   registry.on("GET", "/v2/*").skip(3).with_fault([](Reply& reply) { reply.reset_after = 1000; });
//   … registry.requests() …
#pragma once

#include "net/origin.hpp"
#include "support/scripted_auth.hpp"
#include "support/scripted_content.hpp"
#include "support/scripted_message.hpp"
#include "support/test_certificates.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hawser::test {

/// How a ScriptedRegistry takes connections.
struct ScriptedOptions {
  std::optional<TestCertificate> certificate = {};  ///< TLS where set
  std::shared_ptr<ScriptedContent> content = {};    ///< shared with another server; its own where empty
  std::string address = "127.0.0.1";                ///< to listen on
  std::uint16_t port = 0;                           ///< 0: any free one
  std::size_t max_connections = 0;                  ///< open at once; 0: any number
  bool reset_excess = true;                         ///< what is over the limit: reset, or answered with 503
};

class ScriptedRegistry {
 public:
  explicit ScriptedRegistry(ScriptedOptions options = {});
  ~ScriptedRegistry();
  ScriptedRegistry(const ScriptedRegistry&) = delete;
  ScriptedRegistry& operator=(const ScriptedRegistry&) = delete;

  std::uint16_t port() const;
  /// "127.0.0.1:port", fit for a reference.
  std::string host() const;
  Origin origin() const;
  /// The absolute URL of `target`.
  std::string url(const std::string& target) const;

  ScriptedContent& content() { return *content_; }
  std::shared_ptr<ScriptedContent> shared_content() const { return content_; }
  ScriptedAuth& auth() { return auth_; }

  /// Describes a rule; reply_with() or with_fault() puts it into force. Of the rules that match, the first counts.
  class RuleBuilder {
   public:
    RuleBuilder(ScriptedRegistry& registry, Rule rule) : registry_(registry), rule_(std::move(rule)) {}
    /// Lets the first `n` matching requests pass.
    RuleBuilder& skip(std::size_t n);
    RuleBuilder& times(std::size_t n);
    void reply_with(Reply reply);
    void reply_with(Responder responder);
    /// The default reply, with this done to it.
    void with_fault(Fault fault);

   private:
    ScriptedRegistry& registry_;
    Rule rule_;
  };

  /// A rule for one request (or times(n)) that has to come: unmet() tells where it did not.
  RuleBuilder expect(std::string method, std::string path);
  /// A rule for every matching request from now on.
  RuleBuilder on(std::string method, std::string path);
  /// Expectations that no request has met, as "GET /path".
  std::vector<std::string> unmet() const;

  /// From now on blobs are redirected to signed URLs of `cdn`, which must share this content; each is good for
  /// `uses` requests.
  void redirect_blobs_to(const ScriptedRegistry& cdn, std::size_t uses = SIZE_MAX);

  /// All requests up to now, in order of arrival.
  std::vector<ScriptedRequest> requests() const;
  /// How many of them fit.
  std::size_t count(std::string_view method, std::string_view path) const;
  /// Waits, for a second at most, until no reply is under way: a client may have the last byte before the server has
  /// counted it.
  void settle() const;
  /// Bytes of bodies sent in answer to requests for the path; see settle().
  std::uint64_t bytes_sent(std::string_view path) const;
  std::size_t connections_accepted() const;

  /// Whatever comes on the connections that are open now is dropped unseen from here on, and nobody is told: as behind
  /// a NAT that has forgotten them.
  void black_hole();
  /// Stops listening and drops all connections.
  void stop();

 private:
  friend class ScriptedServer;
  /// Records the request and decides on the reply; called on the server's thread.
  Reply decide(ScriptedRequest request, std::size_t& index);
  Reply reply_to(const ScriptedRequest& request, const Rule* rule);
  void record_sent(std::size_t index, std::uint64_t bytes);
  void add(Rule rule);

  std::shared_ptr<ScriptedContent> content_;
  ScriptedAuth auth_;
  mutable std::mutex mutex_;
  mutable std::condition_variable sent_;
  std::vector<std::unique_ptr<Rule>> rules_;
  std::vector<ScriptedRequest> requests_;
  std::unique_ptr<class ScriptedServer> server_;
};

}  // namespace hawser::test
