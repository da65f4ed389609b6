#include "util/platform/error.hpp"
#include "util/platform/network.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace hawser {

void limit_acknowledgement(NativeSocket socket, std::chrono::milliseconds time) noexcept {
  const auto value = static_cast<unsigned>(time.count());
  ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof value);
}

std::error_code bind_to_interface(NativeSocket socket, const std::string& name) noexcept {
  const int result =
      ::setsockopt(socket, SOL_SOCKET, SO_BINDTODEVICE, name.data(), static_cast<socklen_t>(name.size()));
  return result == 0 ? std::error_code() : last_error();
}

}  // namespace hawser
