#include "util/text.hpp"

#include <hawser/util/error.hpp>

#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace hawser {
namespace {

using namespace std::chrono_literals;

TEST(Counted, NamesOneAndMany) {
  EXPECT_EQ(counted(0, "layer"), "0 layers");
  EXPECT_EQ(counted(1, "layer"), "1 layer");
  EXPECT_EQ(counted(2, "layer"), "2 layers");
}

TEST(Printable, ReplacesWhatCouldSteerATerminal) {
  struct Case {
    std::string in;
    std::string out;
  };
  const std::vector<Case> cases{
      {"", ""},
      {"plain text 1.0", "plain text 1.0"},
      {"\x1b[31mred", "?[31mred"},
      {"a\r\nb\tc", "a??b?c"},
      {std::string("nul\0in", 6), "nul?in"},
      {"del\x7f", "del?"},
      {"\xc2\x9b"
       "31m",
       "?31m"},  // C1 CSI as UTF-8
      {"\x9b"
       "31m",
       "?31m"},                                      // C1 CSI as a raw byte
      {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},  // two-byte letters
      {"\xe2\x82\xac", "\xe2\x82\xac"},
      {"\xf0\x9f\x90\xb3", "\xf0\x9f\x90\xb3"},
      {"\xe2\x80\xae"
       "evil",
       "?evil"},                             // right-to-left override
      {"\xe2\x81\xa6x\xe2\x81\xa9", "?x?"},  // isolates
      {"\xe2\x80\xa8", "?"},                 // line separator
      {"\xc0\xaf", "??"},                    // overlong
      {"\xe0\x80\xaf", "???"},
      {"\xed\xa0\x80", "???"},       // surrogate
      {"\xf4\x90\x80\x80", "????"},  // above U+10FFFF
      {"\xf8\x88\x80\x80\x80", "?????"},
      {"\xe2\x82", "??"},  // cut short
      {"\xe2(a", "?(a"},
  };
  for (const auto& [in, out] : cases) EXPECT_EQ(printable(in), out) << ::testing::PrintToString(in);
}

TEST(Printable, CutsAtTheLimitWithoutSplittingACharacter) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdefg", 6), "abcdef...");
  EXPECT_EQ(printable("ab\xe2\x82\xac", 4), "ab...");
  EXPECT_EQ(printable(std::string(1000, 'x')).size(), 303U);
}

TEST(FormatBytes, UsesDecimalUnits) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.0 kB");
  EXPECT_EQ(format_bytes(49'200'000), "49.2 MB");
  EXPECT_EQ(format_bytes(999'960), "1.0 MB");
  EXPECT_EQ(format_bytes(5'000'000'000), "5.0 GB");
  EXPECT_EQ(format_bytes(UINT64_MAX), "18.4 EB");
}

TEST(FormatDuration, GrowsCoarserWithLength) {
  EXPECT_EQ(format_duration(-5ms), "0.0 s");
  EXPECT_EQ(format_duration(800ms), "0.8 s");
  EXPECT_EQ(format_duration(9949ms), "9.9 s");
  EXPECT_EQ(format_duration(9950ms), "10 s");
  EXPECT_EQ(format_duration(12'000ms), "12 s");
  EXPECT_EQ(format_duration(59'600ms), "1 min 00 s");
  EXPECT_EQ(format_duration(185s), "3 min 05 s");
  EXPECT_EQ(format_duration(130min), "2 h 10 min");
}

TEST(ParseSize, TakesUnitsOf1024) {
  EXPECT_EQ(parse_size("65536", "-c"), 65536U);
  EXPECT_EQ(parse_size("0", "-c"), 0U);
  EXPECT_EQ(parse_size("4M", "-c"), 4U << 20);
  EXPECT_EQ(parse_size("512KiB", "-c"), 512U << 10);
  EXPECT_EQ(parse_size("512kb", "-c"), 512U << 10);
  EXPECT_EQ(parse_size("1.5g", "-c"), 3ULL << 29);
  EXPECT_EQ(parse_size("2T", "-c"), 2ULL << 40);
  EXPECT_EQ(parse_size("18446744073709551615", "-c"), UINT64_MAX);
  EXPECT_EQ(parse_size("9007199254740993", "-c"), 9007199254740993U);
}

TEST(ParseSize, RefusesTheRestNamingTheOption) {
  for (const char* text : {"", " 4M", "M", "-1", "+1", "4X", "4MM", "4 M", "1e9", "inf", "nan", "0x10", ".5M",
                           "18446744073709551616", "17179869184G", "99999999999999999999999T", "1.5.2M"}) {
    try {
      parse_size(text, "--chunk-size");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::usage);
      EXPECT_NE(std::string(error.what()).find("--chunk-size"), std::string::npos) << error.what();
    }
  }
}

TEST(ParseDuration, TakesSecondsByDefault) {
  EXPECT_EQ(parse_duration("15", "-t"), 15s);
  EXPECT_EQ(parse_duration("15s", "-t"), 15s);
  EXPECT_EQ(parse_duration("500ms", "-t"), 500ms);
  EXPECT_EQ(parse_duration("2m", "-t"), 2min);
  EXPECT_EQ(parse_duration("1.5s", "-t"), 1500ms);
  EXPECT_EQ(parse_duration("1h", "-t"), 1h);
  EXPECT_EQ(parse_duration("0", "-t"), 0ms);
}

TEST(ParseDuration, RefusesTheRestNamingTheOption) {
  for (const char* text : {"", "s", "-1s", "15 s", "15x", "1e3", "inf", "99999999999h", "1s1"}) {
    try {
      parse_duration(text, "--stall-timeout");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Errc::usage);
      EXPECT_NE(std::string(error.what()).find("--stall-timeout"), std::string::npos) << error.what();
    }
  }
}

TEST(EditDistance, CountsLettersThatDiffer) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("pull", "pul"), 1U);
  EXPECT_EQ(edit_distance("tags", "tgas"), 2U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(FormatLocalTime, IsToTheMinute) {
  const char* before = std::getenv("TZ");
  const std::optional<std::string> kept = before ? std::optional<std::string>(before) : std::nullopt;
  ::setenv("TZ", "UTC-2", 1);  // POSIX: two hours east
  ::tzset();
  EXPECT_EQ(format_local_time(std::chrono::system_clock::from_time_t(1'700'000'059)), "2023-11-15 00:14");
  if (kept)
    ::setenv("TZ", kept->c_str(), 1);
  else
    ::unsetenv("TZ");
  ::tzset();
}

TEST(PrintableJson, EscapesWhatATerminalObeys) {
  EXPECT_EQ(printable_json("{\"a\":\"\xc2\x9b\x7f\xe2\x80\xae\xc3\xa4\"}"), R"({"a":"\u009b\u007f\u202e)"
                                                                            "\xc3\xa4\"}");
  EXPECT_EQ(printable_json("{\n\t\"a\": \"\x1b]0;\r\xff\"\n}"), "{\n\t\"a\": \"\\u001b]0;\\u000d\\ufffd\"\n}");
  EXPECT_EQ(printable_json(""), "");
}

TEST(Redact, ReplacesEverySecretThatIsLongEnough) {
  const auto redacted = [](std::string text, std::string_view secret) {
    redact(text, secret);
    return text;
  };
  EXPECT_EQ(redacted("a hush99, hush99hush99", "hush99"), "a ***, ******");
  EXPECT_EQ(redacted("abc", "abc"), "abc");
  EXPECT_EQ(redacted("text", ""), "text");
  EXPECT_EQ(redacted("****", "****"), "***");
}

TEST(Redact, FindsWhatIsPercentEncoded) {
  const auto redacted = [](std::string text, std::string_view secret) {
    redact(text, secret);
    return text;
  };
  EXPECT_EQ(redacted("t=a%2Fb%2bc%3D&u=a/b%2Bc=", "a/b+c="), "t=***&u=***");
  EXPECT_EQ(redacted("%61%2fb%2bc%3d", "a/b+c="), "***");
  EXPECT_EQ(redacted("p=my+long%20word", "my long word"), "p=***");
  EXPECT_EQ(redacted("50%off 50%25off", "50%off"), "*** ***");
  EXPECT_EQ(redacted("%2525 %25", "%25%"), "%2525 %25");
  EXPECT_EQ(redacted("a%2Fb%2 a%2Fb%2x", "a/b+c="), "a%2Fb%2 a%2Fb%2x");
}

TEST(Ascii, LowersAndComparesAsciiOnly) {
  EXPECT_EQ(ascii_lower("Content-TYPE\xc3\x84"), "content-type\xc3\x84");
  EXPECT_TRUE(equals_ignoring_case("WWW-Authenticate", "www-authenticate"));
  EXPECT_TRUE(equals_ignoring_case("", ""));
  EXPECT_FALSE(equals_ignoring_case("a", "ab"));
  EXPECT_FALSE(equals_ignoring_case("[", "{"));
}

TEST(ParseWhole, TakesDigitsOnly) {
  EXPECT_EQ(parse_whole<unsigned>("0"), 0U);
  EXPECT_EQ(parse_whole<unsigned>("0070"), 70U);
  EXPECT_EQ(parse_whole<std::uint64_t>("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parse_whole<std::int64_t>("-5"), -5);
  for (const std::string_view text :
       {"", "-", "-5", "+5", " 5", "5 ", "5x", "0x5", "1e3", "5.0", "18446744073709551616"})
    EXPECT_EQ(parse_whole<std::uint64_t>(text), std::nullopt) << text;
  EXPECT_EQ(parse_whole<std::uint64_t>(std::string_view("5\0", 2)), std::nullopt);
}

TEST(ParseWhole, RefusesWhatTheTypeDoesNotHold) {
  EXPECT_EQ(parse_whole<std::uint16_t>("65535"), 65535);
  EXPECT_EQ(parse_whole<std::uint16_t>("65536"), std::nullopt);
  EXPECT_EQ(parse_whole<std::int64_t>("9223372036854775808"), std::nullopt);
}

TEST(Ascii, ClassesKnowAsciiOnly) {
  for (const char c : std::string_view("09")) EXPECT_TRUE(is_ascii_digit(c) && is_ascii_alnum(c)) << c;
  for (const char c : std::string_view("az")) EXPECT_TRUE(is_ascii_lower(c) && is_ascii_alnum(c)) << c;
  for (const char c : std::string_view("AZ")) EXPECT_TRUE(!is_ascii_lower(c) && is_ascii_alnum(c)) << c;
  for (const char c : std::string_view("/:@[`{_ \0\xe9", 10))
    EXPECT_FALSE(is_ascii_digit(c) || is_ascii_lower(c) || is_ascii_alnum(c)) << c;
}

TEST(TakeLine, TakesLinesWithoutTheirEnds) {
  std::string_view text = "a\r\n\nb\r";
  EXPECT_EQ(take_line(text), "a");
  EXPECT_EQ(take_line(text), "");
  EXPECT_EQ(text, "b\r");
  EXPECT_EQ(take_line(text), "b");
  EXPECT_EQ(text, "");
  EXPECT_EQ(take_line(text), "");
}

TEST(Trim, TakesSpacesAndTabsOffBothEnds) {
  EXPECT_EQ(trim(" \ta b\t "), "a b");
  EXPECT_EQ(trim("a"), "a");
  EXPECT_EQ(trim(" \t "), "");
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim("\r\na"), "\r\na");
}

TEST(Base64, EncodesTheVectorsOfRfc4648) {
  EXPECT_EQ(base64_encode(""), "");
  EXPECT_EQ(base64_encode("f"), "Zg==");
  EXPECT_EQ(base64_encode("fo"), "Zm8=");
  EXPECT_EQ(base64_encode("foobar"), "Zm9vYmFy");
}

TEST(Base64, DecodesWithAndWithoutPadding) {
  EXPECT_EQ(base64_decode("Zg=="), "f");
  EXPECT_EQ(base64_decode("Zm8"), "fo");
  EXPECT_EQ(base64_decode("Zm9vYmFy"), "foobar");
  EXPECT_EQ(base64_decode(""), "");
}

TEST(Base64, RefusesWhatIsNotBase64) {
  EXPECT_FALSE(base64_decode("Zm9v!"));
  EXPECT_FALSE(base64_decode("Z"));
  EXPECT_FALSE(base64_decode("Zg==Zg=="));
  EXPECT_FALSE(base64_decode("Zm 9v"));
}

TEST(FormatUtc, HasMilliseconds) {
  using namespace std::chrono_literals;
  const std::chrono::system_clock::time_point epoch;
  EXPECT_EQ(format_utc(epoch), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_utc(epoch + 1'795'953'600s + 7ms + 999us), "2026-11-29T12:00:00.007Z");
  EXPECT_EQ(format_utc(epoch - 1ms), "1969-12-31T23:59:59.999Z");
}

TEST(MatchesWildcards, Matches) {
  EXPECT_TRUE(matches_wildcards("1.27.*", "1.27.4"));
  EXPECT_TRUE(matches_wildcards("*", ""));
  EXPECT_TRUE(matches_wildcards("*-alpine", "1-alpine-alpine"));
  EXPECT_TRUE(matches_wildcards("1.?", "1.2"));
  EXPECT_TRUE(matches_wildcards("a*b*c", "axxbyybzc"));
  EXPECT_FALSE(matches_wildcards("1.27.*", "1.27"));
  EXPECT_FALSE(matches_wildcards("1.?", "1.22"));
  EXPECT_FALSE(matches_wildcards("1.27.*", "21.27.4"));
  EXPECT_FALSE(matches_wildcards("a*b*c", "axxbyybz"));
  // Takes no exponential time.
  EXPECT_FALSE(matches_wildcards("*a*a*a*a*a*a*a*a*a*a*b", std::string(10'000, 'a')));
}

TEST(ParseUtc, TakesWhatFitsAsAWhole) {
  const auto parse = [](const std::string& text) { return parse_utc(text, "%Y%m%dT%H%M%SZ"); };
  using namespace std::chrono;
  EXPECT_EQ(parse("20240229T010203Z"), sys_days(year(2024) / 2 / 29) + hours(1) + minutes(2) + seconds(3));
  for (const char* const wrong : {"", "20230229T010203Z", "20240229T010203", "20240229T010203Zx", "20241301T000000Z"})
    EXPECT_EQ(parse(wrong), std::nullopt) << wrong;
}

}  // namespace
}  // namespace hawser
