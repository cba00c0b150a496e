#include "control/reload/alias_states.hpp"

#include <gtest/gtest.h>

#include "unit/control/fixture.hpp"

namespace triggerd::control::test {
namespace {

class AliasStatesTest : public Parts {};

TEST_F(AliasStatesTest, WhatAnAdministratorDisabledIsDisabledWhateverTheFilesSay) {
  config::Config all;
  all.aliases = {alias_named("a"), alias_named("b")};
  ASSERT_TRUE(set_alias_state(inbox_->triggers(), "a",
                              inbox::TriggerState{.changed_by = "somebody", .reason = "repairs"}));
  config::Config read = all;
  const auto states = overlay_alias_states(inbox_->triggers(), read);
  ASSERT_TRUE(states);
  ASSERT_EQ(states->size(), 1U);
  EXPECT_EQ(states->at("a").reason, "repairs");
  EXPECT_FALSE(read.aliases[0].enabled);
  EXPECT_TRUE(read.aliases[1].enabled);

  ASSERT_TRUE(set_alias_state(inbox_->triggers(), "a", std::nullopt));
  read = all;
  EXPECT_TRUE(overlay_alias_states(inbox_->triggers(), read)->empty());
  EXPECT_TRUE(read.aliases[0].enabled);
}

TEST_F(AliasStatesTest, ATriggerOfThatNameHasAStateOfItsOwn) {
  ASSERT_TRUE(inbox_->triggers().set_state("a", inbox::TriggerState{.reason = "of the trigger"}));
  config::Config all;
  all.aliases = {alias_named("a")};
  EXPECT_TRUE(overlay_alias_states(inbox_->triggers(), all)->empty());
}

}  // namespace
}  // namespace triggerd::control::test
