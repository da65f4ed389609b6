#include "registry/origin_note.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser {
namespace {

const Origin registry{true, "registry.example", 443};

OriginNote whole_note() {
  OriginNote note;
  note.token_service = TokenService{Url::parse("https://tokens.example/token"), "registry"};
  note.storage = Origin{true, "storage.example", 8443};
  note.connections = 64;
  note.refused_ranges = true;
  note.preferred = 8;
  return note;
}

OriginNote with(const std::string& members) {
  return OriginNote::parse(registry, R"({"version":1,"origin":"https://registry.example",)" + members + "}");
}

TEST(OriginNote, ComesBackAsItWas) {
  EXPECT_EQ(OriginNote::parse(registry, whole_note().to_text(registry)), whole_note());
  EXPECT_EQ(OriginNote::parse(registry, OriginNote().to_text(registry)), OriginNote());
}

TEST(OriginNote, OfAnotherOriginOrVersionIsNone) {
  EXPECT_EQ(OriginNote::parse(Origin{true, "other.example", 443}, whole_note().to_text(registry)), OriginNote());
  EXPECT_EQ(OriginNote::parse(registry, R"({"version":2,"origin":"https://registry.example","connections":9})"),
            OriginNote());
}

TEST(OriginNote, AttackBrokenOnesAreLeftOut) {
  for (const char* text : {"", "rubbish", "[]", "{}", R"({"version":"1"})"})
    EXPECT_EQ(OriginNote::parse(registry, text), OriginNote()) << text;
  for (const char* members : {R"("connections":-5)", R"("connections":9223372036854775807)", R"("connections":"9")",
                              R"("connections":1e300)", R"("realm":7)", R"("storage":"storage.example")",
                              R"("storage":{})", R"("refused_ranges":1)", R"("preferred_connections":1001)"})
    EXPECT_EQ(with(members), OriginNote()) << members;
}

TEST(OriginNote, AttackNoneLeadsWhereHawserDoesNotGo) {
  for (const char* url : {"http://tokens.example/", "http://169.254.169.254/", "https://169.254.169.254/",
                          "https://metadata.google.internal/", "ftp://tokens.example/"}) {
    EXPECT_EQ(with(R"("realm":")" + std::string(url) + R"(","service":"")"), OriginNote()) << url;
    EXPECT_EQ(with(R"("storage":")" + std::string(url) + R"(")"), OriginNote()) << url;
  }
}

}  // namespace
}  // namespace hawser
