// Archives in parts: the list, writing, and joining. In the whole of hawser: test/e2e/test_parts.py.
#include "archive/parts.hpp"

#include "archive/sample_images.hpp"
#include "support/failure.hpp"
#include "support/temp_dir.hpp"

#include <hawser/util/error.hpp>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

namespace hawser {
namespace {

using test::code_of;
using test::failure_of;
using test::noise;
using test::read_text;
using test::TempDir;
using test::write_text;
using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

namespace fs = std::filesystem;

constexpr std::uint64_t part_size = 1000;

/// Writes `text` as the archive `path`, in pieces that begin and end anywhere.
void write_archive(const fs::path& path, const std::string& text, std::uint64_t split = part_size) {
  ArchiveFile file(path, split);
  for (std::size_t at = 0; at < text.size(); at += 777) file.write_at(at, as_bytes(text.substr(at, 777)));
  file.commit();
}

PartList list_of(const fs::path& archive) {
  return PartList::parse(read_text(part_list_path(archive)));
}

TEST(PartList, IsReadBack) {
  const PartList list{"app.tar", 2500, 1000, {Digest::of("a"), Digest::of("b"), Digest::of("c")}};
  EXPECT_EQ(list.text(), "# hawser: parts of 1000 bytes, 2500 bytes in all\n" + Digest::of("a").hex() +
                             "  app.tar.001\n" + Digest::of("b").hex() + "  app.tar.002\n" + Digest::of("c").hex() +
                             "  app.tar.003\n");
  EXPECT_EQ(PartList::parse(list.text()), list);
  EXPECT_EQ(list.size_of(1), 1000U);
  EXPECT_EQ(list.size_of(2), 500U);
}

TEST(PartList, AMultipleOfTheSizeHasNoEmptyPartAtTheEnd) {
  EXPECT_EQ(PartList::count(1, 1000), 1U);
  EXPECT_EQ(PartList::count(999, 1000), 1U);
  EXPECT_EQ(PartList::count(1000, 1000), 1U);
  EXPECT_EQ(PartList::count(1001, 1000), 2U);
  EXPECT_EQ(PartList::count(2000, 1000), 2U);
  EXPECT_EQ(PartList::count(999'000, 1000), 999U);
  const auto failure = failure_of([] { PartList::count(999'001, 1000); });
  EXPECT_EQ(failure.code, Errc::usage);
  EXPECT_THAT(failure.hint, HasSubstr("--split"));
  EXPECT_EQ(code_of([] { PartList::count(UINT64_MAX, 1); }), Errc::usage);
  EXPECT_EQ(PartList::count(UINT64_MAX, UINT64_MAX), 1U);
}

TEST(PartList, RefusesEverythingElse) {
  const std::string digest = Digest::of("a").hex();
  const std::string first = "# hawser: parts of 1000 bytes, 2000 bytes in all\n";
  const std::string one = digest + "  a.tar.001\n", two = digest + "  a.tar.002\n";
  EXPECT_EQ(code_of([&] { PartList::parse(first + one + two); }), Errc{});
  for (const std::string& text : std::vector<std::string>{
           "",
           one + two,
           first,
           first + one,
           first + one + two + digest + "  a.tar.003\n",
           first + two + one,
           first + one + one,
           first + one + digest + "  b.tar.002\n",
           first + digest + "  a.tar.1\n" + two,
           first + digest + "  .001\n" + digest + "  .002\n",
           first + digest + "  ../a.001\n" + digest + "  ../a.002\n",
           first + digest + "  a\x1b.001\n" + digest + "  a\x1b.002\n",
           first + digest + " a.tar.001\n" + two,
           first + "0" + one + two,
           first + digest.substr(1) + "  a.tar.001\n" + two,
           first + one + two + "\n",
           "# hawser: parts of 0 bytes, 2000 bytes in all\n" + one + two,
           "# hawser: parts of 1000 bytes, 0 bytes in all\n",
           "# hawser: parts of 1 bytes, 2000 bytes in all\n" + one + two,
           "# hawser: parts of 1000 bytes, 2000 bytes in all of it\n" + one + two,
           "# hawser: parts of -1000 bytes, 2000 bytes in all\n" + one + two,
           "# hawser: parts of 99999999999999999999999 bytes, 2000 bytes in all\n" + one + two,
       })
    EXPECT_EQ(code_of([&] { PartList::parse(text); }), Errc::malformed) << text;
}

TEST(ArchiveFile, PartsAreTheArchiveAndNothingElse) {
  for (const std::size_t size : {1U, 999U, 1000U, 1001U, 1999U, 2000U, 2001U, 12'345U}) {
    const TempDir scratch;
    const std::string text = noise(size, 1);
    write_archive(scratch / "app.tar", text);
    const PartList list = list_of(scratch / "app.tar");
    EXPECT_EQ(list.size, size);
    EXPECT_EQ(list.digests.size(), (size + 999) / 1000);
    std::vector<std::string> names;
    std::string joined;
    for (std::size_t i = 0; i < list.digests.size(); ++i) {
      names.push_back(list.name_of(i));
      const std::string part = read_text(scratch / names.back());
      EXPECT_EQ(part.size(), list.size_of(i));
      EXPECT_EQ(Digest::of(part), list.digests[i]);
      joined += part;
    }
    EXPECT_EQ(joined, text);
    names.emplace_back("app.tar.parts");
    EXPECT_EQ(scratch.names(), names);
  }
}

TEST(ArchiveFile, OneFileIsOneFile) {
  const TempDir scratch;
  write_archive(scratch / "app.tar", noise(3000, 1), 0);
  EXPECT_THAT(scratch.names(), ElementsAre("app.tar"));
  EXPECT_EQ(read_text(scratch / "app.tar"), noise(3000, 1));
}

TEST(ArchiveFile, IsCopiedHashedCutAndWrittenOnAcrossParts) {
  const TempDir scratch;
  const std::string text = noise(3500, 1), other = noise(2500, 2);
  ArchiveFile file(scratch / "app.tar", part_size);
  EXPECT_EQ(file.whole(), nullptr);
  file.write_at(0, as_bytes(text));
  EXPECT_EQ(file.part_count(), 4U);
  EXPECT_EQ(file.hash(Digest::Algorithm::sha512, 900, 1200),
            Digest::of(text.substr(900, 1200), Digest::Algorithm::sha512));
  file.truncate(2000);  // just two of them
  EXPECT_EQ(file.part_count(), 2U);
  EXPECT_EQ(code_of([&] { file.hash(Digest::Algorithm::sha256, 1500, 1000); }), Errc::size_mismatch);
  file.copy_from(test::file_with(scratch / "other", other), 100, 1900, 2400);
  file.start_writeback(1900, 2400);
  file.commit();
  const PartList list = list_of(scratch / "app.tar");
  std::string joined;
  for (std::size_t i = 0; i < list.digests.size(); ++i) joined += read_text(scratch / list.name_of(i));
  EXPECT_EQ(joined, text.substr(0, 1900) + other.substr(100, 2400));
}

TEST(ArchiveFile, WhatIsNotCommittedLeavesNothing) {
  const TempDir scratch;
  { ArchiveFile(scratch / "app.tar", part_size).truncate(5000); }
  EXPECT_THAT(scratch.names(), IsEmpty());
}

TEST(ArchiveFile, PartsOfAnOlderRunThatItNoLongerHasAreRemoved) {
  const TempDir scratch;
  write_archive(scratch / "app.tar", noise(4500, 1));
  write_text(scratch / "app.tar.006", "somebody else's");
  write_archive(scratch / "app.tar", noise(1500, 2));
  EXPECT_THAT(scratch.names(), ElementsAre("app.tar.001", "app.tar.002", "app.tar.006", "app.tar.parts"));
}

TEST(ArchiveFile, AListOfAnotherArchiveRemovesNothing) {
  const TempDir scratch;
  write_archive(scratch / "old.tar", noise(2500, 1));
  write_text(scratch / "app.tar.003", "somebody else's");
  fs::rename(scratch / "old.tar.parts", scratch / "app.tar.parts");
  write_archive(scratch / "app.tar", noise(1500, 2));
  EXPECT_TRUE(fs::exists(scratch / "app.tar.003"));
  EXPECT_TRUE(fs::exists(scratch / "old.tar.003"));
}

TEST(ArchiveFile, WhereAPartCannotGetItsNameNoneIsLeft) {
  const TempDir scratch;
  write_archive(scratch / "app.tar", noise(500, 1));
  {
    ArchiveFile file(scratch / "app.tar", part_size);
    file.write_at(0, as_bytes(noise(2500, 2)));
    fs::create_directory(scratch / "app.tar.003");
    EXPECT_EQ(code_of([&] { file.commit(); }), Errc::disk);
  }
  EXPECT_THAT(scratch.names(), ElementsAre("app.tar.003"));
}

TEST(ArchiveFile, NamesThatCannotBeListedAreRefused) {
  const TempDir scratch;
  for (const char* name : {"a\nb.tar", "a\\b.tar", "\x1b.tar", "\xff.tar"}) {
    EXPECT_EQ(code_of([&] { ArchiveFile(scratch / name, part_size); }), Errc::usage) << name;
    EXPECT_EQ(code_of([&] { ArchiveFile(scratch / name); }), Errc{}) << name;
  }
}

TEST(ArchiveFile, WhatStandsInTheWayOfAPartIsToldAtOnce) {
  const TempDir scratch;
  fs::create_directory(scratch / "a.tar.001");
  fs::create_directory(scratch / "b.tar.parts");
  EXPECT_EQ(code_of([&] { ArchiveFile(scratch / "a.tar", part_size); }), Errc::disk);
  EXPECT_EQ(code_of([&] { ArchiveFile(scratch / "b.tar", part_size); }), Errc::disk);
  EXPECT_EQ(code_of([&] { ArchiveFile(scratch / "nowhere" / "c.tar", part_size); }), Errc::disk);
}

TEST(ArchiveFile, TooManyPartsAreRefused) {
  const TempDir scratch;
  ArchiveFile file(scratch / "app.tar", 1);
  EXPECT_EQ(code_of([&] { file.truncate(1000); }), Errc::usage);
  EXPECT_EQ(code_of([&] { file.write_at(999, as_bytes("x")); }), Errc::usage);
  file.write_at(998, as_bytes("x"));
  EXPECT_EQ(file.part_count(), 999U);
}

TEST(ArchiveFile, ADiskThatFillsUpInTheMidstLeavesNoPart) {
  const TempDir scratch;
  if (::mount("tmpfs", scratch.path().c_str(), "tmpfs", 0, "size=1m") != 0)
    GTEST_SKIP() << "only root can mount a small filesystem";
  const std::string text = noise(2'000'000, 1);
  EXPECT_EQ(code_of([&] { write_archive(scratch / "app.tar", text, 300'000); }), Errc::disk_full);
  EXPECT_THAT(scratch.names(), IsEmpty());
  // The archive fits, and its list does not.
  {
    ArchiveFile file(scratch / "app.tar", 4096);
    file.write_at(0, as_bytes(text.substr(0, 250 * 4096)));
    EXPECT_EQ(code_of([&] {
                file.write_at(250 * 4096, as_bytes(text.substr(0, 6 * 4096)));
                file.commit();
              }),
              Errc::disk_full);
  }
  EXPECT_THAT(scratch.names(), IsEmpty());
  EXPECT_EQ(::umount2(scratch.path().c_str(), MNT_DETACH), 0);
}

TEST(ArchiveReader, ReadsAcrossParts) {
  const TempDir scratch;
  const std::string text = noise(2500, 1);
  write_archive(scratch / "app.tar", text);
  const auto archive = ArchiveReader::open(scratch / "app.tar", part_size);
  ASSERT_TRUE(archive);
  EXPECT_EQ(archive->size(), 2500U);
  EXPECT_EQ(archive->part_count(), 3U);
  EXPECT_EQ(archive->read_text(1500, 700), text.substr(700, 1500));
  EXPECT_EQ(archive->read_text(1500, 2400), text.substr(2400));
  EXPECT_EQ(archive->read_text(10, 2500), "");
  EXPECT_EQ(parts_of_archive(scratch / "app.tar", part_size), 3U);
}

TEST(ArchiveReader, AnArchiveThatIsNotAllThereIsNone) {
  const TempDir scratch;
  const fs::path path = scratch / "app.tar";
  write_archive(path, noise(2500, 1));
  EXPECT_FALSE(ArchiveReader::open(path, 0));
  EXPECT_FALSE(ArchiveReader::open(path, 2000));
  EXPECT_FALSE(ArchiveReader::open(scratch / "other.tar", part_size));
  write_text(scratch / "app.tar.003", noise(501, 2));
  EXPECT_FALSE(ArchiveReader::open(path, part_size));
  fs::remove(scratch / "app.tar.003");
  EXPECT_FALSE(ArchiveReader::open(path, part_size));
  EXPECT_EQ(parts_of_archive(path, part_size), 0U);
}

class JoinTest : public testing::Test {
 protected:
  JoinTest() { write_archive(scratch / "app.tar", text); }

  fs::path part(int number) const { return scratch / ("app.tar.00" + std::to_string(number)); }
  fs::path list() const { return scratch / "app.tar.parts"; }
  PartsReport join(const std::vector<fs::path>& files) {
    told.clear();
    return join_parts(find_parts(files), scratch / "out.tar",
                      [this](const std::string& line, bool) { told += line + "\n"; });
  }
  /// Turns over a bit of a file.
  static void damage(const fs::path& file) {
    std::string bytes = read_text(file);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    write_text(file, bytes);
  }
  void expect_joined(const std::vector<fs::path>& files) {
    EXPECT_TRUE(join(files).is_whole()) << told;
    ASSERT_TRUE(fs::exists(scratch / "out.tar")) << told;
    EXPECT_EQ(read_text(scratch / "out.tar"), text);
    fs::remove(scratch / "out.tar");
  }
  void expect_refused(const std::vector<fs::path>& files, const std::vector<bool>& there) {
    EXPECT_EQ(join(files).there, there) << told;
    EXPECT_FALSE(fs::exists(scratch / "out.tar"));
  }

  TempDir scratch;
  const std::string text = noise(2500, 1);
  std::string told;
};

TEST_F(JoinTest, PartsComeInAnyOrderAndUnderAnyName) {
  expect_joined({part(1), part(2), part(3), list()});
  expect_joined({part(3), list(), part(1), part(2)});
  fs::rename(part(1), scratch / "x");
  fs::rename(part(3), part(1));
  fs::rename(scratch / "x", part(3));
  expect_joined({part(1), part(2), part(3)});
  EXPECT_THAT(told, HasSubstr("app.tar.001: part 3 of 3, sound"));
  fs::rename(part(2), scratch / "stick.bin");
  expect_joined({scratch / "stick.bin", part(1), part(3), list()});
}

TEST_F(JoinTest, TheListAloneStandsForThePartsBesideIt) {
  expect_joined({list()});
  fs::remove(part(3));
  expect_refused({list()}, {true, true, false});
}

TEST_F(JoinTest, PartsAndCopiesOfTheListMayBeAnywhere) {
  fs::create_directory(scratch / "stick");
  fs::rename(part(2), scratch / "stick" / "app.tar.002");
  fs::copy(list(), scratch / "stick" / "app.tar.parts");
  expect_joined({part(1), scratch / "stick" / "app.tar.002", part(3)});
  expect_joined({list(), scratch / "stick" / "app.tar.parts"});
}

TEST_F(JoinTest, TheLastPartIsMissedAsAnyOtherIs) {
  expect_refused({part(1), part(2)}, {true, true, false});
  expect_refused({part(2), part(3)}, {false, true, true});
}

TEST_F(JoinTest, ADamagedPartIsNamed) {
  damage(part(2));
  expect_refused({list()}, {true, false, true});
  EXPECT_THAT(told, HasSubstr("app.tar.002: damaged, or of another pull\n"));
}

TEST_F(JoinTest, APartThatIsCutShortOrLongerIsNamed) {
  write_text(part(2), text.substr(1000, 999));
  write_text(part(3), text.substr(2000) + "x");
  const PartsReport report = join({list()});
  EXPECT_THAT(report.there, ElementsAre(true, false, false));
  EXPECT_THAT(told, AllOf(HasSubstr("app.tar.002: cut short: 999 of 1000 bytes"),
                          HasSubstr("app.tar.003: damaged, or of another pull")));
}

TEST_F(JoinTest, ADamagedCopyDoesNotMatterWhereThereIsASoundOne) {
  fs::create_directory(scratch / "stick");
  const fs::path copy = scratch / "stick" / "app.tar.002";
  fs::copy(part(2), copy);
  damage(part(2));
  expect_joined({part(1), part(2), copy, part(3)});
  expect_joined({copy, part(2), part(1), part(3)});
  EXPECT_EQ(join({part(1), part(2), copy, part(3)}).refused.size(), 1U);
}

TEST_F(JoinTest, PartsOfAnOlderRunAreNotTaken) {
  fs::create_directory(scratch / "old");
  write_archive(scratch / "old" / "app.tar", noise(4500, 2));
  fs::rename(scratch / "old" / "app.tar.002", part(2));
  fs::rename(scratch / "old" / "app.tar.004", part(4));
  expect_refused({part(1), part(2), part(3), part(4)}, {true, false, true});
  EXPECT_THAT(
      told, AllOf(HasSubstr("app.tar.002: damaged, or of another pull"), HasSubstr("app.tar.004: no part of app.tar")));
}

TEST_F(JoinTest, ListsOfTwoRunsAreRefused) {
  fs::create_directory(scratch / "old");
  write_archive(scratch / "old" / "app.tar", noise(2500, 2));
  const auto failure = failure_of([&] { find_parts({part(1), scratch / "old" / "app.tar.002", part(3)}); });
  EXPECT_EQ(failure.code, Errc::usage);
  EXPECT_THAT(failure.text, AllOf(HasSubstr(list().string()), HasSubstr("old/app.tar.parts")));
  expect_refused({part(1), scratch / "old" / "app.tar.002", part(3), list()}, {true, false, true});
}

TEST_F(JoinTest, WithoutAListNothingIsJoined) {
  fs::remove(list());
  EXPECT_EQ(code_of([&] { find_parts({part(1), part(2), part(3)}); }), Errc::disk);
  EXPECT_EQ(code_of([&] { find_parts({scratch / "x"}); }), Errc::disk);
  EXPECT_EQ(code_of([&] { find_parts({list()}); }), Errc::disk);
  write_text(list(), "hello\n");
  const auto failure = failure_of([&] { find_parts({part(1)}); });
  EXPECT_EQ(failure.code, Errc::malformed);
  EXPECT_THAT(failure.text, HasSubstr("app.tar.parts: it is no list of parts"));
}

TEST_F(JoinTest, PartsOfTheSameBytesAreOneAsGoodAsTheOther) {
  const std::string zeros(3000, '\0');
  write_archive(scratch / "zero.tar", zeros);
  const auto report = join_parts(find_parts({scratch / "zero.tar.002", scratch / "zero.tar.parts"}),
                                 scratch / "out.tar", [](const std::string&, bool) {});
  EXPECT_TRUE(report.is_whole());
  EXPECT_EQ(read_text(scratch / "out.tar"), zeros);
}

TEST_F(JoinTest, WhatCannotBeReadIsNamedAndTheOthersAreRead) {
  fs::remove(part(2));
  fs::create_directory(part(2));
  ASSERT_EQ(::mkfifo((scratch / "pipe").c_str(), 0600), 0);
  expect_refused({part(1), part(2), part(3), scratch / "pipe", scratch / "nowhere", list()}, {true, false, true});
  EXPECT_THAT(told, AllOf(HasSubstr("app.tar.002: no regular file"), HasSubstr("pipe: no regular file"),
                          HasSubstr("nowhere: no regular file")));
}

TEST_F(JoinTest, CheckingWritesNothing) {
  const auto names = scratch.names();
  damage(part(1));
  const auto report =
      check_parts(find_parts({part(1), part(3)}), [this](const std::string& line, bool) { told += line; });
  EXPECT_THAT(report.there, ElementsAre(false, false, true));
  EXPECT_EQ(report.refused.size(), 1U);
  EXPECT_THAT(told, EndsWith("app.tar.003: part 3 of 3, sound"));
  EXPECT_EQ(scratch.names(), names);
}

TEST_F(JoinTest, AnOutputThatCannotBeWrittenIsAnError) {
  const GivenParts given = find_parts({list()});
  const auto join_to = [&](const fs::path& path) {
    return code_of([&] { join_parts(given, path, [](const std::string&, bool) {}); });
  };
  EXPECT_EQ(join_to(scratch / "nowhere" / "out.tar"), Errc::disk);
  EXPECT_EQ(join_to(scratch.path()), Errc::disk);
  fs::create_directory(scratch / "small");
  if (::mount("tmpfs", (scratch / "small").c_str(), "tmpfs", 0, "size=4k") != 0)
    GTEST_SKIP() << "only root can mount a small filesystem";
  GivenParts big = given;
  EXPECT_EQ(join_to(scratch / "small" / "out.tar"), Errc{});
  big.list.size = 1'000'000;
  big.list.part_size = 500'000;
  EXPECT_EQ(code_of([&] { join_parts(big, scratch / "small" / "out.tar", [](const std::string&, bool) {}); }),
            Errc::disk_full);
  EXPECT_EQ(::umount2((scratch / "small").c_str(), MNT_DETACH), 0);
}

TEST_F(JoinTest, Sha256sumReadsTheList) {
  const std::string command = "cd " + scratch.path().string() + " && sha256sum --strict -c app.tar.parts > out 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << read_text(scratch / "out");
  damage(part(2));
  EXPECT_NE(std::system(command.c_str()), 0);
  EXPECT_THAT(read_text(scratch / "out"), HasSubstr("app.tar.002: FAILED"));
}

}  // namespace
}  // namespace hawser
