#include "control/members/session_choice.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "unit/control/fixture.hpp"

namespace triggerd::control::test {
namespace {

using Kind = SessionFate::Kind;

constexpr const char* kServer = "tcp://one:1883";

class SessionChoiceTest : public testing::Test {
 protected:
  SessionChoiceTest() {
    before_.aliases = {alias_named("a")};
    before_.triggers = {trigger_named("t", "a")};
    now_ = before_;
    now_.triggers.clear();
  }
  static ClientIds::ByAlias ids_of(const config::Config& all) {
    ClientIds::ByAlias ids;
    for (const config::Alias& alias : all.aliases) ids[alias.name] = alias.client_id;
    return ids;
  }
  // Of the session of trigger t, unless it says otherwise.
  SessionFate fate(const inbox::Session& session = {"id-a.t", "a", kServer},
                   bool knows_before = true) {
    ids_now_ = ids_of(now_);
    ids_before_ = ids_of(before_);
    PackageFailures failures(shared(now_));
    for (const std::string& package : broken_) failures.add(package, {{}, "it is broken"});
    const Identified before{before_, ids_before_};
    return fates_of({session}, {now_, ids_now_}, failures, knows_before ? &before : nullptr).at(0);
  }

  config::Config before_;
  config::Config now_;
  std::vector<std::string> broken_;
  ClientIds::ByAlias ids_now_;
  ClientIds::ByAlias ids_before_;
};

TEST_F(SessionChoiceTest, TheSessionOfATriggerIsWantedEvenIfItIsDisabled) {
  now_.triggers = before_.triggers;
  EXPECT_EQ(fate().kind, Kind::wanted);
  now_.triggers[0].enabled = false;
  EXPECT_EQ(fate().kind, Kind::wanted);
}

TEST_F(SessionChoiceTest, ThatOfATriggerThatIsGoneIsEndedWithItsAliasAsItWas) {
  const SessionFate ends = fate();
  EXPECT_EQ(ends.kind, Kind::end);
  EXPECT_TRUE(ends.as_before);
  EXPECT_EQ(ends.alias, &before_.aliases[0]);
}

TEST_F(SessionChoiceTest, AnAliasThatIsGoneWithItEndsItAllTheSame) {
  now_.aliases.clear();
  EXPECT_EQ(fate().alias, &before_.aliases[0]);
}

TEST_F(SessionChoiceTest, AfterAStartTheAliasOfNowEndsIt) {
  const SessionFate ends = fate({"id-a.t", "a", kServer}, false);
  EXPECT_EQ(ends.kind, Kind::end);
  EXPECT_FALSE(ends.as_before);
  EXPECT_EQ(ends.alias, &now_.aliases[0]);
}

TEST_F(SessionChoiceTest, OneThatAnOlderVersionMadeIsFoundByItsClientId) {
  const SessionFate ends = fate({"id-a.t", "", ""}, false);
  EXPECT_EQ(ends.kind, Kind::end);
  EXPECT_EQ(ends.alias, &now_.aliases[0]);
}

TEST_F(SessionChoiceTest, WhereNothingSaysHowToEndItItStays) {
  now_.aliases.clear();
  const SessionFate stays = fate({"id-a.t", "a", kServer}, false);
  EXPECT_EQ(stays.kind, Kind::stays);
  EXPECT_EQ(stays.why,
            "nothing in the configuration connects there any more: clean up on the server");
}

TEST_F(SessionChoiceTest, AnAliasThatNamesAnotherServerCannotEndIt) {
  now_.aliases[0].servers[0].host = "two";
  const SessionFate stays = fate({"id-a.t", "a", kServer}, false);
  EXPECT_EQ(stays.kind, Kind::stays);
  EXPECT_EQ(stays.why, "alias \"a\" now names another server: clean up on the old one");
  EXPECT_TRUE(fate().as_before) << "the alias as it was until now can";
}

TEST_F(SessionChoiceTest, AnAliasThatDoesNotRunEndsItOnceItDoes) {
  now_.aliases[0].enabled = false;
  EXPECT_EQ(fate().kind, Kind::stays);
  now_.aliases[0].enabled = true;
  now_.aliases[0].package = "p";
  broken_ = {"p"};
  EXPECT_EQ(fate().kind, Kind::stays);
}

TEST_F(SessionChoiceTest, WhatMayBeInAPackageThatCannotBeReadIsLeftAlone) {
  config::Package package;
  package.name = "p";
  package.problems = {{{}, "no such key"}};
  now_.packages = {package};
  EXPECT_EQ(fate({"id-b.u", "b", kServer}, false).kind, Kind::unknown) << "it may be of any";
  EXPECT_EQ(fate().kind, Kind::end) << "it was of none";
  before_.triggers[0].package = "p";
  EXPECT_EQ(fate().kind, Kind::unknown);
}

TEST_F(SessionChoiceTest, OneOfWhichNothingIsKnownIsEndedByHand) {
  const SessionFate stays = fate({"somebody.t", "", ""}, false);
  EXPECT_EQ(stays.kind, Kind::stays);
  EXPECT_EQ(stays.why,
            "nothing in the configuration connects there any more: clean up on the server");
}

}  // namespace
}  // namespace triggerd::control::test
