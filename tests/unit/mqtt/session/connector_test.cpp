#include "mqtt/session/connector.hpp"

#include "unit/mqtt/session/context_fixture.hpp"

namespace triggerd::mqtt {
namespace {

class ConnectorTest : public test::FakedContext {
 protected:
  ConnectorTest() : FakedContext(options()) {
    connector_.use(client_);
    resolver_.addresses = {{"one", {"10.0.0.1", "::1"}}, {"two", {"10.0.0.2"}}};
  }
  static ConnectionOptions options() {
    ConnectionOptions options;
    options.servers = {{.host = "one", .port = 1883}, {.host = "two", .port = 1884}};
    options.connection_timeout = Millis(30'000);
    options.keep_alive = Millis(60'000);
    return options;
  }
  void begin() {
    connector_.begin_round();
    loop_->run_due();
  }
  void failed(int code, const std::string& why = "socket error") {
    connector_.failed(code, why);
    loop_->run_due();
  }
  std::vector<std::string> tried() const {
    std::vector<std::string> addresses;
    for (const auto& connect : asked_.connects) addresses.push_back(connect.request.address);
    return addresses;
  }

  ReconnectSchedule schedule_{context_.options.servers, context_.options.reconnect,
                              [] { return 1.0; }};
  SessionHistory history_{"edge", false, std::make_shared<Losses>()};
  Credentials credentials_{context_.options, context_.log};
  std::vector<std::string> servers_;
  std::vector<std::string> failures_;
  Connector connector_{
      context_,
      schedule_,
      history_,
      credentials_,
      {.on_server = [this](const std::string& server) { servers_.push_back(server); },
       .on_round_failed = [this](const std::string& why) { failures_.push_back(why); }}};
};

TEST_F(ConnectorTest, ConnectsToTheFirstAddressAndIsDoneOnceItIsAccepted) {
  begin();
  EXPECT_EQ(servers_, std::vector<std::string>{"tcp://one:1883"});
  ASSERT_EQ(tried(), std::vector<std::string>{"10.0.0.1"});
  EXPECT_EQ(asked_.attempt(), connector_.attempt());
  EXPECT_EQ(asked_.connects[0].request.keep_alive, Millis(60'000));
  EXPECT_TRUE(connector_.accepted());
  EXPECT_FALSE(connector_.accepted()) << "once";
  advance(std::chrono::minutes(1));
  EXPECT_EQ(asked_.given_up, 0U);
  EXPECT_EQ(connector_.where(), "tcp://one:1883");
}

TEST_F(ConnectorTest, TriesAllAndSaysOfEachWhyNot) {
  begin();
  for (int i = 0; i < 3; ++i) failed(0);
  EXPECT_EQ(tried(), (std::vector<std::string>{"10.0.0.1", "::1", "10.0.0.2"}));
  EXPECT_EQ(failures_, std::vector<std::string>{"tcp://one:1883: Connection refused; "
                                                "tcp://one:1883: Connection refused; "
                                                "tcp://two:1884: Connection refused"});
}

TEST_F(ConnectorTest, AServerThatHasSpokenIsNotAskedAtItsOtherAddresses) {
  begin();
  failed(5);
  EXPECT_EQ(tried(), (std::vector<std::string>{"10.0.0.1", "10.0.0.2"}));
  failed(kNotTaken, "the proxy says no");
  EXPECT_EQ(failures_, std::vector<std::string>{
                           "tcp://one:1883: the server refused the connection: not authorized "
                           "(return code 5); tcp://two:1884: the proxy says no"});
  EXPECT_TRUE(resolver_.explained.empty());
}

TEST_F(ConnectorTest, AServerWithoutAnAddressIsPassedOver) {
  resolver_.addresses.erase("one");
  begin();
  EXPECT_EQ(tried(), std::vector<std::string>{"10.0.0.2"});
  EXPECT_EQ(servers_.size(), 2U);
}

TEST_F(ConnectorTest, AConnectThatTakesTooLongIsGivenUpAndItsNextAddressTried) {
  begin();
  advance(Millis(30'000));
  EXPECT_EQ(asked_.given_up, 1U);
  failed(0);
  EXPECT_EQ(tried(), (std::vector<std::string>{"10.0.0.1", "::1"}));
  EXPECT_TRUE(resolver_.explained.empty());
}

TEST_F(ConnectorTest, ALibraryThatNeverAnswersIsLeftBehind) {
  begin();
  advance(Millis(30'000));
  advance(Millis(10'000));
  EXPECT_EQ(log_.lines("connection.library_silent").size(), 1U);
  EXPECT_EQ(tried().size(), 2U);
}

TEST_F(ConnectorTest, AConnectThatTheLibraryRefusesIsAFailureOfItsAddress) {
  asked_.refuse_connect = true;
  begin();
  EXPECT_EQ(tried().size(), 3U);
  ASSERT_EQ(failures_.size(), 1U);
  EXPECT_TRUE(failures_[0].starts_with("tcp://one:1883: the library is out of order; "));
}

TEST_F(ConnectorTest, StoppedWhileItLooksANameUpItForgetsTheAnswer) {
  connector_.begin_round();
  EXPECT_FALSE(connector_.stop());
  loop_->run_due();
  EXPECT_TRUE(tried().empty());
  EXPECT_TRUE(failures_.empty());
}

TEST_F(ConnectorTest, StoppedWhileTheLibraryConnectsItWaitsForTheLibrary) {
  begin();
  const ConnectAttempt attempt = connector_.attempt();
  EXPECT_TRUE(connector_.stop());
  EXPECT_EQ(connector_.attempt(), attempt) << "its answer is still to come";
  failed(0);
  advance(std::chrono::minutes(1));
  EXPECT_EQ(tried().size(), 1U);
  EXPECT_TRUE(failures_.empty());
}

TEST_F(ConnectorTest, AnExplanationThatComesTooLateIsNotUsed) {
  begin();
  connector_.failed(0, "socket error");
  EXPECT_FALSE(connector_.stop());
  loop_->run_due();
  EXPECT_EQ(tried().size(), 1U);
}

TEST_F(ConnectorTest, TheServersKeepAliveIsAskedForNext) {
  connector_.set_keep_alive(Millis(20'000));
  begin();
  EXPECT_EQ(asked_.connects[0].request.keep_alive, Millis(20'000));
}

}  // namespace
}  // namespace triggerd::mqtt
