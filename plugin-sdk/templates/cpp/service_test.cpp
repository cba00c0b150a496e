// service_test PLUGIN: drives the built plugin, without a server. Any test framework will do; this
// file needs none.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <trigger/testing.hpp>

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
  expect(failed.code() == TRIGGER_RETRY, "a sum that the server did not get");
  const auto slow = instance.send({"n", "1"});
  instance.advance(30s);
  expect(slow.reason() == "its deadline has passed", "a server that does not answer");
  instance.refuse_publishes(TRIGGER_E_FULL);
  expect(instance.send({"n", "1"}).code() == TRIGGER_RETRY, "too much in flight");
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
    a_batch_has_verdicts_of_its_own(plugin);
    silence_is_noticed(plugin);
    the_successor_goes_on(plugin);
    the_total_is_an_extension(plugin);
    wrong_settings_are_named(plugin);
  } catch (const std::exception& error) {
    expect(false, error.what());
  }
}
