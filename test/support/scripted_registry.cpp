#include "support/scripted_registry.hpp"

#include "support/scripted_server.hpp"

#include <algorithm>

namespace hawser::test {

ScriptedRegistry::ScriptedRegistry(ScriptedOptions options)
    : content_(options.content ? options.content : std::make_shared<ScriptedContent>()),
      server_(std::make_unique<ScriptedServer>(*this, std::move(options))) {}

ScriptedRegistry::~ScriptedRegistry() {
  stop();
}

void ScriptedRegistry::black_hole() {
  server_->black_hole();
}

void ScriptedRegistry::stop() {
  server_->stop();
}

std::uint16_t ScriptedRegistry::port() const {
  return server_->port();
}

Origin ScriptedRegistry::origin() const {
  Origin origin;
  origin.tls = server_->tls();
  origin.host = server_->address();
  origin.port = port();
  return origin;
}

std::string ScriptedRegistry::host() const {
  return origin().host_header();
}

std::string ScriptedRegistry::url(const std::string& target) const {
  return origin().to_string() + target;
}

ScriptedRegistry::RuleBuilder& ScriptedRegistry::RuleBuilder::skip(std::size_t n) {
  rule_.skip = n;
  return *this;
}

ScriptedRegistry::RuleBuilder& ScriptedRegistry::RuleBuilder::times(std::size_t n) {
  rule_.times = n;
  return *this;
}

void ScriptedRegistry::RuleBuilder::reply_with(Reply reply) {
  reply_with([reply = std::move(reply)](const ScriptedRequest&) { return reply; });
}

void ScriptedRegistry::RuleBuilder::reply_with(Responder responder) {
  rule_.responder = std::move(responder);
  registry_.add(std::move(rule_));
}

void ScriptedRegistry::RuleBuilder::with_fault(Fault fault) {
  rule_.fault = std::move(fault);
  registry_.add(std::move(rule_));
}

ScriptedRegistry::RuleBuilder ScriptedRegistry::expect(std::string method, std::string path) {
  Rule rule;
  rule.method = std::move(method);
  rule.path = std::move(path);
  rule.times = 1;
  rule.expected = true;
  return {*this, std::move(rule)};
}

ScriptedRegistry::RuleBuilder ScriptedRegistry::on(std::string method, std::string path) {
  Rule rule;
  rule.method = std::move(method);
  rule.path = std::move(path);
  return {*this, std::move(rule)};
}

void ScriptedRegistry::add(Rule rule) {
  const std::lock_guard lock(mutex_);
  rules_.push_back(std::make_unique<Rule>(std::move(rule)));
}

std::vector<std::string> ScriptedRegistry::unmet() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> missing;
  for (const auto& rule : rules_)
    if (rule->expected && rule->matched < rule->skip + rule->times.value_or(1))
      missing.push_back(rule->method + " " + rule->path);
  return missing;
}

void ScriptedRegistry::redirect_blobs_to(const ScriptedRegistry& cdn, std::size_t uses) {
  const std::string base = cdn.url("");
  on("GET", "/v2/*/blobs/*").with_fault([this, base, uses](Reply& reply) {
    // Only what the default would have served is redirected; the digest is behind the last slash.
    if (reply.status != 200 && reply.status != 206) return;
    const std::lock_guard lock(mutex_);
    const std::string path = requests_.back().path();
    reply = Reply::redirect(base + content_->sign(path.substr(path.rfind('/') + 1), uses));
  });
}

std::vector<ScriptedRequest> ScriptedRegistry::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::size_t ScriptedRegistry::count(std::string_view method, std::string_view path) const {
  const std::lock_guard lock(mutex_);
  std::size_t n = 0;
  for (const ScriptedRequest& request : requests_)
    if (request.method == method && path_matches(path, request.path())) ++n;
  return n;
}

void ScriptedRegistry::settle() const {
  std::unique_lock lock(mutex_);
  sent_.wait_for(lock, std::chrono::seconds(1),
                 [&] { return std::ranges::all_of(requests_, [](const auto& request) { return request.over; }); });
}

std::uint64_t ScriptedRegistry::bytes_sent(std::string_view path) const {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const ScriptedRequest& request : requests_)
    if (path_matches(path, request.path())) sum += request.bytes_sent;
  return sum;
}

std::size_t ScriptedRegistry::connections_accepted() const {
  return server_->accepted();
}

Reply ScriptedRegistry::decide(ScriptedRequest request, std::size_t& index) {
  Rule* rule = nullptr;
  {
    const std::lock_guard lock(mutex_);
    index = requests_.size();
    requests_.push_back(request);
    for (const auto& candidate : rules_) {
      if (!candidate->takes(request)) continue;
      rule = candidate.get();
      break;
    }
  }
  // Rules are never removed, so `rule` stays good without the lock.
  Reply reply = reply_to(request, rule);
  // Before it is sent: a test may look as soon as its client has the answer.
  const std::lock_guard lock(mutex_);
  requests_[index].status = reply.status;
  return reply;
}

Reply ScriptedRegistry::reply_to(const ScriptedRequest& request, const Rule* rule) {
  if (rule && rule->responder) return rule->responder(request);
  std::optional<Reply> turned_away = auth_.intercept(request);
  Reply reply = turned_away ? std::move(*turned_away) : content_->answer(request);
  if (rule && rule->fault) rule->fault(reply);
  return reply;
}

void ScriptedRegistry::record_sent(std::size_t index, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  requests_[index].bytes_sent = bytes;
  requests_[index].over = true;
  sent_.notify_all();
}

}  // namespace hawser::test
