#include "cli/options.hpp"

#include "support/failure.hpp"

#include <hawser/util/error.hpp>

#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

TEST(OptionTable, CommandsStandInTheirOrder) {
  for (const CommandInfo& command : command_table())
    EXPECT_EQ(&command_table()[static_cast<std::size_t>(command.command)], &command);
}

TEST(OptionTable, NamesAndLettersAreUnique) {
  std::set<std::string_view> names;
  std::set<char> letters;
  for (const OptionInfo& option : option_table()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    if (option.letter != 0) {
      EXPECT_TRUE(letters.insert(option.letter).second) << option.letter;
    }
    EXPECT_NE(option.commands, 0U) << option.name;
    EXPECT_FALSE(option.help.empty() || option.help.ends_with('.')) << option.name;
  }
}

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Arguments = std::vector<std::string>;

Command parse(const Arguments& arguments) {
  return parse_command_line(arguments);
}

/// The error that parsing ends in: its message and hint in one text.
std::string refusal(const Arguments& arguments) {
  try {
    parse_command_line(arguments);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::usage) << error.what();
    return std::string(error.what()) + " | " + error.hint();
  }
  ADD_FAILURE() << "accepted: " << testing::PrintToString(arguments);
  return {};
}

TEST(Options, PullIsTheDefaultCommand) {
  EXPECT_THAT(parse({"nginx"}).words, ElementsAre("nginx"));
  EXPECT_THAT(parse({"pull", "nginx", "redis:7"}).words, ElementsAre("nginx", "redis:7"));
  EXPECT_THAT(parse({"pull", "tags"}).words, ElementsAre("tags"));
  EXPECT_THAT(parse({"--quiet", "pull", "nginx"}).words, ElementsAre("nginx"));
  EXPECT_THAT(parse({"-o", "inspect", "nginx"}).words, ElementsAre("nginx"));
}

TEST(Options, PartsAreOfArchivesInFiles) {
  EXPECT_EQ(parse({"nginx"}).split, 0U);
  EXPECT_EQ(parse({"--split", "4G", "nginx"}).split, std::uint64_t{4} << 30);
  EXPECT_EQ(parse({"--split", "64K", "--format", "oci-archive", "-o", "out/", "nginx"}).split, 65536U);
  EXPECT_THAT(refusal({"--split", "1K", "nginx"}), HasSubstr("64K"));
  EXPECT_THAT(refusal({"--split", "0", "nginx"}), HasSubstr("64K"));
  EXPECT_THAT(refusal({"--split", "4G", "--format", "oci-dir", "nginx"}), HasSubstr("oci-archive"));
  EXPECT_THAT(refusal({"--split", "4G", "-o", "-", "nginx"}), HasSubstr("standard output"));
}

TEST(Options, JoinTakesPartsAndSaysWhatItDoesNotDo) {
  const Command join = parse({"join", "--check", "a.tar.001", "a.tar.parts"});
  EXPECT_EQ(join.name, CommandName::join);
  EXPECT_TRUE(join.check);
  EXPECT_THAT(join.words, ElementsAre("a.tar.001", "a.tar.parts"));
  EXPECT_EQ(parse({"join", "-o", "x.tar", "a.tar.parts"}).output, "x.tar");
  EXPECT_THAT(refusal({"join"}), HasSubstr("parts"));
  EXPECT_THAT(refusal({"join", ""}), HasSubstr("empty"));
  EXPECT_THAT(refusal({"join", "-o", "-", "a.tar.parts"}), HasSubstr("cat"));
  EXPECT_THAT(refusal({"join", "--check", "-o", "x.tar", "a.tar.parts"}), HasSubstr("exclude each other"));
  EXPECT_THAT(refusal({"--check", "nginx"}), HasSubstr("no option of hawser pull"));
}

TEST(Options, PullDefaults) {
  const auto pull = parse({"nginx"});
  EXPECT_FALSE(pull.platform);
  EXPECT_FALSE(pull.output);
  EXPECT_EQ(pull.format, OutputFormat::docker_archive);
  EXPECT_FALSE(pull.max_downloads);
  EXPECT_FALSE(pull.access.max_connections);
  EXPECT_FALSE(pull.chunk_size);
  EXPECT_FALSE(pull.limit_rate);
  EXPECT_EQ(pull.cache_directory, "./docker_images_cache");
  EXPECT_TRUE(pull.use_cache);
  EXPECT_FALSE(pull.verify_cache || pull.uncompressed || pull.dry_run || pull.all_platforms);
  EXPECT_FALSE(pull.username || pull.password || !pull.access.tls.verify || pull.access.plain_http);
  EXPECT_EQ(pull.access.retries, 10U);
  EXPECT_EQ(pull.access.stall_timeout, 15s);
  EXPECT_EQ(pull.access.connect_timeout, 10s);
  EXPECT_EQ(pull.access.max_wait, 2min);
}

TEST(Options, EveryOptionOfPullArrives) {
  const auto pull = parse({"--platform",
                           "linux/arm/v7",
                           "--max-concurrent-downloads=5",
                           "--max-connections",
                           "16",
                           "--chunk-size",
                           "4M",
                           "--limit-rate",
                           "500K",
                           "--username",
                           "me",
                           "--password",
                           "hush",
                           "--cache-dir",
                           "/c",
                           "--verify-cache",
                           "-o",
                           "x.tar",
                           "--uncompressed",
                           "--allow-foreign-layers",
                           "--plain-http",
                           "--insecure",
                           "--retries",
                           "3",
                           "--stall-timeout",
                           "500ms",
                           "--connect-timeout",
                           "2m",
                           "--max-wait",
                           "6h",
                           "--from-file",
                           "a",
                           "--from-file",
                           "-",
                           "--json",
                           "-q",
                           "--import-tar",
                           "old.tar",
                           "nginx"});
  ASSERT_TRUE(pull.platform);
  EXPECT_EQ(pull.platform->to_string(), "linux/arm/v7");
  EXPECT_EQ(pull.max_downloads, 5U);
  EXPECT_EQ(pull.access.max_connections, 16U);
  EXPECT_EQ(pull.chunk_size, 4U << 20);
  EXPECT_EQ(pull.limit_rate, 500U << 10);
  EXPECT_EQ(pull.username, "me");
  EXPECT_EQ(pull.password, "hush");
  EXPECT_EQ(pull.cache_directory, "/c");
  EXPECT_TRUE(pull.verify_cache && pull.uncompressed && pull.allow_foreign_layers);
  EXPECT_TRUE(pull.access.plain_http && !pull.access.tls.verify);
  EXPECT_EQ(pull.output, "x.tar");
  EXPECT_EQ(pull.access.retries, 3U);
  EXPECT_EQ(pull.access.stall_timeout, 500ms);
  EXPECT_EQ(pull.access.connect_timeout, 2min);
  EXPECT_EQ(pull.access.max_wait, 6h);
  EXPECT_THAT(pull.lists, ElementsAre("a", "-"));
  EXPECT_THAT(pull.import_tars, ElementsAre("old.tar"));
  EXPECT_TRUE(pull.json && pull.quiet);
  EXPECT_THAT(pull.words, ElementsAre("nginx"));
}

TEST(Options, SpellingsOfOneOption) {
  EXPECT_EQ(parse({"--output=-", "nginx"}).output, "-");
  EXPECT_EQ(parse({"--output", "-", "nginx"}).output, "-");
  EXPECT_EQ(parse({"-o-", "nginx"}).output, "-");
  EXPECT_EQ(parse({"nginx", "-o", "-"}).output, "-");
  EXPECT_EQ(parse({"-qo", "x", "nginx"}).output, "x");
  EXPECT_TRUE(parse({"-qofile", "nginx"}).quiet);
  EXPECT_EQ(parse({"-qofile", "nginx"}).output, "file");
  EXPECT_THAT(parse({"nginx", "--", "--quiet", "-o"}).words, ElementsAre("nginx", "--quiet", "-o"));
  EXPECT_EQ(parse({"--max-connections", "auto", "nginx"}).access.max_connections, std::nullopt);
  EXPECT_EQ(parse({"--format", "oci-dir", "nginx"}).format, OutputFormat::oci_dir);
  EXPECT_EQ(parse({"--ca-cert", "ca.pem", "nginx"}).access.tls.ca_files, std::vector<std::string>{"ca.pem"});
  EXPECT_FALSE(parse({"--no-cache", "nginx"}).use_cache);
}

TEST(Options, CertificatesAndAddresses) {
  const auto pull = parse({"--cert-dir", "certs", "--client-cert", "me.pem", "--client-key", "me.key", "--tls-min",
                           "1.3", "-6", "--interface", "eth0", "--resolve", "a.example:443:192.0.2.1", "--resolve",
                           "*:5000:[2001:db8::1]", "nginx"});
  EXPECT_EQ(pull.certificate_directory, "certs");
  EXPECT_EQ(pull.client_certificate, "me.pem");
  EXPECT_EQ(pull.client_key, "me.key");
  EXPECT_EQ(pull.access.tls.least_version, TlsVersion::tls_1_3);
  EXPECT_EQ(pull.access.network.family, NetworkSettings::Family::ipv6);
  EXPECT_EQ(parse({"-4", "nginx"}).access.network.family, NetworkSettings::Family::ipv4);
  EXPECT_EQ(pull.access.network.interface, "eth0");
  EXPECT_THAT(pull.access.network.addresses,
              ElementsAre(HostAddresses{"a.example", 443, {"192.0.2.1"}}, HostAddresses{"*", 5000, {"2001:db8::1"}}));
}

TEST(Options, WhatABenchCompares) {
  const Command bench =
      parse_command_line({"bench", "--connections", "1,8,auto", "--layers=3", "--chunk-size", "auto,4M", "--runs", "7",
                          "--max-bytes", "2G", "--max-time", "90s", "--save", "nginx"});
  EXPECT_EQ(bench.name, CommandName::bench);
  EXPECT_THAT(bench.bench.connections, ElementsAre(1U, 8U, std::nullopt));
  EXPECT_THAT(bench.bench.layers, ElementsAre(3U));
  EXPECT_THAT(bench.bench.chunks, ElementsAre(std::nullopt, 4U << 20));
  EXPECT_EQ(bench.bench.runs, 7U);
  EXPECT_EQ(bench.bench.max_bytes, std::uint64_t{2} << 30);
  EXPECT_EQ(bench.bench.max_time, 90s);
  EXPECT_TRUE(bench.save);
  EXPECT_FALSE(bench.chunk_size);
  for (const char* list : {"", ",", "1,", "0", "129", "1,x"})
    EXPECT_EQ(test::code_of([&] {
                parse_command_line({"bench", "--connections", list, "nginx"});
              }),
              Errc::usage)
        << list;
  EXPECT_EQ(parse({"bench", "--html", "page.html", "--json", "nginx"}).html, "page.html");
  EXPECT_THAT(refusal({"bench", "--html", "-", "nginx"}), HasSubstr("takes a file"));
  EXPECT_EQ(test::code_of([] { parse_command_line({"bench"}); }), Errc::usage);
  EXPECT_EQ(test::code_of([] { parse_command_line({"pull", "--chunk-size", "1M,2M", "nginx"}); }), Errc::usage);
}

TEST(Options, PartsOfAList) {
  EXPECT_EQ(parse({"nginx"}).shard, (Shard{1, 1}));
  EXPECT_EQ(parse({"--shard", "3/8", "nginx"}).shard, (Shard{3, 8}));
  EXPECT_EQ(parse({"--shard=1000000/1000000", "--from-file", "list"}).shard, (Shard{1'000'000, 1'000'000}));
  for (const char* nonsense : {"0/8", "9/8", "1/0", "0/0", "-1/8", "1", "/", "1/", "/8", "1/8/2", "a/b", " 1/8", "+1/8",
                               "1/1000001", "1/99999999999999999999", "\x1b"})
    EXPECT_THAT(refusal({"--shard", nonsense, "nginx"}),
                testing::AllOf(HasSubstr("is not I/N"), Not(HasSubstr("\x1b"))))
        << nonsense;
  EXPECT_THAT(refusal({"tags", "--shard", "1/2", "nginx"}), HasSubstr("no option of hawser tags"));
}

TEST(Options, OtherCommands) {
  const auto inspect = parse({"inspect", "--config", "--platform", "arm64", "--json", "nginx"});
  EXPECT_EQ(inspect.words.front(), "nginx");
  EXPECT_EQ(inspect.platform.value().to_string(), "linux/arm64");
  EXPECT_TRUE(inspect.config && inspect.json);
  EXPECT_TRUE(parse({"inspect", "--raw", "nginx"}).raw);
  EXPECT_TRUE(parse({"manifest", "--platform", "arm64", "nginx"}).raw);
  EXPECT_EQ(parse({"digest", "--json", "--platform", "arm64", "nginx"}).words.front(), "nginx");
  EXPECT_EQ(parse({"ratelimit"}).words.front(), "docker.io/ratelimitpreview/test");
  EXPECT_EQ(parse({"ratelimit", "--max-wait", "0", "quay.io/a/b"}).words.front(), "quay.io/a/b");
  EXPECT_EQ(parse({"tags", "-u", "me", "--password-stdin", "quay.io/a/b"}).words.front(), "quay.io/a/b");
  EXPECT_EQ(parse({"cache", "ls"}).words.front(), "ls");
  EXPECT_EQ(parse({"cache", "verify", "--cache-dir", "d"}).cache_directory, "d");
  EXPECT_EQ(parse({"cache", "prune"}).prune.age, std::nullopt);
  const PruneLimits limits = parse({"cache", "prune", "--max-size", "20G", "--keep-referenced"}).prune;
  EXPECT_TRUE(limits.max_bytes == 20ULL << 30 && limits.keep_referenced && !limits.age);
  EXPECT_EQ(parse({"cache", "prune", "--older-than", "2d"}).prune.age, 48h);
  EXPECT_EQ(parse({"cache", "prune", "--older-than", "12h"}).prune.age, 12h);
  EXPECT_EQ(parse({"cache", "prune", "--older-than", "90"}).prune.age, 90s);
  EXPECT_EQ(parse({"cache", "prune", "--older-than", "0d"}).prune.age, 0s);
  EXPECT_THAT(parse({"import", "a.tar", "b.tar"}).words, ElementsAre("a.tar", "b.tar"));
  EXPECT_THAT(parse({"--import-tar", "a.tar"}).words, ElementsAre("a.tar"));
  EXPECT_THAT(parse({"login"}).words, IsEmpty());
  const auto login = parse({"login", "-u", "me", "--password-stdin", "--plain-http", "quay.io"});
  EXPECT_EQ(login.name, CommandName::login);
  EXPECT_TRUE(login.username == "me" && login.password_stdin && login.access.plain_http);
  EXPECT_EQ(parse({"logout", "-q", "quay.io"}).name, CommandName::logout);
  EXPECT_THAT(refusal({"login", "quay.io", "gcr.io"}), HasSubstr("one registry"));
  EXPECT_THAT(refusal({"logout", "quay.io", "gcr.io"}), HasSubstr("one registry"));
  EXPECT_THAT(refusal({"login", "--password-stdin", "quay.io"}), HasSubstr("needs --username"));
  EXPECT_THAT(refusal({"logout", "--username", "me"}), HasSubstr("no option of hawser logout"));
}

/// What help is asked on.
Arguments help_on(const Arguments& arguments) {
  const Command command = parse(arguments);
  EXPECT_EQ(command.name, CommandName::help);
  return command.words;
}

TEST(Options, HelpAndVersion) {
  EXPECT_THAT(help_on({}), IsEmpty());
  EXPECT_THAT(help_on({"-h"}), IsEmpty());
  EXPECT_THAT(help_on({"help"}), IsEmpty());
  EXPECT_THAT(help_on({"help", "tags"}), ElementsAre("tags"));
  EXPECT_THAT(help_on({"cache", "--help"}), ElementsAre("cache"));
  EXPECT_EQ(parse({"--version"}).name, CommandName::version);
  EXPECT_EQ(parse({"version"}).name, CommandName::version);
  EXPECT_THAT(refusal({"help", "pull", "x"}), HasSubstr("help takes one command"));
  EXPECT_THAT(refusal({"version", "x"}), HasSubstr("takes no argument"));
}

TEST(Options, UnknownOptionsSuggestTheNearest) {
  EXPECT_THAT(refusal({"--platfrom", "x", "nginx"}), HasSubstr("did you mean --platform?"));
  EXPECT_THAT(refusal({"--pasword-stdin", "nginx"}), HasSubstr("did you mean --password-stdin?"));
  EXPECT_THAT(refusal({"--plat=linux/arm64", "nginx"}), HasSubstr("did you mean --platform?"));
  EXPECT_THAT(refusal({"--retrys", "1", "nginx"}), HasSubstr("did you mean --retries?"));
  EXPECT_THAT(refusal({"--outptu", "x", "nginx"}), HasSubstr("did you mean --output?"));
  EXPECT_THAT(refusal({"--max-conn", "1", "nginx"}), HasSubstr("did you mean --max-connections?"));
  for (const char* word : {"--zzzzzz", "--xyzzy", "--=x"})
    EXPECT_THAT(refusal({word, "nginx"}), Not(HasSubstr("did you mean"))) << word;
  EXPECT_THAT(refusal({"-x", "nginx"}), HasSubstr("unknown option -x"));
  EXPECT_THAT(refusal({"-qx", "nginx"}), HasSubstr("unknown option -x"));
}

TEST(Options, HabitsFromOtherToolsAreAnswered) {
  EXPECT_THAT(refusal({"--arch", "arm64", "nginx"}), HasSubstr("unknown option --arch | --platform"));
  EXPECT_THAT(refusal({"-t", "x", "nginx"}), HasSubstr("unknown option -t | the tag"));
  EXPECT_THAT(refusal({"save", "-o", "x.tar", "nginx"}), HasSubstr("no command save"));
  EXPECT_THAT(refusal({"pull", "nginx", "x.tar"}), HasSubstr("hawser pull -o x.tar nginx"));
  EXPECT_THAT(parse({"pull", "save", "nginx"}).words, ElementsAre("save", "nginx"));
  EXPECT_THAT(parse({"nginx", "redis"}).words, ElementsAre("nginx", "redis"));
  EXPECT_THAT(parse({"import", "x.tar"}).words, ElementsAre("x.tar"));
}

TEST(Options, MissingAndSuperfluousValues) {
  EXPECT_THAT(refusal({"nginx", "--platform"}), HasSubstr("--platform needs a value"));
  EXPECT_THAT(refusal({"nginx", "--platform", "--quiet"}), HasSubstr("--platform needs a value"));
  EXPECT_THAT(refusal({"nginx", "-o"}), HasSubstr("--output needs a value"));
  EXPECT_THAT(refusal({"nginx", "-o", "-q"}), HasSubstr("--output needs a value"));
  EXPECT_THAT(refusal({"--platform=", "nginx"}), HasSubstr("--platform needs a value"));
  EXPECT_THAT(refusal({"--quiet=yes", "nginx"}), HasSubstr("--quiet takes no value"));
  EXPECT_THAT(refusal({"--retries", "1", "--retries", "2", "nginx"}), HasSubstr("more than once"));
  EXPECT_THAT(refusal({"--cache-dir", "", "nginx"}), HasSubstr("--cache-dir"));
  EXPECT_THAT(refusal({""}), HasSubstr("empty"));
}

TEST(Options, NumbersOutOfRange) {
  for (const char* number : {"0", "-1", "129", "3x", "", "99999999999999999999", "Auto"}) {
    EXPECT_THAT(refusal({std::string("--max-connections=") + number, "nginx"}), HasSubstr("--max-connections"));
    EXPECT_THAT(refusal({std::string("--max-concurrent-downloads=") + number, "nginx"}), HasSubstr("downloads"));
  }
  EXPECT_THAT(refusal({"--retries", "1001", "nginx"}), HasSubstr("from 0 to 1000"));
  EXPECT_THAT(refusal({"--chunk-size", "1K", "nginx"}), HasSubstr("--chunk-size"));
  EXPECT_THAT(refusal({"--chunk-size", "2G", "nginx"}), HasSubstr("--chunk-size"));
  EXPECT_THAT(refusal({"--limit-rate", "0", "nginx"}), HasSubstr("--limit-rate"));
  EXPECT_THAT(refusal({"--limit-rate", "fast", "nginx"}), HasSubstr("--limit-rate"));
  EXPECT_THAT(refusal({"--stall-timeout", "0", "nginx"}), HasSubstr("--stall-timeout"));
  EXPECT_THAT(refusal({"--max-wait", "25h", "nginx"}), HasSubstr("--max-wait: 25h is not between 0 and a day"));
  EXPECT_THAT(refusal({"--connect-timeout", "25h", "nginx"}), HasSubstr("--connect-timeout"));
  EXPECT_THAT(refusal({"--platform", "a/b/c/d/e", "nginx"}), HasSubstr("a/b/c/d/e"));
  EXPECT_THAT(refusal({"cache", "prune", "--older-than", "1y"}),
              HasSubstr("--older-than: \"1y\" is not an age, such as 12h or 30d"));
  EXPECT_THAT(refusal({"--format", "zip", "nginx"}), HasSubstr("oci-archive"));
}

TEST(Options, DeltasAndWhatIsThere) {
  EXPECT_THAT(parse({"--without", "a.tar", "--without=b.json", "nginx"}).haves, ElementsAre("a.tar", "b.json"));
  const Command apply = parse({"apply", "one.tar", "two.tar", "--with", "old.tar", "-o", "whole.tar"});
  EXPECT_EQ(apply.name, CommandName::apply);
  EXPECT_THAT(apply.words, ElementsAre("one.tar", "two.tar"));
  EXPECT_THAT(apply.haves, ElementsAre("old.tar"));
}

TEST(Options, CombinationsThatMakeNoSense) {
  const std::vector<std::pair<Arguments, std::string>> cases{
      {{"--all-platforms", "nginx"}, "needs --format"},
      {{"--all-platforms", "--format=oci-dir", "--platform=arm64", "nginx"}, "--platform exclude"},
      {{"--uncompressed", "--format=oci-archive", "nginx"}, "docker-archive only"},
      {{"--fine", "nginx"}, "there is no --without"},
      {{"--fine", "--without=a.tar", "--uncompressed", "nginx"}, "the registry's own bytes"},
      {{"apply", "a.tar", "--fine"}, "no option of hawser apply"},
      {{"--format=oci-dir", "-o", "-", "nginx"}, "standard output"},
      {{"--json", "-o", "-", "nginx"}, "both want standard output"},
      {{"--from-file", "-", "--from-file", "-"}, "more than once"},
      {{"--from-file", "-", "-u", "a", "--password-stdin"}, "both want standard input"},
      {{"--no-cache", "--verify-cache", "nginx"}, "exclude each other"},
      {{"--no-cache", "--import-tar", "x", "nginx"}, "exclude each other"},
      {{"--dry-run", "--import-tar", "x", "nginx"}, "exclude each other"},
      {{"--password", "x", "--password-stdin", "-u", "a", "nginx"}, "exclude each other"},
      {{"--password", "x", "nginx"}, "--password needs --username"},
      {{"--password-stdin", "nginx"}, "--password-stdin needs --username"},
      {{"-u", "a:b", "nginx"}, "colon"},
      {{"--insecure", "--ca-cert", "x", "nginx"}, "exclude each other"},
      {{"--client-key", "x", "nginx"}, "--client-key needs --client-cert"},
      {{"--tls-min", "1.1", "nginx"}, "1.1 is neither 1.2 nor 1.3"},
      {{"-4", "-6", "nginx"}, "exclude each other"},
      {{"--resolve", "a.example", "nginx"}, "--resolve a.example"},
      {{"-q", "-v", "nginx"}, "exclude each other"},
      {{"--quiet"}, "which image?"},
      {{"inspect"}, "one image"},
      {{"inspect", "a", "b"}, "one image"},
      {{"inspect", "--raw", "--json", "a"}, "exclude each other"},
      {{"manifest"}, "manifest takes one image"},
      {{"digest", "a", "b"}, "digest takes one image"},
      {{"digest", ""}, "name is empty"},
      {{"ratelimit", "a", "b"}, "ratelimit takes one image"},
      {{"import", "-"}, "standard input"},
      {{"--import-tar", "-", "nginx"}, "standard input"},
      {{"tags"}, "one repository"},
      {{"tags", "quay.io:443/a/b:1"}, "without a tag"},
      {{"tags", "nginx@sha256:0"}, "without a tag"},
      {{"--chunk-size", "1", "nginx"}, "1 is not between 64K and 1G"},
      {{"--limit-rate", "1", "nginx"}, "1 is not between 1K and 1T"},
      {{"cache"}, "one of ls"},
      {{"cache", "shrink"}, "not shrink"},
      {{"cache", "ls", "--older-than", "1d"}, "for cache prune"},
      {{"cache", "du", "--max-size", "1G"}, "for cache prune"},
      {{"cache", "verify", "--keep-referenced"}, "for cache prune"},
      {{"--latest", "0", "nginx:*"}, "number from 1 to 1000"},
      {{"--output-template", "../{tag}", "nginx"}, "neither a dot nor a dash"},
      {{"--output-template", "a/{tag}", "nginx"}, "files in one directory"},
      {{"--output-template", "{tag}", "-o", "-", "nginx"}, "standard output"},
      {{"--lock", "-", "nginx"}, "take files, not -"},
      {{"--trace-http", "-", "nginx"}, "take files, not -"},
      {{"--timeline", "-", "nginx"}, "ends in .html or .json"},
      {{"--timeline", "pull.har", "nginx"}, "ends in .html or .json"},
      {{"--lock", "a", "--locked", "b", "nginx"}, "exclude each other"},
      {{"--offline", "--no-cache", "nginx"}, "exclude each other"},
      {{"--offline", "--lock", "a", "nginx"}, "exclude each other"},
      {{"import"}, "tars to import"},
      {{"apply"}, "deltas to apply"},
      {{"apply", "-"}, "standard input"},
      {{"apply", "a.tar", "--with", "-"}, "standard input"},
      {{"apply", "a.tar", "--without", "b.tar"}, "no option of hawser apply"},
      {{"apply", "a.tar", "--uncompressed", "--format", "oci-dir"}, "docker-archive only"},
      {{"apply", "a.tar", "-o", "-", "--json"}, "both want standard output"},
      {{"apply", "a.tar", "-o", "-", "--format", "oci-dir"}, "standard output"},
      {{"apply", "a.tar", "-o", "-", "--output-template", "{name}.tar"}, "names files"},
      {{"--with", "a.tar", "nginx"}, "no option of hawser pull"},
  };
  for (const auto& [arguments, words] : cases)
    EXPECT_THAT(refusal(arguments), HasSubstr(words)) << testing::PrintToString(arguments);
}

TEST(Options, OptionsOfAnotherCommandAreRefused) {
  EXPECT_THAT(refusal({"tags", "--platform", "arm64", "nginx"}), HasSubstr("--platform is no option of hawser tags"));
  EXPECT_THAT(refusal({"manifest", "--json", "nginx"}), HasSubstr("no option of hawser manifest"));
  EXPECT_THAT(refusal({"cache", "ls", "--username", "a"}), HasSubstr("no option of hawser cache"));
  EXPECT_THAT(refusal({"--older-than", "1d", "nginx"}), HasSubstr("no option of hawser pull"));
}

TEST(Options, PasswordsAreNeverQuoted) {
  EXPECT_THAT(refusal({"--password=hush", "nginx"}), Not(HasSubstr("hush")));
  EXPECT_THAT(refusal({"--passwort=hush", "nginx"}), Not(HasSubstr("hush")));
  EXPECT_THAT(refusal({"--password-stdin=hush", "-u", "a", "nginx"}), Not(HasSubstr("hush")));
  EXPECT_THAT(refusal({"--creds=me:hush", "nginx"}), Not(HasSubstr("hush")));
  EXPECT_THAT(refusal({"--creds", "me:hush", "nginx"}), Not(HasSubstr("hush")));
  EXPECT_THAT(refusal({"-phush", "nginx"}), Not(HasSubstr("hush")));
  EXPECT_THAT(refusal({"tags", "--password=hush", "-u", "a"}), Not(HasSubstr("hush")));
}

TEST(Options, WhatIsShownOfArgumentsIsPrintable) {
  EXPECT_THAT(refusal({"--\x1b[2J", "nginx"}), Not(HasSubstr("\x1b")));
  EXPECT_THAT(refusal({"--retries=\x1b[2J", "nginx"}), Not(HasSubstr("\x1b")));
}

TEST(Help, NamesEveryCommandAndEveryOptionOfPull) {
  const std::string text = help_text("");
  for (const CommandInfo& command : command_table()) EXPECT_THAT(text, HasSubstr(std::string(command.name)));
  for (const OptionInfo& option : option_table())
    if ((option.commands & command_bit(CommandName::pull)) != 0) {
      EXPECT_THAT(text, HasSubstr("--" + std::string(option.name)));
    }
}

TEST(Help, OfACommandNamesItsOptionsAlone) {
  for (const CommandInfo& command : command_table()) {
    const std::string text = help_text(command.name);
    EXPECT_THAT(text, HasSubstr("Usage: hawser " + std::string(command.name)));
    for (const OptionInfo& option : option_table())
      if ((option.commands & command_bit(command.command)) != 0) {
        EXPECT_THAT(text, HasSubstr("--" + std::string(option.name)));
      }
  }
  EXPECT_THAT(help_text("tags"), Not(HasSubstr("--platform")));
}

TEST(Help, OfNoCommandIsRefused) {
  EXPECT_EQ(test::failure_of([] { help_text("nonsense"); }).text, "there is no help on nonsense");
}

TEST(Help, TheSummaryFollowsTheUsageAfterOneEmptyLine) {
  EXPECT_THAT(help_text("tags"), testing::StartsWith("Usage: hawser tags [options] REPOSITORY\n\nList the tags"));
}

TEST(Help, OfTheCacheSaysWhatItsActionsDo) {
  for (const char* action : {"\n  ls ", "\n  verify ", "\n  prune "})
    EXPECT_THAT(help_text("cache"), HasSubstr(action));
}

TEST(Help, KeepsToTheWidth) {
  std::istringstream lines(help_text("import"));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 100U) << line;
    EXPECT_FALSE(line.ends_with(' ')) << line;
  }
}

TEST(Help, VersionIsOneLine) {
  EXPECT_TRUE(std::regex_match(version_text(), std::regex(R"(hawser \d+\.\d+\.\d+\n)"))) << version_text();
}

}  // namespace
}  // namespace hawser
