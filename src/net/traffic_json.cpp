// The documents that are written of a TrafficRecord.
#include "util/text.hpp"

#include <hawser/net/traffic.hpp>
#include <hawser/version.hpp>

#include <algorithm>
#include <cmath>
#include <map>

#include <boost/json/array.hpp>

namespace hawser {
namespace json = boost::json;
namespace {

/// To the microsecond: what is beyond it is noise, and the document longer.
double rounded(double seconds) {
  return std::round(seconds * 1e6) / 1e6;
}

std::vector<const ExchangeRecord*> by_time(const TrafficRecord& record) {
  std::vector<const ExchangeRecord*> sorted;
  for (const ExchangeRecord& exchange : record.exchanges()) sorted.push_back(&exchange);
  std::ranges::stable_sort(sorted, std::ranges::less{}, &ExchangeRecord::began);
  return sorted;
}

/// Makes members of what is there.
struct Members {
  const TrafficRecord& record;
  json::object object = {};

  void add(std::string_view name, const std::string& text) {
    if (!text.empty()) object[name] = text;
  }
  void add(std::string_view name, const std::optional<TrafficTime>& time) {
    if (time) object[name] = rounded(record.seconds(*time));
  }
  template <class Number>
  void add(std::string_view name, const std::optional<Number>& number) {
    if (number) object[name] = *number;
  }
};

json::object to_json(const TrafficRecord& record, const ConnectionRecord& connection) {
  Members to{record};
  to.object["id"] = connection.id;
  to.add("origin", connection.origin);
  to.add("address", connection.address);
  to.add("proxy", connection.proxy);
  to.add("began", std::optional(connection.began));
  to.add("resolved", connection.resolved);
  to.add("connected", connection.connected);
  to.add("secured", connection.secured);
  to.add("ended", connection.ended);
  to.add("error", connection.error);
  to.add("segments", connection.segments);
  to.add("out_of_order", connection.out_of_order);
  to.add("round_trip", connection.round_trip);
  return to.object;
}

json::object to_json(const TrafficRecord& record, const ExchangeRecord& exchange) {
  Members to{record};
  if (exchange.connection != 0) to.object["connection"] = exchange.connection;
  to.add("method", exchange.method);
  to.add("url", exchange.url);
  to.add("purpose", std::string(purpose_name(exchange.purpose)));
  if (exchange.range) to.object["range"] = json::array{exchange.range->first, exchange.range->second};
  if (exchange.status != 0) to.object["status"] = exchange.status;
  to.add("began", std::optional(exchange.began));
  to.add("sent", exchange.sent);
  to.add("first_byte", exchange.first_byte);
  to.add("ended", exchange.ended);
  to.object["received"] = exchange.received;
  if (exchange.ahead) to.object["ahead"] = true;
  to.add("error", exchange.error);
  return to.object;
}

}  // namespace

json::object to_json(const TrafficRecord& record) {
  json::array connections, exchanges, arrivals;
  for (const ConnectionRecord& connection : record.connections()) connections.emplace_back(to_json(record, connection));
  for (const ExchangeRecord* exchange : by_time(record)) exchanges.emplace_back(to_json(record, *exchange));
  for (const auto& [time, bytes] : record.arrivals()) arrivals.emplace_back(json::array{rounded(time), bytes});
  json::object document{{"began", format_utc(record.began())},
                        {"connections", std::move(connections)},
                        {"exchanges", std::move(exchanges)},
                        {"arrivals", std::move(arrivals)}};
  if (record.left_out() > 0) document["left_out"] = record.left_out();
  return document;
}

namespace {

/// From `begin` to `end` in milliseconds; 0 where that is backwards.
double milliseconds(TrafficTime begin, TrafficTime end) {
  return std::max(0.0, std::round(std::chrono::duration<double, std::micro>(end - begin).count())) / 1000;
}

/// A connection may have been opened ahead: what of a step the exchange had to wait for. Nothing where the step was
/// over before.
double waited(const ExchangeRecord& exchange, TrafficTime begin, TrafficTime end) {
  return end <= exchange.began ? -1 : milliseconds(std::max(begin, exchange.began), end);
}

/// Where the time of `exchange` went, milliseconds; -1: it knew no such step. `opened`: its connection, where it is the
/// first on it.
json::object timings(const ExchangeRecord& exchange, const ConnectionRecord* opened) {
  const TrafficTime end = exchange.ended.value_or(exchange.began);
  const TrafficTime asked = exchange.asked.value_or(end);
  const TrafficTime sent = exchange.sent.value_or(end);
  const TrafficTime first_byte = exchange.first_byte.value_or(end);
  double dns = -1, connect = -1, ssl = -1;
  if (opened && opened->resolved && opened->connected) {
    dns = waited(exchange, opened->began, *opened->resolved);
    connect = waited(exchange, *opened->resolved, opened->secured.value_or(*opened->connected));
    if (opened->secured) ssl = waited(exchange, *opened->connected, *opened->secured);
  }
  const double queued = milliseconds(exchange.began, asked) - std::max(dns, 0.0) - std::max(connect, 0.0);
  return {{"blocked", std::max(0.0, std::round(queued * 1000) / 1000)},
          {"dns", dns},
          {"connect", connect},
          {"ssl", ssl},
          {"send", milliseconds(asked, sent)},
          {"wait", milliseconds(sent, first_byte)},
          {"receive", milliseconds(first_byte, end)}};
}

/// The sum of all timings but `ssl`, which `connect` has in it.
double total(const json::object& timings) {
  double sum = 0;
  for (const auto& [name, value] : timings)
    if (name != "ssl") sum += std::max(0.0, value.get_double());
  return sum;
}

using NamedTexts = std::vector<std::pair<std::string, std::string>>;

json::array har_headers(const NamedTexts& headers) {
  json::array list;
  for (const auto& [name, value] : headers) list.emplace_back(json::object{{"name", name}, {"value", value}});
  return list;
}

std::string value_of(const NamedTexts& headers, std::string_view name) {
  for (const auto& [each, value] : headers)
    if (equals_ignoring_case(each, name)) return value;
  return {};
}

json::object har_entry(const TrafficRecord& record, const ExchangeRecord& exchange, const ConnectionRecord* connection,
                       bool is_first) {
  const auto began = record.began() + std::chrono::duration_cast<std::chrono::system_clock::duration>(
                                          std::chrono::duration<double>(record.seconds(exchange.began)));
  json::object spent = timings(exchange, is_first ? connection : nullptr);
  const std::string type = value_of(exchange.response_headers, "Content-Type");
  json::object entry{
      {"startedDateTime", format_utc(began)},
      {"time", total(spent)},
      {"request", json::object{{"method", exchange.method},
                               {"url", exchange.url},
                               {"httpVersion", "HTTP/1.1"},
                               {"cookies", json::array()},
                               {"headers", har_headers(exchange.request_headers)},
                               {"queryString", json::array()},
                               {"headersSize", exchange.request_head_size},
                               {"bodySize", exchange.request_body_size}}},
      {"response", json::object{{"status", exchange.status},
                                {"statusText", ""},
                                {"httpVersion", "HTTP/1.1"},
                                {"cookies", json::array()},
                                {"headers", har_headers(exchange.response_headers)},
                                {"content", json::object{{"size", exchange.received},
                                                         {"mimeType", type.empty() ? "x-unknown" : type}}},
                                {"redirectURL", value_of(exchange.response_headers, "Location")},
                                {"headersSize", -1},
                                {"bodySize", exchange.received}}},
      {"cache", json::object()},
      {"timings", std::move(spent)}};
  if (connection) {
    entry["connection"] = std::to_string(connection->id);
    const std::string& address = connection->address;
    std::string host = address.substr(0, address.rfind(':'));
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    if (connection->proxy.empty() && !host.empty()) entry["serverIPAddress"] = host;
  }
  if (!exchange.error.empty()) entry["_error"] = exchange.error;
  return entry;
}

}  // namespace

json::object to_har(const TrafficRecord& record) {
  std::map<std::size_t, const ExchangeRecord*> first_of;  // by connection
  for (const ExchangeRecord& exchange : record.exchanges()) {
    const ExchangeRecord*& first = first_of[exchange.connection];
    if (exchange.asked && (!first || *exchange.asked < *first->asked)) first = &exchange;
  }
  json::array entries;
  for (const ExchangeRecord* exchange : by_time(record)) {
    const std::size_t id = exchange->connection;
    const ConnectionRecord* const connection = id > 0 ? &record.connections()[id - 1] : nullptr;
    entries.emplace_back(har_entry(record, *exchange, connection, first_of[id] == exchange));
  }
  json::object log{{"version", "1.2"},
                   {"creator", json::object{{"name", "hawser"}, {"version", hawser::version}}},
                   {"entries", std::move(entries)}};
  if (record.left_out() > 0) log["comment"] = counted(record.left_out(), "more exchange") + " left out";
  return {{"log", std::move(log)}};
}

}  // namespace hawser
