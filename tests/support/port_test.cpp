#include "support/port.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace triggerd::test {
namespace {

UniqueFd listen_on(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool listening =
      ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
      ::listen(fd.get(), 1) == 0;
  return listening ? std::move(fd) : UniqueFd();
}

TEST(ReservedPort, AServerMayListenThereAndComeBack) {
  const ReservedPort port;
  EXPECT_FALSE(connect_loopback(port.number()));
  for (int round = 0; round < 3; ++round) {
    const UniqueFd server = listen_on(port.number());
    ASSERT_TRUE(server) << "round " << round;
    EXPECT_TRUE(connect_loopback(port.number()));
  }
  EXPECT_FALSE(connect_loopback(port.number()));
}

TEST(ReservedPort, ABrokenWaitEnds) {
  const ReservedPort port;
  const UniqueFd server = listen_on(port.number());
  const UniqueFd client = connect_loopback(port.number(), Millis(20));
  char byte;
  EXPECT_EQ(::recv(client.get(), &byte, 1, 0), -1);
}

}  // namespace
}  // namespace triggerd::test
