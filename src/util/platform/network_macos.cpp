#include "util/platform/error.hpp"
#include "util/platform/network.hpp"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace hawser {

void limit_acknowledgement(NativeSocket socket, std::chrono::milliseconds time) noexcept {
  const auto seconds = static_cast<int>(std::chrono::ceil<std::chrono::seconds>(time).count());
  ::setsockopt(socket, IPPROTO_TCP, TCP_RXT_CONNDROPTIME, &seconds, sizeof seconds);
}

std::error_code bind_to_interface(NativeSocket socket, const std::string& name) noexcept {
  const unsigned index = ::if_nametoindex(name.c_str());
  if (index == 0) return last_error();
  // A socket is of one family, and takes the option of that alone.
  if (::setsockopt(socket, IPPROTO_IP, IP_BOUND_IF, &index, sizeof index) == 0) return {};
  const int result = ::setsockopt(socket, IPPROTO_IPV6, IPV6_BOUND_IF, &index, sizeof index);
  return result == 0 ? std::error_code() : last_error();
}

}  // namespace hawser
