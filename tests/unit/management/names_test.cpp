// What clients of the HTTP API read: these names stay.
#include <gtest/gtest.h>

#include "management/status.hpp"

namespace triggerd::management {
namespace {

TEST(ManagementNamesTest, EachAgeOfACertificateHasItsName) {
  using Age = CertificateStatus::Age;
  EXPECT_EQ(to_string(Age::good), "good");
  EXPECT_EQ(to_string(Age::ends_soon), "ends_soon");
  EXPECT_EQ(to_string(Age::expired), "expired");
  EXPECT_EQ(to_string(Age::not_yet), "not_yet");
}

TEST(ManagementNamesTest, EachStateOfATriggerHasItsName) {
  using State = TriggerStatus::State;
  EXPECT_EQ(to_string(State::enabled), "enabled");
  EXPECT_EQ(to_string(State::suspended), "suspended");
  EXPECT_EQ(to_string(State::disabled), "disabled");
}

}  // namespace
}  // namespace triggerd::management
