// What the implementations for Windows promise beyond the interfaces: names, long paths, files that others have open.
#include "util/platform/windows.hpp"

#include "util/atomic_file.hpp"
#include "util/platform/lock.hpp"
#include "util/platform/names.hpp"
#include "util/platform/process.hpp"
#include "util/platform/terminal.hpp"
#include "util/platform/trust.hpp"
#include "util/platform/user_directories.hpp"

#include <hawser/util/error.hpp>

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <wincrypt.h>

namespace hawser {
namespace {

using namespace windows;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Wide, IsUtf16AndBack) {
  EXPECT_EQ(wide("a\u00fc\u65e5\U0001f433"), L"a\u00fc\u65e5\U0001f433");
  EXPECT_EQ(narrow(wide("a\u00fc\u65e5\U0001f433")), "a\u00fc\u65e5\U0001f433");
  EXPECT_EQ(narrow(L"\xd800"), "\ufffd");
  EXPECT_EQ(wide("\xff"), L"\ufffd");
  EXPECT_EQ(std::filesystem::path(L"\u65e5").string(), "\u65e5");
  EXPECT_EQ(std::filesystem::path("\u65e5").native(), L"\u65e5");
}

TEST(CallPath, TakesLongOnesLiterally) {
  EXPECT_EQ(call_path("a/b"), L"a/b");
  const std::wstring name(300, L'a');
  EXPECT_EQ(call_path(L"C:/x/../" + name), LR"(\\?\C:\)" + name);
  EXPECT_EQ(call_path(LR"(\\server\share\)" + name), LR"(\\?\UNC\server\share\)" + name);
  EXPECT_TRUE(call_path(name).starts_with(LR"(\\?\)")) << "relative ones, too";
  EXPECT_EQ(call_path(LR"(\\?\C:\)" + name), LR"(\\?\C:\)" + name);
}

TEST(PossibleName, IsTheNearestThatWindowsHas) {
  for (const char* same : {"a", "a.tar", ".a", "console", "com10", "a con", "\u65e5.tar", "COM.tar", "lptx.tar"})
    EXPECT_EQ(possible_name(same), same);
  EXPECT_EQ(possible_name("con"), "_con");
  EXPECT_EQ(possible_name("NUL.tar"), "_NUL.tar");
  EXPECT_EQ(possible_name("aux .x.tar"), "_aux .x.tar");
  EXPECT_EQ(possible_name("Com1.tar"), "_Com1.tar");
  EXPECT_EQ(possible_name("lpt\u00b2"), "_lpt\u00b2");
  EXPECT_EQ(possible_name("a:b?c|d"), "a_b_c_d");
  EXPECT_EQ(possible_name("a\tb/c\\d"), "a_b_c_d");
  EXPECT_EQ(possible_name("a."), "a._");
  EXPECT_EQ(possible_name("a "), "a _");
  EXPECT_EQ(possible_name(""), "_");
}

class WindowsFiles : public testing::Test {
 protected:
  ~WindowsFiles() override {
    opened.reset();
    std::error_code ignored;
    std::filesystem::remove_all(scratch, ignored);
  }

  static std::filesystem::path make_scratch() {
    std::filesystem::path made = std::filesystem::temp_directory_path() / ("hawser-test-" + random_hex(12));
    if (const auto error = make_private_directory(made)) throw disk_error(error, "make", made.string());
    return made;
  }

  const std::filesystem::path scratch = make_scratch();
  std::optional<Directory> opened{scratch};
  Directory& directory = *opened;

  File make(const std::string& name, std::string_view text) {
    File file = directory.new_file(name, scratch / name, MadeFor::user);
    file.write(as_bytes(text));
    return file;
  }
};

TEST_F(WindowsFiles, NamesOfDevicesAndStreamsAreNotMade) {
  for (const char* name : {"con", "nul.txt", "a:b", "a.", "a*"}) {
    EXPECT_THROW(directory.new_file(name, name, MadeFor::user), Error) << name;
    EXPECT_THROW(directory.create_subdirectory(name), Error) << name;
    EXPECT_THROW(File(scratch / name, OpenMode::create), Error) << name;
    EXPECT_TRUE(make_private_directory(scratch / name)) << name;
  }
  make("a", "");
  EXPECT_TRUE(directory.try_rename("a", directory, "a:b"));
  EXPECT_THAT(directory.names(), ElementsAre("a"));
}

TEST_F(WindowsFiles, WhatIsOpenCanBeReplacedAndStaysReadable) {
  const File older = make("a", "older");
  const File newer = make("b", "newer");
  ASSERT_TRUE(directory.rename("b", directory, "a"));
  EXPECT_EQ(directory.read("a", 100), "newer");
  EXPECT_EQ(older.read_text(100), "older");
  EXPECT_EQ(newer.read_text(100), "newer");
  EXPECT_FALSE(directory.status("b"));
}

TEST_F(WindowsFiles, TheNameOfWhatIsDeletedIsFreeAtOnce) {
  const File open = make("a", "older");
  ASSERT_TRUE(directory.remove("a"));
  EXPECT_FALSE(directory.status("a"));
  make("a", "newer");
  EXPECT_EQ(directory.read("a", 100), "newer");
  EXPECT_EQ(open.read_text(100), "older");
}

TEST_F(WindowsFiles, ReplacesAFileThatMayOnlyBeRead) {
  make("a", "older").close();
  ASSERT_NE(::SetFileAttributesW((scratch / "a").c_str(), FILE_ATTRIBUTE_READONLY), 0);
  EXPECT_TRUE(directory.remove("a"));
}

TEST_F(WindowsFiles, PathsMayBeLong) {
  std::filesystem::path deep = scratch;
  while (deep.native().size() < 400) {
    deep /= std::string(50, 'd');
    ASSERT_FALSE(make_private_directory(deep));
  }
  {
    AtomicFile file(deep / "a");
    file.file().write(as_bytes("deep"));
    (void)file.commit();
  }
  EXPECT_EQ(read_file(deep / "a", 100), "deep");
  EXPECT_EQ(status_at(deep / "a")->size, 4U);
  EXPECT_FALSE(check_access(deep, Use::make_files));
  EXPECT_TRUE(free_space(deep));
  EXPECT_TRUE(directory.remove(std::string(50, 'd')));
}

TEST_F(WindowsFiles, LocksKeepNobodyFromReading) {
  const File one = make("a", "text"), other = *directory.open_file("a", OpenMode::read_write);
  ASSERT_FALSE(try_lock(one, Lock::exclusive));
  EXPECT_EQ(try_lock(other, Lock::shared), std::errc::resource_unavailable_try_again);
  EXPECT_TRUE(is_locked_by_others(other, {}));
  EXPECT_FALSE(is_locked_by_others(one, {}));
  EXPECT_EQ(other.read_text(100), "text");
  other.write_at(0, as_bytes("T"));
  ASSERT_FALSE(try_lock(one, Lock::none));
  EXPECT_FALSE(try_lock(other, Lock::exclusive));
}

TEST_F(WindowsFiles, ALockThatIsTakenTwiceIsGivenUpOnce) {
  const File one = make("a", ""), other = *directory.open_file("a", OpenMode::read_write);
  const LockedRange byte{7, 1};
  ASSERT_FALSE(try_lock(one, Lock::shared, byte));
  ASSERT_FALSE(try_lock(one, Lock::shared, byte));
  ASSERT_FALSE(try_lock(other, Lock::shared, byte));
  // A change that fails leaves what there was.
  EXPECT_TRUE(try_lock(one, Lock::exclusive, byte));
  ASSERT_FALSE(try_lock(other, Lock::none, byte));
  EXPECT_TRUE(is_locked_by_others(other, byte));
  ASSERT_FALSE(try_lock(one, Lock::none, byte));
  EXPECT_FALSE(try_lock(other, Lock::exclusive, byte));
}

TEST_F(WindowsFiles, WhatIsForgottenReadsAsZeros) {
  const File file = make("a", std::string(200'000, 'x'));
  file.forget(65'536, 65'536);
  EXPECT_EQ(file.read_text(2, 65'535), std::string("x\0", 2));
  EXPECT_EQ(file.read_text(2, 131'071), std::string("\0x", 2));
  EXPECT_EQ(file.size(), 200'000U);
}

TEST(WindowsProcess, OnlyProgramsInPathAreHelpers) {
  EXPECT_EQ(HelperProcess("hawser-has-no-such-helper", "get").error(), std::errc::no_such_file_or_directory);
  EXPECT_EQ(HelperProcess("..\\cmd", "get").error(), std::errc::no_such_file_or_directory);
  HelperProcess host("hostname", "");
  ASSERT_FALSE(host.error()) << host.error().message();
  host.write("it reads nothing");
  std::string answer;
  const auto soon = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  EXPECT_EQ(host.read(answer, 1000, soon), HelperProcess::Reading::complete);
  EXPECT_FALSE(answer.empty());
  EXPECT_EQ(host.wait(soon), HelperProcess::Ending::success);
}

TEST(WindowsProcess, VariablesAreUtf8AndCanBeWiped) {
  ::SetEnvironmentVariableW(L"HAWSER_TEST", L"\u65e5\u672c");
  EXPECT_STREQ(environment_variable("HAWSER_TEST"), "\u65e5\u672c");
  wipe_variable("HAWSER_TEST");
  EXPECT_EQ(environment_variable("HAWSER_TEST"), nullptr);
}

TEST(WindowsProcess, ArgumentsAreUtf8) {
  int count = 0;
  char** const arguments = program_arguments(count, nullptr);
  ASSERT_GE(count, 1);
  EXPECT_THAT(arguments[0], HasSubstr("hawser_tests"));
  EXPECT_EQ(arguments[count], nullptr);
}

TEST(WindowsDirectories, AreWhereTheEnvironmentSays) {
  const auto environment = [](const char* name) -> const char* {
    return std::string_view(name) == "USERPROFILE"    ? "C:\\Users\\\u65e5"
           : std::string_view(name) == "LOCALAPPDATA" ? "relative"
                                                      : nullptr;
  };
  EXPECT_EQ(home_directory(environment).native(), L"C:\\Users\\\u65e5");
  EXPECT_EQ(state_home(environment), "");
  EXPECT_EQ(system_root(), "");
}

TEST(WindowsTerminal, WhatIsRedirectedIsNone) {
  EXPECT_FALSE(is_terminal(StandardStream::output));
  EXPECT_FALSE(can_draw("xterm"));
}

TEST(WindowsTrust, IsWhatTheStoreHas) {
  const SystemCertificates system = system_certificates();
  EXPECT_FALSE(are_openssl_places_safe());
  EXPECT_TRUE(system.files.empty());
  ASSERT_FALSE(system.certificates.empty());
  for (const std::string& der : system.certificates) {
    const auto* const bytes = reinterpret_cast<const BYTE*>(der.data());
    const PCCERT_CONTEXT read =
        ::CertCreateCertificateContext(X509_ASN_ENCODING, bytes, static_cast<DWORD>(der.size()));
    EXPECT_NE(read, nullptr);
    if (read != nullptr) ::CertFreeCertificateContext(read);
  }
}

}  // namespace
}  // namespace hawser
