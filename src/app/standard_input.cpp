#include <hawser/app/standard_input.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

namespace hawser {
namespace {

/// Whether reading ended in an error rather than at the end. While std::cin shares stdin's buffer, stdin alone knows.
bool has_failed(const std::istream& input) {
  return input.bad() || (input.rdbuf() == std::cin.rdbuf() && std::ferror(stdin) != 0);
}

}  // namespace

std::string read_input(std::istream& input, std::size_t limit) {
  std::string text;
  char buffer[4096];
  errno = 0;
  while (input && text.size() <= limit) {
    input.read(buffer, static_cast<std::streamsize>(std::min(sizeof buffer, limit + 1 - text.size())));
    text.append(buffer, static_cast<std::size_t>(input.gcount()));
  }
  if (!has_failed(input)) return text;
  const int error = errno == 0 ? EIO : errno;
  throw Error(Errc::disk, std::string("cannot read standard input: ") + std::strerror(error));
}

}  // namespace hawser
