#include "control/plugins/probation.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/fake_clock.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::control {
namespace {

using Kind = Probation::Judgement::Kind;

class ProbationTest : public testing::Test {
 protected:
  std::filesystem::path copy(const std::string& name) {
    std::ofstream(dir_ / name) << name;
    return dir_ / name;
  }
  void begin(Verdicts before = {.good = 100, .bad = 0}) {
    probation_.begin("p", copy("before"), {{"t", before}});
  }
  // What becomes of it, once "t" has had these verdicts from it.
  Kind judged(Verdicts since, Verdicts before = {.good = 100, .bad = 0}) {
    return probation_
        .judge("p", {{"t", {.good = before.good + since.good, .bad = before.bad + since.bad}}})
        .kind;
  }

  triggerd::test::TempDir dir_;
  triggerd::test::FakeClock clock_;
  Probation probation_{clock_, Millis(30'000)};
};

TEST_F(ProbationTest, NineFailuresAreNotEnough) {
  begin();
  EXPECT_EQ(judged({.good = 0, .bad = 9}), Kind::stays);
  EXPECT_EQ(judged({.good = 0, .bad = 10}), Kind::failed);
}

TEST_F(ProbationTest, HalfOfTheVerdictsAreNotEnough) {
  begin();
  EXPECT_EQ(judged({.good = 50, .bad = 50}), Kind::stays);
  EXPECT_EQ(judged({.good = 50, .bad = 51}), Kind::failed);
}

TEST_F(ProbationTest, WhereTheOneBeforeFailedAsMuchItIsNotTheBuild) {
  const Verdicts before{.good = 4, .bad = 5};
  begin(before);
  EXPECT_EQ(judged({.good = 0, .bad = 100}, before), Kind::stays);
}

TEST_F(ProbationTest, AllTriggersOfItCountTogether) {
  probation_.begin("p", copy("before"), {{"t", {}}, {"u", {}}});
  EXPECT_EQ(
      probation_.judge("p", {{"t", {.good = 0, .bad = 6}}, {"u", {.good = 7, .bad = 0}}}).kind,
      Kind::stays);
  EXPECT_EQ(
      probation_.judge("p", {{"t", {.good = 0, .bad = 6}}, {"u", {.good = 0, .bad = 5}}}).kind,
      Kind::failed);
}

TEST_F(ProbationTest, ATriggerThatIsGoneOrCameLaterDoesNotCount) {
  probation_.begin("p", copy("before"), {{"t", {}}, {"gone", {}}});
  probation_.forget_trigger("gone");
  EXPECT_EQ(probation_
                .judge("p", {{"t", {.good = 1, .bad = 0}},
                             {"gone", {.good = 0, .bad = 50}},
                             {"later", {.good = 0, .bad = 50}}})
                .kind,
            Kind::stays);
  EXPECT_EQ(probation_.judge("p", {}).kind, Kind::stays) << "nor one that is not running now";
}

TEST_F(ProbationTest, ItIsTrustedOnceItsTimeIsOver) {
  begin();
  clock_.advance(Millis(29'999));
  EXPECT_EQ(judged({}), Kind::stays);
  clock_.advance(Millis(1));
  EXPECT_EQ(judged({}), Kind::trusted);
  EXPECT_FALSE(probation_.contains("p"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "before"));
  EXPECT_EQ(judged({.good = 0, .bad = 100}), Kind::trusted);
}

TEST_F(ProbationTest, OneThatHasFailedLeavesTheCopyOfTheOneBefore) {
  begin();
  const auto judgement = probation_.judge("p", {{"t", {.good = 102, .bad = 12}}});
  EXPECT_EQ(judgement.kind, Kind::failed);
  EXPECT_EQ(judgement.previous, dir_ / "before");
  EXPECT_TRUE(std::filesystem::exists(judgement.previous));
  EXPECT_EQ(judgement.reason, "12 of 14 verdicts are failures");
  EXPECT_FALSE(probation_.contains("p"));
}

TEST_F(ProbationTest, OneDoesWellThatHasHandledSomethingAndMostOfItWell) {
  const auto does_well = [this](Verdicts since) {
    return probation_.is_doing_well("p", {{"t", since}});
  };
  EXPECT_TRUE(does_well({})) << "it is not on probation";
  begin({});
  EXPECT_FALSE(does_well({}));
  EXPECT_TRUE(does_well({.good = 1, .bad = 1}));
  EXPECT_FALSE(does_well({.good = 1, .bad = 2}));
}

TEST_F(ProbationTest, WhoForgetsItRemovesTheCopy) {
  begin();
  EXPECT_EQ(probation_.previous("p"), dir_ / "before");
  probation_.forget("p");
  probation_.forget("p");
  EXPECT_EQ(probation_.previous("p"), std::filesystem::path());
  EXPECT_FALSE(std::filesystem::exists(dir_ / "before"));
}

TEST_F(ProbationTest, EachPluginIsOnItsOwn) {
  begin();
  probation_.begin("q", copy("q before"), {{"u", {}}});
  EXPECT_EQ(judged({.good = 0, .bad = 10}), Kind::failed);
  EXPECT_TRUE(probation_.contains("q"));
}

}  // namespace
}  // namespace triggerd::control
