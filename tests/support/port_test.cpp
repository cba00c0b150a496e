#include "support/port.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace triggerd::test {
namespace {

TEST(ReservedPort, AServerMayListenThereAndComeBack) {
  const ReservedPort port;
  EXPECT_FALSE(connect_loopback(port.number()));
  for (int round = 0; round < 3; ++round) {
    const UniqueFd server = listen_on_loopback(port.number());
    ASSERT_TRUE(server) << "round " << round;
    EXPECT_TRUE(connect_loopback(port.number()));
  }
  EXPECT_FALSE(connect_loopback(port.number()));
}

TEST(ReservedPort, ABrokenWaitEnds) {
  const ReservedPort port;
  const UniqueFd server = listen_on_loopback(port.number());
  const UniqueFd client = connect_loopback(port.number(), Millis(20));
  char byte;
  EXPECT_EQ(::recv(client.get(), &byte, 1, 0), -1);
}

}  // namespace
}  // namespace triggerd::test
