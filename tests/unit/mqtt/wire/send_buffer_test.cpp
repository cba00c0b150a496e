#include "mqtt/wire/send_buffer.hpp"

#include <gtest/gtest.h>

#include "support/fake_clock.hpp"
#include "unit/mqtt/wire/support.hpp"

namespace triggerd::mqtt::wire::test {
namespace {

using Sent = SendBuffer::Sent;

class SendBufferTest : public testing::Test {
 protected:
  SendBufferTest() { keep_alive_.set(std::chrono::seconds(60)); }
  Sent send() { return buffer_.send(pair_.ours(), nullptr, keep_alive_, clock_); }

  const Pair pair_{Pair::Kind::local, 4608};
  triggerd::test::FakeClock clock_;
  KeepAlive keep_alive_;
  SendBuffer buffer_;
};

TEST_F(SendBufferTest, WhatFindsRoomLeavesAtOnceAndCountsForTheKeepAlive) {
  EXPECT_EQ(send(), Sent::all) << "nothing is there";
  keep_alive_.received(clock_.now());
  buffer_.bytes() += "one";
  buffer_.bytes() += "two";
  clock_.advance(std::chrono::seconds(30));
  EXPECT_EQ(send(), Sent::all);
  EXPECT_TRUE(buffer_.empty());
  EXPECT_EQ(pair_.peer_has(), "onetwo");
  keep_alive_.received(clock_.now());
  const auto verdict = keep_alive_.look(clock_.now(), false);
  EXPECT_EQ(verdict.look_again, clock_.now() + std::chrono::seconds(60));
}

TEST_F(SendBufferTest, WhatFindsNoRoomWaitsAndLeavesInItsOrder) {
  std::string all;
  for (int i = 0; i < 20'000; ++i) all += std::to_string(i);
  buffer_.bytes() = all;
  EXPECT_EQ(send(), Sent::full);
  EXPECT_FALSE(buffer_.empty());
  const std::size_t waits = buffer_.size();
  EXPECT_LT(waits, all.size());
  EXPECT_EQ(send(), Sent::full);
  EXPECT_EQ(buffer_.size(), waits);
  std::string got;
  Sent sent = Sent::full;
  while (sent == Sent::full) {
    got += pair_.peer_gets(1);
    sent = send();
  }
  EXPECT_EQ(sent, Sent::all);
  got += pair_.peer_has();
  EXPECT_TRUE(got == all);
}

TEST_F(SendBufferTest, OfABrokenConnectionNothingIsKept) {
  ::shutdown(pair_.ours(), SHUT_RDWR);
  buffer_.bytes() += "one";
  EXPECT_EQ(send(), Sent::broken);
  EXPECT_TRUE(buffer_.empty());
}

}  // namespace
}  // namespace triggerd::mqtt::wire::test
