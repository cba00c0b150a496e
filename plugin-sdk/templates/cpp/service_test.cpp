// service_test PLUGIN: drives the built plugin, without a server. Any test framework will do; this
// file needs none.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <trigger/testing.hpp>
#include <utility>

namespace {

using namespace std::chrono_literals;
using trigger::testing::Plugin;

void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}

void adds_and_publishes(const Plugin& plugin) {
  auto instance = plugin.run("sum", {{"topic", "sums"}, {"every", 2}});
  expect(instance.send({"n", "20"}).code() == TRIGGER_OK, "the first is only added");
  const auto second = instance.send({"n", "22"});
  expect(second.pending(), "the second waits for the server");
  expect(instance.publishes().at(0).topic == "sums", "the sum's topic");
  expect(instance.publishes().at(0).payload == "42", "the sum");
  instance.finish_publish(0);
  expect(second.code() == TRIGGER_OK, "the server has it");
  expect(instance.metric("numbers_total") == 2.0, "both are counted");
  expect(instance.violations().empty(), "it keeps to the rules of plugin.h");
}

void what_goes_wrong_becomes_a_verdict(const Plugin& plugin) {
  auto instance = plugin.run("sum", {{"topic", "sums"}, {"every", 1}});
  expect(instance.send({"n", "many"}).code() == TRIGGER_REJECT, "what is no number");
  const auto failed = instance.send({"n", "1"});
  instance.finish_publish(0, TRIGGER_E_NOT_CONNECTED, "cut off");
  expect(failed.code() == TRIGGER_UNAVAILABLE, "a sum that the server did not get");
  const auto slow = instance.send({"n", "1"});
  instance.advance(30s);
  expect(slow.reason() == "its deadline has passed", "a server that does not answer");
  instance.refuse_publishes(TRIGGER_E_FULL);
  expect(instance.send({"n", "1"}).code() == TRIGGER_UNAVAILABLE, "too much in flight");
}

trigger::testing::Message number(std::string id, std::string payload) {
  trigger::testing::Message message{"n", std::move(payload)};
  message.id = std::move(id);
  return message;
}

void a_number_counts_once_however_often_it_comes(const Plugin& plugin) {
  auto instance = plugin.run("sum", {{"topic", "sums"}, {"every", 2}});
  instance.send(number("first", "20"));
  const auto failed = instance.send(number("second", "22"));
  instance.finish_publish(0, TRIGGER_E_NOT_CONNECTED, "cut off");
  expect(failed.code() == TRIGGER_UNAVAILABLE, "the server did not get the sum");
  expect(instance.metric("numbers_total") == 1.0, "only the first is counted");
  instance.refuse_publishes(TRIGGER_E_FULL);
  expect(instance.send(number("second", "22")).code() == TRIGGER_UNAVAILABLE, "too much in flight");
  instance.refuse_publishes(TRIGGER_OK);
  const auto again = instance.send(number("second", "22"));
  expect(again.pending(), "what was not published is not ok");
  expect(instance.publishes().at(1).payload == "42", "the same sum as before");
  instance.finish_publish(1);
  expect(again.code() == TRIGGER_OK, "now the server has it");
  expect(instance.metric("numbers_total") == 2.0, "both are counted, once");
}

void an_answer_that_is_late_counts_nothing(const Plugin& plugin) {
  auto instance = plugin.run("sum", {{"topic", "sums"}, {"every", 1}});
  instance.send(number("first", "42"));
  instance.advance(30s);  // past its deadline
  const auto again = instance.send(number("first", "42"));
  expect(instance.publishes().at(1).payload == "42", "the first attempt is not in the sum");
  instance.finish_publish(0);
  expect(instance.metric("numbers_total") == 0.0, "the server's answer to the first was late");
  instance.finish_publish(1);
  expect(again.code() == TRIGGER_OK, "that to the second was in time");
  expect(instance.metric("numbers_total") == 1.0, "and so it counts");
}

void sums_may_overlap(const Plugin& plugin) {
  auto instance = plugin.run("sum", {{"topic", "sums"}, {"every", 1}});
  instance.send({"n", "1"});
  instance.send({"n", "2"});
  expect(instance.publishes().at(1).payload == "3", "the sum has what is on its way");
  instance.finish_publish(1);
  instance.finish_publish(0);
  instance.send({"n", "3"});
  expect(instance.publishes().at(2).payload == "6", "and nothing twice");
}

void what_is_no_number_is_not_tried_again(const Plugin& plugin) {
  auto instance = plugin.run("sum", {{"topic", "sums"}, {"every", 1}});
  for (const char* payload : {"", "4 2", "0x2a", "1000000000000", "-1000000000000"}) {
    expect(instance.send({"n", payload}).code() == TRIGGER_REJECT, payload);
  }
}

void a_batch_has_verdicts_of_its_own(const Plugin& plugin) {
  auto instance = plugin.run("sum", {{"topic", "sums"}, {"every", 2}});
  const auto attempts = instance.send_batch({{"n", "1"}, {"n", "x"}, {"n", "3"}});
  expect(attempts.at(0).code() == TRIGGER_OK, "the first");
  expect(attempts.at(1).code() == TRIGGER_REJECT, "the one between");
  expect(attempts.at(2).pending(), "the last waits for the server to have the sum");
  instance.finish_publish(0);
  expect(attempts.at(2).code() == TRIGGER_OK, "now it has");
}

void silence_is_noticed(const Plugin& plugin) {
  auto instance = plugin.run("sum", {{"topic", "sums"}, {"quiet_seconds", 60}});
  expect(instance.probe().code == TRIGGER_OK, "well at first");
  instance.advance(61s);
  expect(instance.probe().reason == "no number has come for a while", "not well after a while");
  instance.send({"n", "1"});
  expect(instance.probe().code == TRIGGER_OK, "well again");
}

void the_successor_goes_on(const Plugin& plugin) {
  auto before = plugin.run("sum", {{"topic", "sums"}});
  before.send({"n", "40"});
  before.stop();
  auto after = plugin.create("sum", {{"topic", "sums"}, {"every", 2}});
  after.restore(before.service().state_version, before.save());
  after.start();
  after.send({"n", "2"});
  expect(after.publishes().at(0).payload == "42", "the sum of both");
}

void the_total_is_an_extension(const Plugin& plugin) {
  struct Total {
    std::uint32_t struct_size;
    std::uint32_t reserved;
    std::int64_t total;
  };
  auto instance = plugin.run("sum", {{"topic", "sums"}});
  const auto* shown = static_cast<const Total*>(instance.extension("sum.total/1"));
  expect(instance.extension("sum.total/2") == nullptr, "no such extension");
  instance.send({"n", "42"});
  expect(shown != nullptr && shown->total == 42, "the total so far");
}

void wrong_settings_are_named(const Plugin& plugin) {
  expect(plugin.why_not("sum", {}) == "setting \"topic\" is missing; it must be a string",
         "without a topic");
  expect(plugin.why_not("sum", {{"topic", "t"}, {"every", 0}}) ==
             "setting \"every\" must be 1 or more",
         "every 0");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const Plugin plugin(argv[1]);
    adds_and_publishes(plugin);
    what_goes_wrong_becomes_a_verdict(plugin);
    a_number_counts_once_however_often_it_comes(plugin);
    an_answer_that_is_late_counts_nothing(plugin);
    sums_may_overlap(plugin);
    what_is_no_number_is_not_tried_again(plugin);
    a_batch_has_verdicts_of_its_own(plugin);
    silence_is_noticed(plugin);
    the_successor_goes_on(plugin);
    the_total_is_an_extension(plugin);
    wrong_settings_are_named(plugin);
  } catch (const std::exception& error) {
    expect(false, error.what());
  }
}
