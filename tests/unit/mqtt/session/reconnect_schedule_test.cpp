#include "mqtt/session/reconnect_schedule.hpp"

#include <gtest/gtest.h>

namespace triggerd::mqtt {
namespace {

class ReconnectScheduleTest : public testing::Test {
 protected:
  const std::vector<config::Server> servers_{{.host = "one", .port = 1883},
                                             {.host = "two", .port = 1884}};
  const Backoff backoff_{Millis(1'000), Millis(4'000), 2.0};
  ReconnectSchedule schedule_{servers_, backoff_, [] { return 1.0; }};
};

TEST_F(ReconnectScheduleTest, GoesThroughEveryAddressOfEveryServer) {
  schedule_.begin_round();
  ASSERT_TRUE(schedule_.next_server());
  EXPECT_EQ(schedule_.server().host, "one");
  EXPECT_FALSE(schedule_.next_address()) << "they have not been looked up";
  schedule_.found({"10.0.0.1", "::1"});
  ASSERT_TRUE(schedule_.next_address());
  EXPECT_EQ(schedule_.address(), "10.0.0.1");
  EXPECT_TRUE(schedule_.has_more_addresses());
  ASSERT_TRUE(schedule_.next_address());
  EXPECT_EQ(schedule_.address(), "::1");
  EXPECT_FALSE(schedule_.has_more_addresses());
  EXPECT_FALSE(schedule_.next_address());
  ASSERT_TRUE(schedule_.next_server());
  EXPECT_EQ(schedule_.server().host, "two");
  EXPECT_FALSE(schedule_.next_address()) << "those of another server";
  EXPECT_FALSE(schedule_.next_server());
  EXPECT_EQ(schedule_.server().host, "two") << "the round is over, and that was its last";
}

TEST_F(ReconnectScheduleTest, ARoundBeginsAtTheFirstServer) {
  schedule_.begin_round();
  schedule_.next_server();
  schedule_.next_server();
  schedule_.found({"10.0.0.2"});
  schedule_.begin_round();
  EXPECT_FALSE(schedule_.next_address());
  ASSERT_TRUE(schedule_.next_server());
  EXPECT_EQ(schedule_.server().host, "one");
}

TEST_F(ReconnectScheduleTest, SkippingKeepsTheAddressThatWasTried) {
  schedule_.begin_round();
  schedule_.next_server();
  schedule_.found({"10.0.0.1", "::1"});
  schedule_.next_address();
  schedule_.skip_addresses();
  EXPECT_EQ(schedule_.address(), "10.0.0.1");
  EXPECT_FALSE(schedule_.next_address());
}

TEST_F(ReconnectScheduleTest, WaitsLongerAfterEachFailureUpToTheMaximum) {
  for (const Millis delay : {Millis(1'000), Millis(2'000), Millis(4'000), Millis(4'000)}) {
    schedule_.count_failure();
    EXPECT_EQ(schedule_.delay(), delay);
  }
  schedule_.count_first_failure();
  EXPECT_EQ(schedule_.delay(), Millis(1'000));
  schedule_.count_failure();
  schedule_.forget_failures();
  schedule_.count_failure();
  EXPECT_EQ(schedule_.delay(), Millis(1'000));
}

TEST_F(ReconnectScheduleTest, TheDelayIsJittered) {
  ReconnectSchedule schedule(servers_, backoff_, [] { return 0.0; });
  schedule.count_failure();
  EXPECT_EQ(schedule.delay(), Millis(500));
}

}  // namespace
}  // namespace triggerd::mqtt
