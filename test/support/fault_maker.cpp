#include "support/fault_maker.hpp"

namespace hawser::test {

void FaultMaker::set_share(double share) {
  const std::lock_guard lock(mutex_);
  share_ = share;
  burst_ = 0;
}

std::map<std::string, std::size_t> FaultMaker::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void FaultMaker::spoil(const ScriptedRequest& request, Reply& reply, ScriptedContent& content, ScriptedAuth& auth) {
  const std::lock_guard lock(mutex_);
  if (burst_ > 0) {
    --burst_;
    reply = Reply::error(503, "UNAVAILABLE", "still busy");
    ++counts_["burst"];
    return;
  }
  if (std::uniform_real_distribution<>(0, 1)(random_) >= share_) return;
  std::string name;
  switch (below(4)) {
    case 0:
      name = spoil_answer(reply);
      break;
    case 1:
      name = spoil_range(request, reply, content);
      break;
    case 2:
      if (below(4) == 0) {
        auth.expire_tokens();
        name = "tokens expired";
        break;
      }
      [[fallthrough]];
    default:
      name = spoil_stream(reply);
      break;
  }
  // What is asked for by its digest is checked by it; a tag's manifest has nothing that a flipped bit would break.
  const bool checked = request.path().find("sha256") != std::string::npos;
  if (name == "corrupt" && checked && !reply.body.empty()) reply.body[below(reply.body.size())] ^= 1;
  ++counts_[name == "corrupt" && !checked ? "delay" : name];
}

std::string FaultMaker::spoil_stream(Reply& reply) {
  const std::size_t somewhere = below(reply.body.size() + 300);
  switch (below(8)) {
    case 0:
      reply.delay = std::chrono::milliseconds(200);
      return "delay";
    case 1:
    case 2:
      reply.reset_after = somewhere;
      return "reset";
    case 3:
    case 4:
      reply.truncate_after = somewhere;
      return "truncation";
    case 5:
      reply.stall_after = somewhere;
      return "stall";
    case 6:
      return "corrupt";
    default:
      reply.close = true;
      return "close";
  }
}

std::string FaultMaker::spoil_answer(Reply& reply) {
  switch (below(6)) {
    case 0:
      reply = Reply::error(503, "UNAVAILABLE", "try later");
      burst_ = 1 + below(4);
      return "burst";
    case 1:
      reply = Reply::error(500, "UNKNOWN", "out of luck");
      return "500";
    case 2:
      reply = Reply::error(429, "TOOMANYREQUESTS", "slow down").with("Retry-After", "1");
      return "429";
    case 3:
      reply.instead = "\x15\x03\x01 this is not HTTP\r\n\r\n";
      return "garbage";
    case 4:
      reply.claimed_length = reply.body.size() + 1 + below(1000);
      reply.close = true;
      return "wrong length";
    default:
      reply.chunked = true;
      return "chunked";
  }
}

std::string FaultMaker::spoil_range(const ScriptedRequest& request, Reply& reply, ScriptedContent& content) {
  if (reply.status != 206) return spoil_stream(reply);
  switch (below(4)) {
    case 0: {
      ScriptedRequest whole = request;
      std::erase_if(whole.headers, [](const auto& header) { return header.first == "Range"; });
      // A signed URL's use is spent already, so the blob is asked for by its own path.
      const std::size_t digest = whole.target.find("sha256:");
      whole.target = "/v2/x/blobs/" + whole.target.substr(digest, 71);
      reply = content.answer(whole);
      return "range ignored";
    }
    case 1:
      reply = Reply::of(416, {}, {});
      return "range refused";
    case 2:
      for (auto& [name, value] : reply.headers)
        if (name == "Content-Range") value = "bytes 0-0/" + value.substr(value.find('/') + 1);
      return "wrong range";
    default:
      reply.body.resize(reply.body.size() / 2);
      return "short range";
  }
}

}  // namespace hawser::test
