// Makes a plugin of one class, as TRIGGER_PLUGIN does, but as many as a test program wants.
#pragma once

#include <trigger/plugin.hpp>
#include <trigger/testing.hpp>

namespace under_test {

template <class Service>
const trigger_plugin* entry(const trigger_host*) {
  static constexpr trigger_service table[] = {trigger::service<Service>("service")};
  static constexpr auto list = trigger::detail::list_services(table);
  static constexpr trigger_plugin plugin = {
      sizeof(trigger_plugin), TRIGGER_ABI_MAJOR, TRIGGER_ABI_MINOR, 1,
      {"under-test", 10},     {"1.0.0", 5},      list.rows};
  return &plugin;
}

template <class Service>
trigger::testing::Plugin plugin_of() {
  return trigger::testing::Plugin(&entry<Service>);
}

// A service whose handle is what a test says it is.
struct Scripted {
  using Handle = trigger::Verdict (*)(const trigger::Context&, const trigger::Message&);
  static inline Handle script = nullptr;

  explicit Scripted(const trigger::Context& host) : context(host) {}
  trigger::Verdict handle(const trigger::Message& message) { return script(context, message); }

  trigger::Context context;
};

inline trigger::testing::Instance run(Scripted::Handle script) {
  Scripted::script = script;
  return plugin_of<Scripted>().run();
}

}  // namespace under_test
