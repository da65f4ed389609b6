// What the link emulator is told on its command line.
#pragma once

#include "link_model.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace hawser::bench {

struct EmulatorOptions {
  std::string client_namespace;
  std::string server_namespace;
  std::string device = "link0";  ///< Name of the device in both namespaces.
  LinkSettings to_client;        ///< The way down.
  LinkSettings to_server;        ///< The way up.
};

/// Parses a rate in bits per second: a number with an optional k, m or g (powers
/// of 1000). "0" means without limit. Nothing where it is no rate.
std::optional<double> parse_rate(std::string_view text);

/// Parses the command line. Throws std::invalid_argument with what is wrong.
EmulatorOptions parse_options(int argc, const char* const* argv);

/// The text that `--help` and a wrong command line get.
std::string_view usage();

}  // namespace hawser::bench
