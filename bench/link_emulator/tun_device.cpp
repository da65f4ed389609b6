// Opening TUN devices: see tun_device.hpp. The kernel creates a device in the
// namespace of the thread that asks, so the thread goes there and comes back.
#include "tun_device.hpp"

#include <cstring>

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/ioctl.h>

namespace hawser::bench {
namespace {

class NamespaceVisit {
 public:
  explicit NamespaceVisit(const std::string& name) : home_(open_namespace("/proc/self/ns/net")) {
    const std::string path = "/run/netns/" + name;
    const FileDescriptor there = open_namespace(path);
    check_system(::setns(there.get(), CLONE_NEWNET), "enter " + path);
  }
  NamespaceVisit(const NamespaceVisit&) = delete;
  NamespaceVisit& operator=(const NamespaceVisit&) = delete;
  ~NamespaceVisit() { static_cast<void>(::setns(home_.get(), CLONE_NEWNET)); }

 private:
  static FileDescriptor open_namespace(const std::string& path) {
    return FileDescriptor(check_system(::open(path.c_str(), O_RDONLY | O_CLOEXEC), "open " + path));
  }
  FileDescriptor home_;
};

}  // namespace

TunDevice::TunDevice(const std::string& network_namespace, const std::string& name) {
  const NamespaceVisit visit(network_namespace);
  descriptor_ =
      FileDescriptor(check_system(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), "open /dev/net/tun"));
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  name.copy(request.ifr_name, sizeof request.ifr_name - 1);
  check_system(::ioctl(descriptor_.get(), TUNSETIFF, &request), "create TUN device " + name);
  const unsigned long offload = TUN_F_CSUM | TUN_F_TSO4;
  check_system(::ioctl(descriptor_.get(), TUNSETOFFLOAD, offload), "offload on TUN device " + name);
}

std::size_t TunDevice::read(std::span<std::uint8_t> buffer) const {
  const ssize_t size = ::read(descriptor_.get(), buffer.data(), buffer.size());
  if (size >= 0) return static_cast<std::size_t>(size);
  if (errno == EAGAIN || errno == EINTR || errno == EIO) return 0;  // EIO: the device is down
  throw std::system_error(errno, std::generic_category(), "read from TUN device");
}

bool TunDevice::write(std::span<const std::uint8_t> packet) const {
  return ::write(descriptor_.get(), packet.data(), packet.size()) >= 0;
}

}  // namespace hawser::bench
