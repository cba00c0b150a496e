#include "control/members/client_ids.hpp"

#include <gtest/gtest.h>

#include "unit/control/fixture.hpp"

namespace triggerd::control::test {
namespace {

class ClientIdsTest : public Parts {};

TEST_F(ClientIdsTest, TheConfigurationsCountsAndOneThatItDoesNotNameIsDrawnOnce) {
  config::Config all;
  all.aliases = {alias_named("named"), alias_named("drawn")};
  all.aliases[1].client_id.clear();
  const auto ids = client_ids_->of_all(all);
  ASSERT_TRUE(ids);
  EXPECT_EQ(ids->at("named"), "id-named");
  const std::string drawn = ids->at("drawn");
  EXPECT_TRUE(drawn.starts_with("triggerd-"));
  EXPECT_EQ(client_ids_->of(all.aliases[1]).value(), drawn);
  ClientIds of_the_next_start(inbox_->sessions());
  EXPECT_EQ(of_the_next_start.of(all.aliases[1]).value(), drawn);
}

TEST_F(ClientIdsTest, AnAliasThatGetsAClientIdHasThatFromThenOn) {
  config::Alias alias = alias_named("a");
  alias.client_id.clear();
  const std::string drawn = client_ids_->of(alias).value();
  alias.client_id = "written";
  EXPECT_EQ(client_ids_->of(alias).value(), "written");
  EXPECT_NE(drawn, "written");
}

}  // namespace
}  // namespace triggerd::control::test
