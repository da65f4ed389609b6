// What the tests of the store share: a store in a temporary directory, and blobs to put into it.
#pragma once

#include "store/blob_store.hpp"
#include "support/failure.hpp"
#include "support/temp_dir.hpp"

#include <functional>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hawser::test {

/// `size` bytes that are not the same everywhere.
inline std::string sample(std::size_t size, unsigned seed = 1) {
  std::string result(size, '\0');
  std::uint32_t state = seed * 2654435761U + 1;
  for (char& c : result) {
    state = state * 1664525U + 1013904223U;
    c = static_cast<char>(state >> 24U);
  }
  return result;
}

inline std::string content_of(const File& file) {
  std::string result(file.size(), '\0');
  result.resize(file.read_at(0, std::as_writable_bytes(std::span(result.data(), result.size()))));
  return result;
}

inline unsigned mode_of(const std::filesystem::path& path) {
  struct stat status {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

/// Runs `body` in a process of its own and returns how it ended (waitpid(2)); exit code 99 is an exception.
inline int in_child(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      body();
    } catch (...) {
      ::_exit(99);
    }
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

class StoreTest : public ::testing::Test {
 protected:
  std::filesystem::path cache() const { return directory / "cache"; }
  std::filesystem::path blob_path(const Digest& digest) const {
    return cache() / "blobs" / digest.algorithm_name() / digest.hex();
  }
  std::filesystem::path ingest_path(const Digest& digest, const std::string& suffix) const {
    return cache() / "ingest" / ("sha256-" + digest.hex() + suffix);
  }
  /// A partial file or its journal.
  std::filesystem::path ingest_path(const Digest& digest, std::uint64_t size, const std::string& suffix) const {
    return ingest_path(digest, "." + std::to_string(size) + suffix);
  }
  static std::unique_ptr<PartialBlob> begin(BlobStore& store, const Digest& digest, std::uint64_t size) {
    auto result = store.acquire(digest, size);
    EXPECT_TRUE(std::holds_alternative<std::unique_ptr<PartialBlob>>(result));
    return std::get<std::unique_ptr<PartialBlob>>(std::move(result));
  }
  /// Writes part of `content` into the partial blob as the transfer does.
  static void fill(BlobDestination& partial, const std::string& content, std::size_t begin, std::size_t end) {
    partial.file().write_at(begin, as_bytes(std::string_view(content).substr(begin, end - begin)));
    partial.wrote(begin, end);
  }
  static void store_blob(BlobStore& store, const std::string& content) {
    const auto partial = StoreTest::begin(store, Digest::of(content), content.size());
    fill(*partial, content, 0, content.size());
    partial->commit();
  }

  TempDir directory;
};

}  // namespace hawser::test
