#include "options.hpp"

#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

namespace hawser::bench {
namespace {

EmulatorOptions parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "link_emulator");
  return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

TEST(ParseRate, TakesPowersOfAThousand) {
  EXPECT_EQ(parse_rate("200m"), 200e6);
  EXPECT_EQ(parse_rate("1.5g"), 1.5e9);
  EXPECT_EQ(parse_rate("64k"), 64e3);
  EXPECT_EQ(parse_rate("9600"), 9600.0);
  EXPECT_EQ(parse_rate("0"), 0.0);
}

TEST(ParseRate, RefusesWhatIsNoRate) {
  for (const char* text : {"", "m", "-1", "10x", "1mm", "nan", "2000000000000", "9999g"}) {
    EXPECT_FALSE(parse_rate(text)) << text;
  }
}

TEST(ParseOptions, SplitsTheRoundTripAndDefaultsTheQueueEachWay) {
  const auto options = parse({"--client", "a", "--server", "b", "--rtt-ms", "100", "--down", "200m", "--up", "50m"});
  EXPECT_EQ(options.client_namespace, "a");
  EXPECT_EQ(options.server_namespace, "b");
  EXPECT_EQ(options.to_client.delay, std::chrono::milliseconds(50));
  EXPECT_EQ(options.to_client.bits_per_second, 200e6);
  EXPECT_EQ(options.to_client.queue_bytes, 2500000);
  EXPECT_EQ(options.to_server.queue_bytes, 625000);
  EXPECT_NE(options.to_client.seed, options.to_server.seed);
}

TEST(ParseOptions, RefusesWhatIsWrong) {
  EXPECT_THROW(parse({"--client", "a"}), std::invalid_argument);
  EXPECT_THROW(parse({"--client", "a", "--server", "b", "--loss", "2"}), std::invalid_argument);
  EXPECT_THROW(parse({"--client", "a", "--server", "b", "--down", "fast"}), std::invalid_argument);
  EXPECT_THROW(parse({"--client", "a", "--server", "b", "--rtt-ms", "1s"}), std::invalid_argument);
  EXPECT_THROW(parse({"--client", "a", "--server"}), std::invalid_argument);
  EXPECT_THROW(parse({"--colour", "red"}), std::invalid_argument);
}

}  // namespace
}  // namespace hawser::bench
