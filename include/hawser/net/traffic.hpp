// What goes over the network in a call, kept for whoever asks where the time went.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/object.hpp>

namespace hawser {

/// What a request is for.
enum class Purpose : std::uint8_t { other, greeting, token, manifest, config, layer, tags };

using TrafficTime = std::chrono::steady_clock::time_point;

/// A connection, from the look-up of its host's name on. What did not happen is absent.
struct ConnectionRecord {
  std::size_t id = 0;   ///< counted from 1
  std::string origin;   ///< "https://registry-1.docker.io"
  std::string proxy;    ///< "http://proxy:3128", without user info; empty: none
  std::string address;  ///< "192.0.2.1:443", of the proxy where there is one; empty: none took the connection
  TrafficTime began{};
  std::optional<TrafficTime> resolved, connected;
  std::optional<TrafficTime> secured;  ///< TLS is spoken, behind a proxy in its tunnel
  std::optional<TrafficTime> ended;
  std::string error;  ///< why it could not be opened

  /// What the kernel counts (TCP_INFO), once it has ended: segments with data that came, and of these, those that came
  /// before one that precedes them. Where one is lost, that is all that follow it until it was sent again: of the lost
  /// there are fewer.
  std::optional<std::uint64_t> segments, out_of_order;
  std::optional<double> round_trip;  ///< the least, seconds
};

/// A request and its answer.
struct ExchangeRecord {
  std::size_t connection = 0;  ///< its id; 0: none was had
  std::string method;
  std::string url;  ///< without query and user info
  Purpose purpose = Purpose::other;
  std::optional<std::pair<std::uint64_t, std::uint64_t>> range;  ///< asked for: first byte, and the one behind the last
  bool ahead = false;                ///< sent before the answer to the one before it had ended
  int status = 0;                    ///< 0: there was no answer
  TrafficTime began{};               ///< from here on it wanted a connection
  std::optional<TrafficTime> asked;  ///< it had one
  std::optional<TrafficTime> sent, first_byte, ended;
  std::uint64_t received = 0;  ///< bytes of the body
  std::string error;

  /// Where the record keeps headers: names and values, those of secrets as "***".
  std::vector<std::pair<std::string, std::string>> request_headers, response_headers;
  std::size_t request_head_size = 0, request_body_size = 0;  ///< bytes
};

/// Takes down connections and exchanges: given to RegistryAccess, it is filled while the call runs. Holds no secrets,
/// and no more than some megabytes, whatever servers send. Used on the thread of what it is given to.
class TrafficRecord {
 public:
  static constexpr std::size_t max_exchanges = 10'000, max_connections = 10'000, max_arrivals = 1'000;

  /// `keep_headers`: for to_har().
  explicit TrafficRecord(bool keep_headers = false) : keeps_headers_(keep_headers) {}
  TrafficRecord(const TrafficRecord&) = delete;
  TrafficRecord& operator=(const TrafficRecord&) = delete;

  /// The call is over: what is still open ends with it.
  void close();

  const std::deque<ConnectionRecord>& connections() const { return connections_; }
  const std::deque<ExchangeRecord>& exchanges() const { return exchanges_; }
  /// Exchanges that were not kept, since there were too many.
  std::size_t left_out() const { return left_out_; }
  /// Bytes of blobs that had come in all after so many seconds; both grow.
  const std::vector<std::pair<double, std::uint64_t>>& arrivals() const { return arrivals_; }
  std::chrono::system_clock::time_point began() const { return began_; }
  /// Seconds from when it began until `time`.
  double seconds(TrafficTime time) const { return std::chrono::duration<double>(time - steady_began_).count(); }

  /// For whoever records: a new entry, which stays where it is; null where there are too many.
  ConnectionRecord* add_connection(TrafficTime began);
  ExchangeRecord* add_exchange(TrafficTime began);
  void blob_arrived(TrafficTime when, std::uint64_t bytes);
  bool keeps_headers() const { return keeps_headers_; }
  /// From now on `secret` is masked in headers and URLs: it was sent to somebody, who may repeat it.
  void hide(std::string_view secret);
  std::string without_secrets(std::string_view text) const;
  /// Keeps a header, its value as far as it is no secret; false where none of it is kept.
  bool keep_header(std::vector<std::pair<std::string, std::string>>& headers, std::string_view name,
                   std::string_view value);

 private:
  const bool keeps_headers_;
  const std::chrono::system_clock::time_point began_ = std::chrono::system_clock::now();
  const TrafficTime steady_began_ = std::chrono::steady_clock::now();
  std::deque<ConnectionRecord> connections_;
  std::deque<ExchangeRecord> exchanges_;
  std::size_t left_out_ = 0;
  std::size_t header_text_ = 0;  // bytes
  std::vector<std::string> secrets_;
  std::vector<std::pair<double, std::uint64_t>> arrivals_;
  std::uint64_t arrived_ = 0;
  double arrivals_step_ = 0.005;  // seconds, at least, between two of them
};

/// "layer"; empty for `other`.
std::string_view purpose_name(Purpose purpose);

/// The record as the timeline document of docs/formats.md has it: `began`, `connections`, `exchanges`, `arrivals`, and
/// where some are, `left_out`.
boost::json::object to_json(const TrafficRecord& record);

/// The record as an HTTP Archive, which the tools of browsers open
/// (HAR 1.2, http://www.softwareishard.com/blog/har-12-spec/).
boost::json::object to_har(const TrafficRecord& record);

}  // namespace hawser
