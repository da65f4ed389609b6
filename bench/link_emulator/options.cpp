// See options.hpp.
#include "options.hpp"

#include <charconv>
#include <map>
#include <stdexcept>

namespace hawser::bench {
namespace {

constexpr double kFastestRate = 1e12;

using Arguments = std::map<std::string, std::string, std::less<>>;

Arguments read_arguments(int argc, const char* const* argv) {
  Arguments arguments{{"--client", ""}, {"--server", ""}, {"--device", "link0"}, {"--rtt-ms", "0"}, {"--down", "0"},
                      {"--up", "0"},    {"--loss", "0"},  {"--queue", "0"},      {"--seed", "1"}};
  for (int i = 1; i < argc; i += 2) {
    const auto found = arguments.find(argv[i]);
    if (found == arguments.end()) throw std::invalid_argument(std::string("unknown option ") + argv[i]);
    if (i + 1 == argc) throw std::invalid_argument(std::string(argv[i]) + " needs a value");
    found->second = argv[i + 1];
  }
  return arguments;
}

double number(const Arguments& arguments, std::string_view name, double highest) {
  const std::string& text = arguments.find(name)->second;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= 0) || value > highest) {
    throw std::invalid_argument(std::string(name) + ": '" + text + "' is not a number from 0 to " +
                                std::to_string(static_cast<long>(highest)));
  }
  return value;
}

double rate(const Arguments& arguments, std::string_view name) {
  const std::string& text = arguments.find(name)->second;
  const auto value = parse_rate(text);
  if (!value) throw std::invalid_argument(std::string(name) + ": '" + text + "' is not a rate such as 200m");
  return *value;
}

}  // namespace

std::optional<double> parse_rate(std::string_view text) {
  double factor = 1;
  if (!text.empty()) {
    if (text.back() == 'k') factor = 1e3;
    if (text.back() == 'm') factor = 1e6;
    if (text.back() == 'g') factor = 1e9;
    if (factor > 1) text.remove_suffix(1);
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  value *= factor;
  if (!(value >= 0) || value > kFastestRate) return std::nullopt;
  return value;
}

EmulatorOptions parse_options(int argc, const char* const* argv) {
  const Arguments arguments = read_arguments(argc, argv);
  EmulatorOptions options;
  options.client_namespace = arguments.find("--client")->second;
  options.server_namespace = arguments.find("--server")->second;
  options.device = arguments.find("--device")->second;
  if (options.client_namespace.empty() || options.server_namespace.empty()) {
    throw std::invalid_argument("--client and --server must name a network namespace each");
  }
  const std::chrono::duration<double, std::milli> round_trip(number(arguments, "--rtt-ms", 60000));
  const auto queue = static_cast<std::int64_t>(number(arguments, "--queue", 1e12));
  const double loss = number(arguments, "--loss", 1);
  const auto seed = static_cast<std::uint64_t>(number(arguments, "--seed", 1e12));
  const auto whole_trip = std::chrono::duration_cast<LinkTime>(round_trip);
  const auto settings = [&](double bits_per_second, std::uint64_t direction_seed) {
    LinkSettings link;
    link.bits_per_second = bits_per_second;
    link.delay = whole_trip / 2;
    link.queue_bytes = queue > 0 ? queue : default_queue_bytes(bits_per_second, whole_trip);
    link.loss = loss;
    link.seed = direction_seed;
    return link;
  };
  options.to_client = settings(rate(arguments, "--down"), seed);
  options.to_server = settings(rate(arguments, "--up"), seed + 1);
  return options;
}

std::string_view usage() {
  return "usage: link_emulator --client NETNS --server NETNS [--device link0] [--rtt-ms 0]\n"
         "                     [--down RATE] [--up RATE] [--queue BYTES] [--loss SHARE] [--seed N]\n"
         "Joins two network namespaces by a link. RATE is in bit/s (200m, 1g), 0 is without limit;\n"
         "BYTES 0 is one bandwidth-delay product, at least 256 KiB; SHARE of packets lost each way\n"
         "is 0 to 1. Prints 'ready' when both devices exist, runs until SIGTERM or SIGINT, and\n"
         "prints its counters as JSON.\n";
}

}  // namespace hawser::bench
