// The record of what goes over the network: what it keeps, what it must not keep, and the documents made of it.
#include "registry/registry_fixture.hpp"
#include "support/scripted_proxy.hpp"

#include <hawser/net/traffic.hpp>

#include <boost/json.hpp>

namespace hawser::test {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::SizeIs;

class TrafficTest : public testing::Test {
 protected:
  TrafficTest() {
    registry.on("GET", "/ok").reply_with(Reply::of(200, "hello"));
    options.traffic = std::make_shared<TrafficRecord>(true);
  }

  asio::awaitable<std::string> exchange(HttpClient& http, HttpRequest request) {
    HttpResponse response = co_await http.send(std::move(request));
    std::string body = co_await response.read_all(1'000'000);
    co_return body;
  }
  /// Sends `requests` one after another; the code of what the last one threw.
  Errc send(std::vector<HttpRequest> requests) {
    Errc code{};
    {
      HttpClient http(context.get_executor(), options);
      for (HttpRequest& request : requests)
        code = code_of([&] { run_coroutine(context, exchange(http, std::move(request))); });
    }
    record().close();
    return code;
  }
  Errc send(HttpRequest request) { return send(std::vector{std::move(request)}); }
  Errc get(const std::string& url) { return send(HttpRequest("GET", Url::parse(url))); }

  TrafficRecord& record() { return *options.traffic; }
  const ExchangeRecord& exchange_at(std::size_t i) { return record().exchanges().at(i); }
  /// All that may be written of it.
  std::string written() { return json::serialize(to_json(record())) + json::serialize(to_har(record())); }

  asio::io_context context;
  ScriptedRegistry registry;
  NetOptions options = test_net_options();
};

TEST_F(TrafficTest, ARequestAndItsConnectionAreTakenDown) {
  HttpRequest request("GET", Url::parse(registry.url("/ok?a=b")));
  request.headers.emplace_back("Range", "bytes=0-4");
  request.purpose = Purpose::manifest;
  send(std::move(request));
  ASSERT_THAT(record().connections(), SizeIs(1));
  ASSERT_THAT(record().exchanges(), SizeIs(1));
  const ConnectionRecord& connection = record().connections()[0];
  EXPECT_EQ(connection.origin, registry.origin().to_string());
  EXPECT_EQ(connection.address, registry.host());
  EXPECT_EQ(connection.proxy, "");
  EXPECT_LE(connection.began, connection.resolved);
  EXPECT_LE(connection.resolved, connection.connected);
  EXPECT_FALSE(connection.secured);
  EXPECT_LE(connection.connected, connection.ended);
  EXPECT_EQ(connection.error, "");
  EXPECT_GT(connection.segments, 0U);
  EXPECT_EQ(connection.out_of_order, 0U);
  EXPECT_LT(connection.round_trip, 1);
  const ExchangeRecord& exchange = exchange_at(0);
  EXPECT_EQ(exchange.connection, connection.id);
  EXPECT_EQ(exchange.method, "GET");
  EXPECT_EQ(exchange.url, registry.url("/ok"));
  EXPECT_EQ(exchange.purpose, Purpose::manifest);
  EXPECT_EQ(exchange.range, std::pair(std::uint64_t{0}, std::uint64_t{5}));
  EXPECT_EQ(exchange.status, 200);
  EXPECT_EQ(exchange.received, 5U);
  EXPECT_EQ(exchange.error, "");
  EXPECT_LE(exchange.began, exchange.asked);
  EXPECT_LE(exchange.asked, exchange.sent);
  EXPECT_LE(exchange.sent, exchange.first_byte);
  EXPECT_LE(exchange.first_byte, exchange.ended);
  EXPECT_THAT(record().arrivals(), IsEmpty()) << "it was no blob";
}

TEST_F(TrafficTest, NobodyWhoWantsToKnowCostsNothing) {
  const auto unused = options.traffic;
  options.traffic.reset();
  HttpClient http(context.get_executor(), options);
  HttpRequest request("GET", Url::parse(registry.url("/ok")));
  EXPECT_EQ(run_coroutine(context, exchange(http, std::move(request))), "hello");
  EXPECT_THAT(unused->exchanges(), IsEmpty());
}

TEST_F(TrafficTest, NoSecretIsInIt) {
  Reply reply = Reply::of(401, "{}");
  reply.headers.insert(
      reply.headers.end(),
      {{"Set-Cookie", "session=hushcookie"},
       {"WWW-Authenticate", R"(Bearer realm="https://me:hushpw@auth.example/token?key=hushquery",service="s",x=hushx)"},
       {"WWW-Authenticate", "Negotiate YIIhushhushhush=="},
       {"Location", "https://me:hushpw@cdn.example/blob?X-Amz-Signature=hushsignature&X-Amz-Date=1"},
       {"Link", "</v2/a/tags/list?last=hushlast>; rel=\"next\""},
       {"X-Echo", "Bearer hushbearer"},
       {"Server", "you sent hushbearer"}});
  registry.on("GET", "/secret").reply_with(reply);
  HttpRequest request("GET", Url::parse(registry.url("/secret?X-Amz-Signature=hushsignature")));
  request.headers.emplace_back("Authorization", "Bearer hushbearer");
  request.headers.emplace_back("Cookie", "session=hushcookie");
  request.headers.emplace_back("X-Api-Key", "hushkey");
  HttpRequest form("POST", Url::parse(registry.url("/secret")));
  form.body = "refresh_token=hushbody";
  form.headers.emplace_back("authorization", "Basic aHVzaA==");
  send({std::move(request), std::move(form)});
  EXPECT_THAT(written(), AllOf(Not(HasSubstr("hush")), Not(HasSubstr("aHVzaA"))));
  EXPECT_EQ(exchange_at(0).url, registry.url("/secret"));
  EXPECT_THAT(exchange_at(0).request_headers,
              AllOf(Contains(Pair("Authorization", "***")), Contains(Pair("X-Api-Key", "***")),
                    Contains(Pair("Host", registry.host()))));
  EXPECT_THAT(
      exchange_at(0).response_headers,
      AllOf(Contains(Pair("Set-Cookie", "***")), Contains(Pair("Location", "https://***@cdn.example/blob")),
            Contains(Pair("WWW-Authenticate", R"(Bearer realm="https://***@auth.example/token",service="s",***)")),
            Contains(Pair("WWW-Authenticate", "Negotiate ***")), Contains(Pair("X-Echo", "***")),
            Contains(Pair("Server", "you sent ***"))));
  EXPECT_EQ(exchange_at(1).request_body_size, std::string("refresh_token=hushbody").size());
}

TEST_F(TrafficTest, UserInfoOfAUrlIsNotInIt) {
  get("http://me:hushpw@" + registry.host() + "/ok");
  EXPECT_EQ(exchange_at(0).url, registry.url("/ok"));
  EXPECT_THAT(written(), Not(HasSubstr("hushpw")));
}

TEST_F(TrafficTest, AProxyIsNamedWithoutItsPassword) {
  ScriptedRegistry proxy;
  proxy.on("GET", "http://registry.test/ok").reply_with(Reply::of(200, "by proxy"));
  options.proxies.http_proxy = "http://me:hushpw@" + proxy.host();
  EXPECT_EQ(get("http://registry.test/ok"), Errc{});
  EXPECT_EQ(record().connections().at(0).proxy, "http://" + proxy.host());
  EXPECT_EQ(record().connections().at(0).address, proxy.host());
  EXPECT_THAT(exchange_at(0).request_headers, Contains(Pair("Proxy-Authorization", "***")));
  EXPECT_THAT(written(), AllOf(Not(HasSubstr("hushpw")), Not(HasSubstr("bWU6aHVzaHB3"))));  // base64
  EXPECT_FALSE(to_har(record()).at("log").at("entries").at(0).as_object().contains("serverIPAddress"));
}

TEST_F(TrafficTest, ATunnelsPasswordIsNotInItEither) {
  ProxyScript script;
  script.answer = "HTTP/1.1 407 Authenticate\r\n\r\n";
  ScriptedProxy proxy(script);
  options.proxies.https_proxy = "http://me:hushpw@127.0.0.1:" + std::to_string(proxy.port());
  EXPECT_EQ(get("https://registry.test/ok"), Errc::unauthorized);
  EXPECT_THAT(record().connections().at(0).error, HasSubstr("127.0.0.1"));
  EXPECT_TRUE(record().connections()[0].connected);
  EXPECT_FALSE(record().connections()[0].secured);
  EXPECT_THAT(written(), Not(HasSubstr("hushpw")));
}

TEST_F(TrafficTest, AConnectionThatIsRefusedIsTakenDownWithTheRequestThatWaitedForIt) {
  const std::string url = registry.url("/ok");
  registry.stop();
  EXPECT_EQ(get(url), Errc::connect_refused);
  ASSERT_THAT(record().connections(), SizeIs(1));
  EXPECT_FALSE(record().connections()[0].connected);
  EXPECT_EQ(record().connections()[0].address, "");
  EXPECT_THAT(record().connections()[0].error, HasSubstr("refused"));
  EXPECT_EQ(exchange_at(0).connection, 0U);
  EXPECT_EQ(exchange_at(0).status, 0);
  EXPECT_THAT(exchange_at(0).error, HasSubstr("refused"));
  const json::object exchange = to_json(record()).at("exchanges").at(0).as_object();
  for (const char* absent : {"connection", "status", "sent", "first_byte"}) EXPECT_FALSE(exchange.contains(absent));
}

TEST_F(TrafficTest, AHandshakeThatFailsIsToldByItsConnection) {
  const TestCa ca;
  ScriptedOptions with_tls;
  with_tls.certificate = ca.issue(CertificateKind::self_signed);
  ScriptedRegistry hostile(with_tls);
  EXPECT_EQ(get(hostile.url("/ok")), Errc::tls_certificate);
  EXPECT_TRUE(record().connections().at(0).connected);
  EXPECT_FALSE(record().connections()[0].secured);
  EXPECT_THAT(record().connections()[0].error, HasSubstr("certificate"));
  EXPECT_TRUE(record().connections()[0].ended);
}

TEST_F(TrafficTest, AHandshakeThatSucceedsHasItsTime) {
  const TestCa ca;
  ScriptedOptions with_tls;
  with_tls.certificate = ca.issue(CertificateKind::valid);
  ScriptedRegistry secure(with_tls);
  secure.on("GET", "/ok").reply_with(Reply::of(200, "hello"));
  options.tls.ca_files = {ca.file().string()};
  EXPECT_EQ(get(secure.url("/ok")), Errc{});
  EXPECT_LE(record().connections().at(0).connected, record().connections()[0].secured);
  const json::object timings = to_har(record()).at("log").at("entries").at(0).at("timings").as_object();
  EXPECT_GT(timings.at("ssl").to_number<double>(), 0);
  EXPECT_GE(timings.at("connect").to_number<double>(), timings.at("ssl").to_number<double>());
}

TEST_F(TrafficTest, AnAnswerThatBreaksOffIsTakenDownAsFarAsItCame) {
  registry.on("GET", "/cut").with_fault([](Reply& reply) {
    reply = Reply::of(200, "0123456789");
    reply.truncate_after = 4;
  });
  EXPECT_EQ(get(registry.url("/cut")), Errc::connection_lost);
  EXPECT_EQ(exchange_at(0).received, 4U);
  EXPECT_EQ(exchange_at(0).status, 200);
  EXPECT_THAT(exchange_at(0).error, HasSubstr("before the end"));
  EXPECT_EQ(to_har(record()).at("log").at("entries").at(0).at("_error").as_string(), exchange_at(0).error);
}

TEST_F(TrafficTest, AnAnswerThatNeverComesIsTakenDownAsStalled) {
  options.stall_timeout = 100ms;
  Reply silent = Reply::of(200);
  silent.stall_after = 0;
  registry.on("GET", "/silent").reply_with(silent);
  EXPECT_EQ(get(registry.url("/silent")), Errc::stalled);
  EXPECT_TRUE(exchange_at(0).sent);
  EXPECT_FALSE(exchange_at(0).first_byte);
  EXPECT_THAT(exchange_at(0).error, HasSubstr("sent nothing"));
}

TEST_F(TrafficTest, ABodyThatEndsWithItsConnectionEndsInOrder) {
  Reply reply = Reply::of(200, "all of it");
  reply.without_length = true;
  registry.on("GET", "/unknown").reply_with(reply);
  Reply chunked = Reply::of(200, "in pieces");
  chunked.chunked = true;
  registry.on("GET", "/chunked").reply_with(chunked);
  send({HttpRequest("GET", Url::parse(registry.url("/unknown"))),
        HttpRequest("GET", Url::parse(registry.url("/chunked")))});
  for (const ExchangeRecord& exchange : record().exchanges()) {
    EXPECT_EQ(exchange.error, "");
    EXPECT_EQ(exchange.received, 9U);
  }
}

TEST_F(TrafficTest, WhatIsAskedAheadIsOneExchangeAndWhatNobodyTakesWasGivenUp) {
  registry.on("GET", "/long").reply_with(Reply::of(200, std::string(100'000, 'x')));
  HttpClient http(context.get_executor(), options);
  const auto ask = [&](std::string then) -> asio::awaitable<void> {
    HttpRequest first("GET", Url::parse(registry.url("/long"))), ahead("GET", Url::parse(registry.url("/ok")));
    {
      HttpResponse response = co_await http.send(std::move(first));
      std::vector<std::byte> begin(16 * 1024);
      (void)co_await response.read_some(begin);
      co_await http.send_ahead(std::move(ahead), response);
      (void)co_await response.read_all(1'000'000);
    }
    HttpRequest next("GET", Url::parse(registry.url(then)));
    co_await exchange(http, std::move(next));
  };
  run_coroutine(context, ask("/ok"));
  ASSERT_THAT(record().exchanges(), SizeIs(2));
  EXPECT_FALSE(exchange_at(0).ahead);
  EXPECT_TRUE(exchange_at(1).ahead);
  EXPECT_EQ(exchange_at(1).connection, exchange_at(0).connection);
  EXPECT_LT(exchange_at(1).sent, exchange_at(0).ended);
  EXPECT_EQ(exchange_at(1).status, 200);
  EXPECT_EQ(exchange_at(1).received, 5U);
  EXPECT_TRUE(to_json(record()).at("exchanges").at(1).at("ahead").as_bool());
  run_coroutine(context, ask("/long"));
  ASSERT_THAT(record().exchanges(), SizeIs(5));
  EXPECT_EQ(exchange_at(3).url, registry.url("/ok"));
  EXPECT_THAT(exchange_at(3).error, HasSubstr("given up"));
  EXPECT_TRUE(exchange_at(3).ended);
}

TEST_F(TrafficTest, ARequestThatIsSentAgainOnAnotherConnectionIsAnotherExchange) {
  Reply lost = Reply::of(200);
  lost.reset_after = 0;
  registry.expect("GET", "/lost").reply_with(lost);
  registry.on("GET", "/lost").reply_with(Reply::of(200, "hello"));
  EXPECT_EQ(send({HttpRequest("GET", Url::parse(registry.url("/ok"))),
                  HttpRequest("GET", Url::parse(registry.url("/lost")))}),
            Errc{});
  ASSERT_THAT(record().exchanges(), SizeIs(3));
  EXPECT_THAT(exchange_at(1).error, HasSubstr("connection"));
  EXPECT_EQ(exchange_at(2).error, "");
  EXPECT_NE(exchange_at(1).connection, exchange_at(2).connection);
}

TEST_F(TrafficTest, WhatIsOpenAtTheEndEndsWithTheCall) {
  HttpClient http(context.get_executor(), options);
  HttpRequest request("GET", Url::parse(registry.url("/ok")));
  HttpResponse open = run_coroutine(context, http.send(std::move(request)));
  record().close();
  EXPECT_THAT(exchange_at(0).error, HasSubstr("the call ended"));
  EXPECT_TRUE(exchange_at(0).ended);
  EXPECT_TRUE(record().connections().at(0).ended);
}

TEST_F(TrafficTest, BytesOfBlobsAddUp) {
  for (const Purpose purpose : {Purpose::layer, Purpose::config, Purpose::token}) {
    HttpRequest request("GET", Url::parse(registry.url("/ok")));
    request.purpose = purpose;
    send(std::move(request));
  }
  HttpRequest missing("GET", Url::parse(registry.url("/missing")));
  missing.purpose = Purpose::layer;
  send(std::move(missing));
  EXPECT_EQ(record().arrivals().back().second, 10U);
}

TEST(TrafficRecord, IsBoundedWhateverComes) {
  const auto record = std::make_shared<TrafficRecord>(true);
  const TrafficTime now = std::chrono::steady_clock::now();
  std::vector<std::pair<std::string, std::string>> headers;
  const std::string long_text(100'000, 'x');
  for (int i = 0; i < 100; ++i) record->keep_header(headers, "Server", long_text);
  EXPECT_THAT(headers, SizeIs(64));
  EXPECT_LT(headers[0].second.size(), 1000U);
  std::size_t text = 0;
  for (int message = 0; message < 2'000; ++message) {
    headers.clear();
    for (int i = 0; i < 64; ++i) record->keep_header(headers, "Server", long_text);
    for (const auto& [name, value] : headers) text += name.size() + value.size();
  }
  EXPECT_LT(text, std::size_t{17} << 20);
  for (std::size_t i = 0; i < TrafficRecord::max_exchanges + 7; ++i) record->add_exchange(now);
  EXPECT_THAT(record->exchanges(), SizeIs(TrafficRecord::max_exchanges));
  EXPECT_EQ(to_json(*record).at("left_out").to_number<int>(), 7);
  EXPECT_EQ(to_har(*record).at("log").at("comment").as_string(), "7 more exchanges left out");
  for (std::size_t i = 0; i < TrafficRecord::max_connections; ++i) EXPECT_TRUE(record->add_connection(now));
  EXPECT_FALSE(record->add_connection(now));
  record->close();
}

TEST(TrafficRecord, ArrivalsAreThinnedOutAndKeepTheirSum) {
  TrafficRecord record;
  const TrafficTime begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 50'000; ++i) record.blob_arrived(begin + i * 5ms, 10);
  const auto& arrivals = record.arrivals();
  EXPECT_LE(arrivals.size(), TrafficRecord::max_arrivals);
  EXPECT_GE(arrivals.size(), TrafficRecord::max_arrivals / 2 - 1);
  EXPECT_EQ(arrivals.back().second, 500'000U);
  for (std::size_t i = 1; i < arrivals.size(); ++i) {
    EXPECT_LT(arrivals[i - 1].first, arrivals[i].first);
    EXPECT_LT(arrivals[i - 1].second, arrivals[i].second);
  }
}

/// What the specification says of an entry.
void check_entry(const json::object& entry) {
  for (const char* member : {"startedDateTime", "time", "request", "response", "cache", "timings"})
    ASSERT_TRUE(entry.contains(member)) << member;
  EXPECT_THAT(std::string(entry.at("startedDateTime").as_string()),
              testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z"));
  for (const char* member :
       {"method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"})
    EXPECT_TRUE(entry.at("request").as_object().contains(member)) << member;
  for (const char* member : {"status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL",
                             "headersSize", "bodySize"})
    EXPECT_TRUE(entry.at("response").as_object().contains(member)) << member;
  EXPECT_TRUE(entry.at("response").at("content").as_object().contains("size"));
  EXPECT_TRUE(entry.at("response").at("content").as_object().contains("mimeType"));
  double sum = 0;
  for (const char* step : {"blocked", "dns", "connect", "send", "wait", "receive"}) {
    const double took = entry.at("timings").at(step).to_number<double>();
    EXPECT_TRUE(took >= 0 || took == -1) << step;
    sum += std::max(took, 0.0);
  }
  for (const char* step : {"send", "wait", "receive"})
    EXPECT_GE(entry.at("timings").at(step).to_number<double>(), 0) << step;
  EXPECT_NEAR(entry.at("time").to_number<double>(), sum, 1e-6);
}

TEST_F(TrafficTest, AnArchiveIsWhatTheSpecificationSays) {
  registry.on("GET", "/away").reply_with(Reply::redirect("https://cdn.example/x?sig=1"));
  Reply silent = Reply::of(200);
  silent.reset_after = 0;
  registry.on("GET", "/reset").reply_with(silent);
  send({HttpRequest("GET", Url::parse(registry.url("/ok"))), HttpRequest("GET", Url::parse(registry.url("/away"))),
        HttpRequest("GET", Url::parse(registry.url("/reset")))});
  const json::object har = to_har(record());
  EXPECT_EQ(har.at("log").at("version").as_string(), "1.2");
  EXPECT_EQ(har.at("log").at("creator").at("name").as_string(), "hawser");
  EXPECT_TRUE(har.at("log").at("creator").as_object().contains("version"));
  const json::array& entries = har.at("log").at("entries").as_array();
  ASSERT_GE(entries.size(), 3U);
  for (const json::value& entry : entries) check_entry(entry.as_object());
  const json::object &first = entries[0].as_object(), &second = entries[1].as_object();
  EXPECT_GE(first.at("timings").at("connect").to_number<double>(), 0);
  EXPECT_EQ(first.at("timings").at("ssl").to_number<double>(), -1);
  EXPECT_EQ(second.at("timings").at("dns").to_number<double>(), -1);
  EXPECT_EQ(second.at("timings").at("connect").to_number<double>(), -1);
  EXPECT_EQ(first.at("connection").as_string(), "1");
  EXPECT_EQ(second.at("connection").as_string(), "1");
  EXPECT_EQ(first.at("serverIPAddress").as_string(), "127.0.0.1");
  EXPECT_EQ(first.at("response").at("content").at("mimeType").as_string(), "application/json");
  EXPECT_EQ(second.at("response").at("redirectURL").as_string(), "https://cdn.example/x");
  EXPECT_EQ(entries[2].at("response").at("status").to_number<int>(), 0);
  EXPECT_FALSE(entries[2].at("_error").as_string().empty());
}

TEST(Traffic, StepsThatWereOverBeforeARequestAreNotItsOwn) {
  TrafficRecord record;
  const TrafficTime zero = std::chrono::steady_clock::now();
  ConnectionRecord& connection = *record.add_connection(zero);
  connection.address = "[::1]:443";
  connection.resolved = zero + 10ms;
  connection.connected = zero + 30ms;
  connection.secured = zero + 70ms;
  ExchangeRecord& exchange = *record.add_exchange(zero + 20ms);
  exchange.connection = 1;
  exchange.asked = zero + 75ms;
  exchange.sent = zero + 76ms;
  exchange.first_byte = zero + 90ms;
  exchange.ended = zero + 100ms;
  const json::value entry = to_har(record).at("log").at("entries").at(0);
  check_entry(entry.as_object());
  EXPECT_EQ(entry.at("timings").as_object(), (json::object{{"blocked", 5.0},
                                                           {"dns", -1.0},
                                                           {"connect", 50.0},
                                                           {"ssl", 40.0},
                                                           {"send", 1.0},
                                                           {"wait", 14.0},
                                                           {"receive", 10.0}}));
  EXPECT_EQ(entry.at("time").to_number<double>(), 80);
  EXPECT_EQ(entry.at("serverIPAddress").as_string(), "::1");
}

}  // namespace
}  // namespace hawser::test
