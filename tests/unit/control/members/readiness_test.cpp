#include "control/members/readiness.hpp"

#include <gtest/gtest.h>

#include "unit/control/fixture.hpp"

namespace triggerd::control::test {
namespace {

class ReadinessTest : public Parts {};

TEST_F(ReadinessTest, SaysOnceThatEverythingRunsAndOnceThatItCeasedTo) {
  resolver_.addresses = {{"one", {"10.0.0.1"}}};
  const AliasPtr alias = take_in(alias_named("a"));
  readiness_.update();
  EXPECT_TRUE(log_.lines("runtime.ready").empty());
  ASSERT_EQ(readiness_.reasons().size(), 1U);
  EXPECT_TRUE(readiness_.reasons()[0].starts_with("alias \"a\" is not connected: "));
  connected();
  EXPECT_TRUE(readiness_.reasons().empty());
  readiness_.update();
  EXPECT_EQ(log_.lines("runtime.ready").size(), 1U);
  asked_.events->on_lost(asked_.attempt(), "", -1);
  supervisor_->run_due();
  EXPECT_EQ(log_.lines("runtime.not_ready").size(), 1U);
}

TEST_F(ReadinessTest, NamesWhatIsBrokenNotMadeAndInTrouble) {
  config::Config all;
  config::Package package;
  package.name = "p";
  all.packages = {package};
  run(shared(all));
  registry_.change([](Running& running) {
    running.failures.add("p", {{}, "it is broken"});
    running.not_made["t"] = "its alias is not running";
  });
  inbox_health_.note("the disk is full");
  EXPECT_EQ(readiness_.reasons(),
            (std::vector<std::string>{"package \"p\" is broken",
                                      "trigger \"t\" is not running: its alias is not running",
                                      "the inbox takes no messages: the disk is full"}));
  inbox_health_.note(std::nullopt);
  EXPECT_EQ(readiness_.reasons().size(), 2U);
  EXPECT_EQ(log_.lines("inbox.recovered").size(), 1U);
}

TEST_F(ReadinessTest, ARuntimeThatStopsIsNotReadyAndSaysNothingOfIt) {
  control_.begin_stop();
  EXPECT_EQ(readiness_.reasons(), std::vector<std::string>{"the runtime is stopping"});
  readiness_.update();
  EXPECT_TRUE(log_.lines("runtime.ready").empty());
}

}  // namespace
}  // namespace triggerd::control::test
