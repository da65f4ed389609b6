// Takes down what goes over the network, where somebody wants to know; else it costs nothing.
#pragma once

#include "net/http_client.hpp"
#include "net/origin.hpp"

#include <hawser/net/traffic.hpp>

#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/ip/tcp.hpp>

namespace hawser {

/// A connection's place in a record, which it keeps alive; null: nobody wants to know.
using ConnectionTrace = std::shared_ptr<ConnectionRecord>;

/// `proxy`: as ConnectionRecord has it.
ConnectionTrace begin_connection(const std::shared_ptr<TrafficRecord>& record, const Origin& origin, std::string proxy);
/// The TCP connection is there.
void note_connected(const ConnectionTrace& trace, const asio::ip::tcp::socket& socket);
/// The connection is about to be closed.
void note_end(const ConnectionTrace& trace, asio::ip::tcp::socket& socket);
/// It could not be opened.
void note_failure(const ConnectionTrace& trace, std::string_view error);

/// An exchange's place in a record. Where end() was not called before the object goes, the answer was given up.
class ExchangeTrace {
 public:
  ExchangeTrace() = default;
  ExchangeTrace(const std::shared_ptr<TrafficRecord>& record, const HttpRequest& request, TrafficTime began);
  ExchangeTrace(ExchangeTrace&& other) noexcept;
  ExchangeTrace& operator=(ExchangeTrace&& other) noexcept;
  ~ExchangeTrace() { give_up(); }

  /// `text`, the request's head and body, is about to be written.
  void ask(const ConnectionTrace& connection, std::string_view text, bool ahead);
  void sent();
  /// Something of the answer came.
  void answer();
  void head(const HttpHead& head);
  void receive(std::size_t bytes);
  /// Nothing more comes; `error`: why not, empty where that was all.
  void end(std::string_view error);

 private:
  void give_up() noexcept;

  std::shared_ptr<TrafficRecord> record_;  // null: nobody wants to know
  ExchangeRecord* entry_ = nullptr;        // null: there are too many
};

}  // namespace hawser
