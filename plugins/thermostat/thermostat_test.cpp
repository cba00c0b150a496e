#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <trigger/testing.hpp>
#include <utility>
#include <vector>

namespace {

using trigger::testing::Attempt;
using trigger::testing::Instance;
using trigger::testing::Message;
using trigger::testing::Plugin;
using trigger::testing::Settings;

const std::string sensor = "plant/a/temperature";

// An instance with a limit of 80 and a hysteresis of 2, which is the default.
class Thermostat : public ::testing::Test {
 protected:
  static Instance run(Settings more = {}) {
    more.emplace_back("limit_celsius", 80);
    return Plugin(PLUGIN_FILE).run("high-temperature", more);
  }

  // Sends a reading and says yes to the publish it makes, if any: what it published, or "".
  static std::string alert_of(Instance& instance, const std::string& payload,
                              const std::string& topic = sensor) {
    const std::size_t before = instance.publishes().size();
    const Attempt attempt = instance.send({topic, payload});
    const auto published = instance.publishes();
    if (published.size() > before) {
      EXPECT_TRUE(attempt.pending()) << payload;
      instance.finish_publish(before);
    }
    EXPECT_EQ(attempt.code(), TRIGGER_OK) << payload;
    EXPECT_TRUE(instance.violations().empty());
    return published.size() > before ? published.back().payload : "";
  }

  static std::string high(const std::string& celsius, const std::string& topic = sensor) {
    return "{\"sensor\":\"" + topic + "\",\"celsius\":" + celsius +
           ",\"limit\":80,\"state\":\"high\"}";
  }
  static std::string normal(const std::string& celsius) {
    return "{\"sensor\":\"" + sensor + "\",\"celsius\":" + celsius +
           ",\"limit\":80,\"state\":\"normal\"}";
  }
};

TEST_F(Thermostat, AlertsOnceAboveAndOnceBelow) {
  Instance instance = run();
  const std::vector<std::pair<std::string, std::string>> readings = {
      {"80", ""},        {"80.5", high("80.5")},   {"95", ""}, {"80", ""},
      {"78", ""},        {"77.9", normal("77.9")}, {"20", ""}, {"79", ""},
      {"81", high("81")}};
  for (const auto& [payload, alert] : readings) {
    EXPECT_EQ(alert_of(instance, payload), alert) << payload;
  }
}

TEST_F(Thermostat, PublishesAsItIsSet) {
  Instance instance = run({{"alert_topic", "hot/{topic:2}"}, {"alert_qos", 2}});
  instance.send({sensor, "91"});
  const auto published = instance.publishes();
  ASSERT_EQ(published.size(), 1u);
  EXPECT_EQ(published[0].topic, "hot/a");
  EXPECT_EQ(published[0].qos, 2u);
  EXPECT_EQ(published[0].alias, "");
  EXPECT_FALSE(published[0].retain);

  Instance by_default = run();
  by_default.send({sensor, "91"});
  EXPECT_EQ(by_default.publishes().at(0).topic, "alerts/" + sensor);
  EXPECT_EQ(by_default.publishes().at(0).qos, 1u);
}

TEST_F(Thermostat, KeepsSensorsApart) {
  Instance instance = run();
  EXPECT_EQ(alert_of(instance, "90", "a"), high("90", "a"));
  EXPECT_EQ(alert_of(instance, "90", "b"), high("90", "b"));
  EXPECT_EQ(alert_of(instance, "91", "a"), "");
}

TEST_F(Thermostat, WritesTheSensorAsAJsonString) {
  Instance instance = run();
  EXPECT_EQ(alert_of(instance, "90", "a\"b\\c\x01"),
            "{\"sensor\":\"a\\\"b\\\\c\\u0001\",\"celsius\":90,\"limit\":80,\"state\":\"high\"}");
}

TEST_F(Thermostat, ReadsNumbersStrictly) {
  for (const char* good : {"21.5", " 21.5 ", "\t-3\r\n", "2e1", "0", "1e-3"}) {
    Instance instance = run();
    EXPECT_EQ(instance.send({sensor, good}).code(), TRIGGER_OK) << good;
  }
  for (const char* bad : {"", " ", "twelve", "21.5C", "21,5", "2 1", "0x10", "+5", "nan", "inf",
                          "-inf", "1e999", "21.5 x", "{}"}) {
    Instance instance = run();
    const Attempt attempt = instance.send({sensor, bad});
    EXPECT_EQ(attempt.code(), TRIGGER_REJECT) << bad;
    EXPECT_TRUE(instance.publishes().empty());
  }
}

TEST_F(Thermostat, ShowsWhatItRejects) {
  Instance instance = run();
  EXPECT_EQ(instance.send({sensor, std::string("hot\0\n", 5)}).reason(),
            "the payload \"hot\\x00\\x0a\" is not a temperature: send a number of degrees Celsius, "
            "such as 21.5");
  const std::string reason = instance.send({sensor, std::string(1 << 20, 'x')}).reason();
  EXPECT_NE(reason.find(std::string(60, 'x') + "...\""), std::string::npos);
  EXPECT_NE(reason.find("such as 21.5"), std::string::npos);
}

TEST_F(Thermostat, PublishesAgainWhenThePublishFailed) {
  Instance instance = run();
  instance.refuse_publishes(TRIGGER_E_NOT_CONNECTED);
  EXPECT_EQ(instance.send({sensor, "90"}).code(), TRIGGER_UNAVAILABLE);
  instance.refuse_publishes(TRIGGER_OK);

  const Attempt second = instance.send({sensor, "90"});
  instance.finish_publish(0, TRIGGER_E_FAILED, "connection lost");
  EXPECT_EQ(second.code(), TRIGGER_RETRY);
  EXPECT_EQ(second.reason(), "not published: connection lost");

  EXPECT_EQ(alert_of(instance, "90"), high("90"));
  EXPECT_EQ(alert_of(instance, "90"), "");

  const Attempt clear = instance.send({sensor, "20"});
  instance.finish_publish(2, TRIGGER_E_FAILED, "connection lost");
  EXPECT_EQ(clear.code(), TRIGGER_RETRY);
  EXPECT_EQ(alert_of(instance, "90"), "");  // it was still high
  EXPECT_EQ(alert_of(instance, "20"), normal("20"));
}

TEST_F(Thermostat, SendsNoSecondAlertWhileOneIsUnderWay) {
  Instance instance = run();
  const Attempt first = instance.send({sensor, "90"});
  for (const char* reading : {"91", "20"}) {
    const Attempt meanwhile = instance.send({sensor, reading});
    EXPECT_EQ(meanwhile.code(), TRIGGER_RETRY);
    EXPECT_EQ(meanwhile.reason(), "an alert for this sensor is being published");
  }
  EXPECT_EQ(instance.publishes().size(), 1u);
  instance.finish_publish(0);
  EXPECT_EQ(first.code(), TRIGGER_OK);
  EXPECT_EQ(alert_of(instance, "91"), "");

  instance.send({sensor, "20"});
  EXPECT_EQ(instance.send({sensor, "95"}).code(), TRIGGER_RETRY);
}

TEST_F(Thermostat, RemembersAnAlertThatArrivedAfterTheDeadline) {
  Instance instance = run();
  const Attempt late = instance.send({sensor, "90"});
  late.expire();
  instance.finish_publish(0);
  EXPECT_EQ(late.code(), TRIGGER_RETRY);
  EXPECT_EQ(alert_of(instance, "90"), "");
}

TEST_F(Thermostat, ForgetsAnAlertThatAStopCancelled) {
  Instance instance = run();
  instance.send({sensor, "90"});
  instance.stop();
  EXPECT_TRUE(instance.violations().empty());
  instance.start();
  EXPECT_EQ(alert_of(instance, "90"), high("90"));
}

TEST_F(Thermostat, SimulatesAnOutageAtEveryNthGoodReading) {
  Instance instance = run({{"simulate_outage_every", 3}});
  const auto code_of = [&instance](const char* payload, std::uint32_t number) {
    Message message{sensor, payload};
    message.attempt = number;
    return instance.send(message).code();
  };
  EXPECT_EQ(code_of("20", 1), TRIGGER_OK);
  EXPECT_EQ(code_of("bad", 1), TRIGGER_REJECT);
  EXPECT_EQ(code_of("20", 1), TRIGGER_OK);
  EXPECT_EQ(code_of("20", 1), TRIGGER_RETRY);
  EXPECT_EQ(code_of("20", 2), TRIGGER_OK);  // the retry does not count
  EXPECT_EQ(code_of("20", 1), TRIGGER_OK);
  EXPECT_EQ(code_of("20", 1), TRIGGER_OK);
  const Attempt sixth = instance.send({sensor, "90"});
  EXPECT_EQ(sixth.code(), TRIGGER_RETRY);
  EXPECT_EQ(sixth.reason(), "the simulated dependency is down");
  EXPECT_TRUE(instance.publishes().empty());
}

TEST_F(Thermostat, HoldsNoMoreSensorsThanItMay) {
  Instance instance = run({{"max_sensors", 2}});
  EXPECT_NE(alert_of(instance, "90", "a"), "");
  EXPECT_NE(alert_of(instance, "90", "b"), "");
  const Attempt third = instance.send({"c", "90"});
  EXPECT_EQ(third.code(), TRIGGER_RETRY);
  EXPECT_EQ(third.reason(), "the number of high sensors has reached max_sensors: 2");
  EXPECT_EQ(alert_of(instance, "20", "d"), "");  // a normal one takes no room
  EXPECT_NE(alert_of(instance, "20", "a"), "");
  EXPECT_NE(alert_of(instance, "90", "c"), "");
}

TEST_F(Thermostat, RejectsAnAlertThatMakesNoTopic) {
  Instance instance = run({{"alert_topic", "alerts/{topic:9}"}});
  const Attempt attempt = instance.send({sensor, "90"});
  EXPECT_EQ(attempt.code(), TRIGGER_REJECT);
  EXPECT_NE(attempt.reason().find("has no level 9"), std::string::npos);
  EXPECT_EQ(instance.send({sensor, "20"}).code(), TRIGGER_OK);
}

TEST_F(Thermostat, HandsItsStateToASuccessor) {
  Instance old = run();
  alert_of(old, "90", "a");
  alert_of(old, "90", "b");
  alert_of(old, "20", "b");
  old.send({"c", "90"});  // under way: cancelled by stop, so not high
  old.stop();
  const std::string state = old.save();

  Settings settings = {{"limit_celsius", 80}};
  Instance young = Plugin(PLUGIN_FILE).create("high-temperature", settings);
  EXPECT_THROW(young.restore(2, state), std::runtime_error);
  EXPECT_THROW(young.restore(1, state + "cut"), std::runtime_error);
  young.restore(1, state);
  young.start();
  EXPECT_EQ(alert_of(young, "91", "a"), "");
  EXPECT_NE(alert_of(young, "91", "b"), "");
  EXPECT_NE(alert_of(young, "91", "c"), "");
}

TEST_F(Thermostat, NamesAWrongSetting) {
  const Plugin plugin(PLUGIN_FILE);
  const auto why_not = [&plugin](Settings more) {
    more.emplace_back("limit_celsius", 80);
    return plugin.why_not("high-temperature", more);
  };
  EXPECT_EQ(plugin.why_not("high-temperature", {}),
            "setting \"limit_celsius\" is missing; it must be a number");
  EXPECT_EQ(plugin.why_not("high-temperature", {{"limit_celsius", "80"}}),
            "setting \"limit_celsius\" must be a number, not a string");
  EXPECT_EQ(why_not({}), "");
  EXPECT_EQ(why_not({{"hysteresis_celsius", -0.5}}),
            "setting \"hysteresis_celsius\" must not be negative");
  EXPECT_EQ(why_not({{"alert_qos", 3}}), "setting \"alert_qos\" must be 0, 1 or 2");
  EXPECT_EQ(why_not({{"alert_topic", ""}}), "setting \"alert_topic\" must not be empty");
  EXPECT_EQ(why_not({{"max_sensors", 0}}), "setting \"max_sensors\" must be at least 1");
  EXPECT_EQ(why_not({{"simulate_outage_every", -1}}),
            "setting \"simulate_outage_every\" must be at least 0");
  EXPECT_EQ(why_not({{"hysteresis", 1}}),
            "setting \"hysteresis\" is unknown; this service knows limit_celsius, "
            "hysteresis_celsius, alert_topic, alert_qos, max_sensors, simulate_outage_every");
}

TEST_F(Thermostat, LogsWhatItAlerts) {
  Instance instance = run();
  instance.send({sensor, "90"});
  EXPECT_TRUE(instance.log_lines().empty());
  instance.finish_publish(0);
  const auto lines = instance.log_lines();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].level, TRIGGER_LOG_WARN);
  EXPECT_EQ(lines[0].text, sensor + " is at 90 degrees Celsius: above its limit of 80");
}

}  // namespace
