#include "bench/phases.hpp"

#include <algorithm>
#include <set>
#include <string>

namespace hawser {
namespace {

std::optional<double> between(const std::optional<TrafficTime>& from, const std::optional<TrafficTime>& to) {
  if (!from || !to) return std::nullopt;
  return std::chrono::duration<double>(*to - *from).count();
}

bool brings_blob(const ExchangeRecord& exchange) {
  return (exchange.purpose == Purpose::layer || exchange.purpose == Purpose::config) &&
         (exchange.status == 200 || exchange.status == 206);
}

/// From question to answer, of the first exchange for which `is_it` holds.
template <class Predicate>
std::optional<double> first_took(const TrafficRecord& traffic, Predicate is_it) {
  const auto found = std::ranges::find_if(traffic.exchanges(), is_it);
  if (found == traffic.exchanges().end()) return std::nullopt;
  return between(found->began, found->ended);
}

/// From the first question for a layer to the last byte of one.
std::optional<double> layers_took(const TrafficRecord& traffic) {
  std::optional<TrafficTime> begin, end;
  for (const ExchangeRecord& exchange : traffic.exchanges()) {
    if (exchange.purpose != Purpose::layer) continue;
    if (!begin || exchange.began < *begin) begin = exchange.began;
    if (brings_blob(exchange) && exchange.ended && (!end || *exchange.ended > *end)) end = exchange.ended;
  }
  return between(begin, end);
}

}  // namespace

void add_traffic(BenchSample& sample, const TrafficRecord& traffic) {
  BenchPhases& phases = sample.phases;
  // The first that was made is to the registry: a bench has no notes of where else to go.
  const auto opened = std::ranges::find_if(
      traffic.connections(), [](const ConnectionRecord& each) { return each.connected && each.error.empty(); });
  if (opened != traffic.connections().end()) {
    phases.resolve = between(opened->began, opened->resolved);
    phases.connect = between(opened->resolved, opened->connected);
    phases.tls = between(opened->connected, opened->secured);
  }
  phases.token = first_took(traffic, [](const auto& each) { return each.purpose == Purpose::token; });
  phases.manifest =
      first_took(traffic, [](const auto& each) { return each.purpose == Purpose::manifest && each.status == 200; });
  phases.redirect = first_took(traffic, [](const auto& each) {
    return each.purpose == Purpose::layer && each.status >= 300 && each.status < 400;
  });
  phases.layers = layers_took(traffic);
  std::set<std::string> storage;
  std::uint64_t received = 0;
  for (const ExchangeRecord& exchange : traffic.exchanges()) {
    if (!brings_blob(exchange)) continue;
    received += exchange.received;
    if (exchange.purpose == Purpose::layer && exchange.connection != 0 && exchange.received > 0)
      storage.insert(traffic.connections()[exchange.connection - 1].address);
  }
  sample.storage.assign(storage.begin(), storage.end());
  if (traffic.left_out() == 0) sample.wasted = received - std::min(received, sample.bytes);
}

LinkFigures link_figures(const TrafficRecord& traffic) {
  LinkFigures figures;
  std::uint64_t most = 0;
  for (const ConnectionRecord& connection : traffic.connections()) {
    const std::uint64_t segments = connection.segments.value_or(0);
    figures.segments += segments;
    figures.out_of_order += connection.out_of_order.value_or(0);
    if (segments <= most || !connection.round_trip) continue;
    most = segments;
    figures.round_trip = connection.round_trip;
  }
  return figures;
}

}  // namespace hawser
