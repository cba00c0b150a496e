// trigger/testing.hpp - a host for tests of services, in C++17 and without a server, a runtime or a
// test framework. It drives a plugin through the ABI, so the plugin may be in any language.
//
//   trigger::testing::Plugin plugin("build/plugins/thermostat.so");
//   auto instance = plugin.run("high-temperature", {{"limit_celsius", 80}});
//
//   auto attempt = instance.send({"plant/a/temperature", "91.5"});
//   assert(attempt.pending());
//   assert(instance.publishes().at(0).topic == "alerts/plant/a/temperature");
//
//   instance.finish_publish(0);  // the server has it
//   assert(attempt.code() == TRIGGER_OK);
//   assert(instance.violations().empty());
//
// Nothing happens by itself and nothing waits: the test sends each message, decides the result of
// each publish, moves the clock, and lets deadlines pass. Messages are freed as soon as the ABI
// allows it, and settings after create, so that AddressSanitizer finds a service that keeps what it
// only borrowed.
//
//   testing/plugin.hpp    Plugin, Instance, Attempt, Options
//   testing/message.hpp   Message, Property
//   testing/clock.hpp     the time that the service sees
//   testing/host.hpp      Answer, LogLine, Published
//   testing/settings.hpp  Setting
//
// Link with the dynamic loader and threads, as TriggerPlugin::testing does.
#ifndef TRIGGER_TESTING_HPP
#define TRIGGER_TESTING_HPP

#include <trigger/testing/clock.hpp>
#include <trigger/testing/host.hpp>
#include <trigger/testing/message.hpp>
#include <trigger/testing/plugin.hpp>
#include <trigger/testing/settings.hpp>

#endif  // TRIGGER_TESTING_HPP
