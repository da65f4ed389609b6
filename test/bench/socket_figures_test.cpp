#include "bench/socket_figures.hpp"

#include <string>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hawser {
namespace {

TEST(SocketFigures, CountWhatCameOverTcp) {
  SocketFigures figures;
  figures.look();
  const std::uint64_t before = figures.segments();
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0), client = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ASSERT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&address), size), 0);
  const int server = ::accept(listener, nullptr, nullptr);
  ASSERT_EQ(::write(server, "hello", 5), 5);
  std::string read(5, '\0');
  ASSERT_EQ(::read(client, read.data(), 5), 5);
  figures.look();
  EXPECT_GT(figures.segments(), before);
  EXPECT_EQ(figures.out_of_order(), 0U);
  ASSERT_TRUE(figures.round_trip());
  EXPECT_LT(*figures.round_trip(), 1);
  const std::uint64_t with = figures.segments();
  for (const int fd : {server, client, listener}) ::close(fd);
  figures.look();
  EXPECT_EQ(figures.segments(), with);  // what is gone has been counted
}

}  // namespace
}  // namespace hawser
