#include "trigger/retained_filter.hpp"

#include <gtest/gtest.h>

namespace triggerd::trigger {
namespace {

class RetainedFilterTest : public testing::Test {
 protected:
  static std::span<const std::uint8_t> bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  }

  std::vector<RetainedFilter::Handled> remembered_;
};

TEST_F(RetainedFilterTest, ProcessTakesEachAndSkipTakesNone) {
  RetainedFilter process{config::Retained::process, nullptr};
  RetainedFilter skip{config::Retained::skip, nullptr};
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(process.takes("a", bytes("on")));
    EXPECT_FALSE(skip.takes("a", bytes("on")));
  }
  process.handled("a", bytes("on"));  // and remembers nothing: there is nobody to
  EXPECT_FALSE(process.remembers());
}

TEST_F(RetainedFilterTest, OnceTakesWhatDiffersFromTheLastOfItsTopic) {
  RetainedFilter once{config::Retained::once,
                      [](std::string_view, std::string_view) { FAIL() << "nothing is handled"; }};
  EXPECT_TRUE(once.takes("a", bytes("on")));
  EXPECT_FALSE(once.takes("a", bytes("on"))) << "taken, even if it is not handled yet";
  EXPECT_TRUE(once.takes("b", bytes("on")));
  EXPECT_TRUE(once.takes("a", bytes("off")));
  EXPECT_TRUE(once.takes("a", bytes("on"))) << "it is the last one that counts";
  EXPECT_TRUE(once.takes("c", {})) << "an empty payload is one, too";
  EXPECT_FALSE(once.takes("c", {}));
}

TEST_F(RetainedFilterTest, WhatWasHandledIsKnownAfterARestart) {
  RetainedFilter before{config::Retained::once,
                        [this](std::string_view topic, std::string_view digest) {
                          remembered_.emplace_back(topic, digest);
                        }};
  ASSERT_TRUE(before.takes("a", bytes("on")));
  ASSERT_TRUE(before.takes("b", bytes("on")));
  before.handled("a", bytes("on"));
  ASSERT_EQ(remembered_.size(), 1u);
  RetainedFilter after{config::Retained::once, [](std::string_view, std::string_view) {}};
  after.load(remembered_);
  EXPECT_FALSE(after.takes("a", bytes("on")));
  EXPECT_TRUE(after.takes("a", bytes("off")));
  EXPECT_TRUE(after.takes("b", bytes("on"))) << "taken before, and not handled";
}

}  // namespace
}  // namespace triggerd::trigger
