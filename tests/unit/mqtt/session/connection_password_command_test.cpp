// A password that a program prints.
#include "unit/mqtt/session/connection_fixture.hpp"

namespace triggerd::mqtt {
namespace {

using State = ConnectionStatus::State;
using test::ConnectionTest;
using Words = PasswordCommands::Words;

class PasswordCommandTest : public ConnectionTest {
 protected:
  PasswordCommandTest() {
    options_.user_name = "edge user";
    options_.password_command = {.words = {"token", "--for={client_id}", "{alias}/{user_name}{{}}"},
                                 .timeout = Millis(7'000)};
    options_.servers.resize(1);
    resolver_.addresses = {{"one", {"10.0.0.1"}}};
    options_.reconnect.min = options_.reconnect.max = Millis(60'000);
    password_commands_.prints = config::Secret("one");
  }
  const std::string& sent() const { return request().password.reveal(); }
};

TEST_F(PasswordCommandTest, ItIsRunBeforeEachConnect) {
  open();
  EXPECT_EQ(password_commands_.asked,
            (std::vector<Words>{{"token", "--for=edge", "plant/edge user{}"}}));
  EXPECT_EQ(password_commands_.last_timeout, Millis(7'000));
  EXPECT_EQ(sent(), "one");
  connected();
  subscribed({1, 2});
  password_commands_.prints = config::Secret("two");
  lost();
  advance(Millis(60'000));
  EXPECT_EQ(sent(), "two");
  EXPECT_TRUE(password_commands_.refusals.empty());
}

TEST_F(PasswordCommandTest, NothingElseHappensBeforeItHasPrinted) {
  password_commands_.waits = true;
  open();
  EXPECT_TRUE(resolver_.resolved.empty());
  EXPECT_EQ(listener_.status().state, State::connecting);
  password_commands_.waiting(config::Secret("late"));
  loop_->run_due();
  EXPECT_EQ(sent(), "late");
}

TEST_F(PasswordCommandTest, AFailureIsAReasonAndTriedAgain) {
  password_commands_.prints = fail("exit code 1: no ticket");
  open();
  EXPECT_TRUE(asked_.connects.empty());
  EXPECT_EQ(listener_.status().state, State::waiting);
  EXPECT_EQ(listener_.status().reason, "password_command (token): exit code 1: no ticket");
  password_commands_.prints = config::Secret("one");
  advance(Millis(60'000));
  EXPECT_EQ(sent(), "one");
}

TEST_F(PasswordCommandTest, AConnectionThatIsClosedMeanwhileDoesNotConnect) {
  password_commands_.waits = true;
  open();
  connection_->pause("for a while");
  loop_->run_due();
  password_commands_.waiting(config::Secret("late"));
  loop_->run_due();
  EXPECT_TRUE(asked_.connects.empty());
}

TEST_F(PasswordCommandTest, ARefusedOneIsNotUsedAgain) {
  open();
  connect_failed(5);
  EXPECT_EQ(password_commands_.refusals, std::vector<std::string>{"token one"});
  advance(Millis(60'000));
  connect_failed(4);
  EXPECT_EQ(password_commands_.refusals.size(), 2U);
  advance(Millis(60'000));
  connect_failed(3);  // unavailable, which says nothing of the password
  advance(Millis(60'000));
  connect_failed();
  EXPECT_EQ(password_commands_.refusals.size(), 2U);
}

TEST_F(PasswordCommandTest, MqttFiveHasOtherCodesForIt) {
  options_.protocol = config::Protocol::v5;
  open();
  for (const int code : {0x86, 0x87, 0x8c}) {
    connect_failed(code);
    advance(Millis(60'000));
  }
  EXPECT_EQ(password_commands_.refusals.size(), 3U);
  connect_failed(0x88);
  EXPECT_EQ(password_commands_.refusals.size(), 3U);
}

}  // namespace
}  // namespace triggerd::mqtt
