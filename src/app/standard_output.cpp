#include <hawser/app/standard_output.hpp>
#include <hawser/util/error.hpp>

#include <cerrno>
#include <cstring>

namespace hawser {

void write_out(std::string_view text, std::FILE* stream) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stream) == text.size() && std::fflush(stream) == 0) return;
  const int error = errno;
  throw Error(error == ENOSPC ? Errc::disk_full : Errc::disk,
              std::string("cannot write to standard output: ") + std::strerror(error));
}

}  // namespace hawser
