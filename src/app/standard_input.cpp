#include <hawser/app/standard_input.hpp>
#include <hawser/util/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <istream>

namespace hawser {

std::string read_input(std::istream& input, std::size_t limit) {
  std::string text;
  char buffer[4096];
  errno = 0;
  while (input && text.size() <= limit) {
    input.read(buffer, static_cast<std::streamsize>(std::min(sizeof buffer, limit + 1 - text.size())));
    text.append(buffer, static_cast<std::size_t>(input.gcount()));
  }
  if (!input.bad()) return text;
  const int error = errno == 0 ? EIO : errno;
  throw Error(Errc::disk, std::string("cannot read standard input: ") + std::strerror(error));
}

}  // namespace hawser
