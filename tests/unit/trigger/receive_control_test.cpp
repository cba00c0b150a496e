#include "trigger/receive_control.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "support/capture_log.hpp"
#include "support/fake_clock.hpp"

namespace triggerd::trigger {
namespace {

class ScriptedReceiver final : public Receiver {
 public:
  void pause_reading() override { reading = false; }
  void resume_reading() override {
    reading = true;
    ++resumes;
  }
  void disconnect(const std::string& why) override {
    connected = false;
    reasons.push_back(why);
  }
  void connect() override { connected = true; }
  Millis keep_alive() const override { return keeps_alive; }
  bool clean_session() const override { return clean; }

  bool reading = true;
  bool connected = true;
  int resumes = 0;
  bool clean = false;
  Millis keeps_alive{20'000};
  std::vector<std::string> reasons;
};

class ReceiveControlTest : public testing::Test {
 protected:
  ReceiveControlTest() { control_.use(receiver_); }

  // As a trigger does when something has changed.
  void update() {
    control_.update();
    supervisor_.post([this] { control_.apply(); });
    supervisor_.run_due();
  }
  void pause(const std::string& why, bool at_once = false) {
    wish_.pause = why;
    wish_.at_once = at_once;
    update();
  }
  // In steps, as a loop that runs would take them.
  void pass(Millis time) {
    for (; time > Millis(0); time -= Millis(50)) {
      clock_.advance(Millis(50));
      supervisor_.run_due();
    }
  }

  test::FakeClock clock_;
  EventLoop supervisor_{clock_};
  TaskGuard tasks_;
  test::CaptureLog log_;
  ScriptedReceiver receiver_;
  ReceiveControl::Wish wish_;
  ReceiveControl control_{"t", [this] { return wish_; }, supervisor_, tasks_, log_};
};

TEST_F(ReceiveControlTest, AShortPauseOnlyStopsReading) {
  pause("full");
  EXPECT_FALSE(receiver_.reading);
  pass(Millis(900));
  pause("");
  EXPECT_TRUE(receiver_.reading);
  EXPECT_TRUE(receiver_.connected);
  EXPECT_EQ(log_.count("trigger.paused"), 0u) << "not worth a line";
}

TEST_F(ReceiveControlTest, APauseThatLastsIsReportedOnceAndSoIsItsEnd) {
  pause("full");
  pass(Millis(3'000));
  EXPECT_EQ(log_.count("trigger.paused"), 1u);
  pause("");
  EXPECT_EQ(log_.count("trigger.resumed"), 1u);
  pass(Millis(3'000));
  EXPECT_EQ(log_.count("trigger.resumed"), 1u);
}

TEST_F(ReceiveControlTest, DisconnectsBeforeKeepAliveRunsOutAndConnectsAgain) {
  pause("full");
  pass(Millis(14'500));
  EXPECT_TRUE(receiver_.connected);
  pass(Millis(1'000));
  EXPECT_FALSE(receiver_.connected);
  EXPECT_EQ(receiver_.reasons, std::vector<std::string>{"full"});
  pause("");
  EXPECT_TRUE(receiver_.connected);
  EXPECT_TRUE(receiver_.reading);
}

TEST_F(ReceiveControlTest, WithoutKeepAliveAPauseNeverDisconnects) {
  receiver_.keeps_alive = Millis(0);
  pause("full");
  pass(Millis(120'000));
  EXPECT_TRUE(receiver_.connected);
}

TEST_F(ReceiveControlTest, ACleanSessionStaysConnectedForItWouldLoseWhatComes) {
  receiver_.clean = true;
  pause("full");
  pass(Millis(120'000));
  EXPECT_TRUE(receiver_.connected);
  pause("disabled", true);
  EXPECT_FALSE(receiver_.connected) << "but for a pause that is to disconnect";
}

TEST_F(ReceiveControlTest, APauseAtOnceDisconnectsAndIsReportedAtOnce) {
  pause("suspended", true);
  EXPECT_FALSE(receiver_.connected);
  EXPECT_EQ(log_.count("trigger.paused"), 1u);
}

TEST_F(ReceiveControlTest, WhatStopsIsNotDisconnectedSoThatAcknowledgementsCanLeave) {
  wish_.may_disconnect = false;
  pause("the runtime is stopping", true);
  pass(Millis(60'000));
  EXPECT_TRUE(receiver_.connected);
  EXPECT_FALSE(receiver_.reading);
  EXPECT_EQ(log_.count("trigger.paused"), 0u);
}

TEST_F(ReceiveControlTest, WhatUnsubscribesForGoodIsNotConnectedAgain) {
  pause("disabled", true);
  wish_.may_connect = false;
  pause("");
  EXPECT_FALSE(receiver_.connected);
  wish_.may_connect = true;
  update();
  EXPECT_TRUE(receiver_.connected);
}

TEST_F(ReceiveControlTest, TroubleOfTheInboxPausesAndOtherReasonsGoFirst) {
  control_.note_inbox_trouble("no space left");
  update();
  EXPECT_FALSE(receiver_.reading);
  EXPECT_EQ(control_.status().reason, "the inbox takes no messages: no space left");
  wish_.pause = "full";
  EXPECT_EQ(control_.status().reason, "full");
  wish_.pause.clear();
  control_.note_inbox_trouble("");
  update();
  EXPECT_TRUE(receiver_.reading);
}

// Nobody tells when what the server sent too much of is written.
TEST_F(ReceiveControlTest, APauseEndsWithItsReasonEvenIfNobodySaysSo) {
  pause("overrun");
  wish_.pause.clear();
  EXPECT_FALSE(receiver_.reading);
  pass(Millis(300));
  EXPECT_TRUE(receiver_.reading);
  const int resumes = receiver_.resumes;
  pass(Millis(5'000));
  EXPECT_EQ(receiver_.resumes, resumes) << "it does not look any more";
}

TEST_F(ReceiveControlTest, CountsTheTimeOfAllPauses) {
  pause("full");
  pass(Millis(2'000));
  EXPECT_EQ(control_.status().total, Millis(2'000));
  EXPECT_TRUE(control_.status().paused);
  pause("");
  pass(Millis(10'000));
  EXPECT_EQ(control_.status().total, Millis(2'000));
  EXPECT_FALSE(control_.status().paused);
  pause("full");
  pass(Millis(500));
  EXPECT_EQ(control_.status().total, Millis(2'500));
}

TEST_F(ReceiveControlTest, DoesNothingMoreOnceItsTasksHaveEnded) {
  pause("full");
  tasks_.end();
  pass(Millis(60'000));
  EXPECT_TRUE(receiver_.connected);
}

}  // namespace
}  // namespace triggerd::trigger
