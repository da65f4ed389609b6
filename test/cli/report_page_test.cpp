#include "cli/report_page.hpp"

#include <string>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using testing::Not;

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t result = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++result;
  return result;
}

/// What a browser takes the document to be: the element's text up to the next end tag.
json::object document_in(const std::string& page) {
  const std::string begin = "<script type=\"application/json\" id=\"document\">";
  EXPECT_EQ(count(page, begin), 1U);
  const auto from = page.find(begin) + begin.size();
  return json::parse(page.substr(from, page.find("</script", from) - from)).as_object();
}

TEST(ReportPage, HasTheDocumentAsItIs) {
  for (const char* kind : {"bench", "timeline"}) {
    const json::object document{{"kind", kind}, {"elapsed", 3.25}, {"settings", json::array{}}};
    const std::string page = report_page(document);
    EXPECT_EQ(document_in(page), document);
    EXPECT_THAT(page, testing::StartsWith("<!DOCTYPE html>\n<html lang=\"en\">"));
    EXPECT_THAT(page, testing::EndsWith("</html>\n"));
  }
}

TEST(ReportPage, AttackNoTextOfTheDocumentBecomesMarkup) {
  const std::size_t markup = count(report_page({}), "<");
  for (const std::string text :
       {"</script><script>alert(1)</script>", "<!-- <script>", "]]>", "&lt;", "{{document}}", "{{script-hash}}",
        "\"}; alert(1); //", "\xE2\x80\xA8\xE2\x80\xA9", "\\u003c", "\r\n\x1b[31m"}) {
    const json::object document{{"kind", "timeline"}, {"images", json::array{json::string(text)}}, {text, text}};
    const std::string page = report_page(document);
    EXPECT_EQ(document_in(page), document) << text;
    EXPECT_EQ(count(page, "<"), markup) << text;
  }
}

TEST(ReportPage, AsksNobodyAndRunsNoOtherScript) {
  const std::string page = report_page({});
  EXPECT_THAT(page, HasSubstr("default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; "
                              "script-src 'sha256-"));
  EXPECT_THAT(page, Not(HasSubstr("{{")));
  EXPECT_THAT(page, Not(HasSubstr("innerHTML")));
  EXPECT_THAT(page, Not(HasSubstr(" src=")));
  EXPECT_THAT(page, Not(HasSubstr(" href=")));
  EXPECT_EQ(count(page, "<script"), 2U);
}

}  // namespace
}  // namespace hawser
