// trigger/plugin.hpp - write a service in C++17. Header-only; needs trigger/plugin.h, the standard
// library, and nothing else.
//
// A service is a class. The runtime makes one object of it for each trigger that names it:
//
//   class HighTemperature {
//    public:
//     explicit HighTemperature(const trigger::Context& context)
//         : context_(context), limit_(context.settings().number("limit_celsius")) {}
//
//     trigger::Verdict handle(const trigger::Message& message);
//
//    private:
//     trigger::Context context_;
//     double limit_;
//   };
//
//   TRIGGER_PLUGIN("thermostat", "1.0.0", trigger::service<HighTemperature>("high-temperature"));
//
// What a class must have:
//
//   Service(const Context&)           no threads and no network: it also runs when a configuration
//                                     is only checked. Throws SettingError for a bad setting.
//                                     [control]
//   Verdict handle(const Message&)    one message at a time, unless the class is concurrent.
//                                     [worker]
//
// What it may have (what it lacks is NULL in its table, so the runtime does not call it):
//
//   void start()                      threads, connections. If it throws, it is called again later.
//                                     [control]
//   void stop()                       undoes start: joins the service's own threads. [control]
//   void handle_batch(Batch&)         several messages at once. [worker]
//   void probe()                      checks whether what the service depends on is available.
//                                     Throws to say why not. [worker]
//   std::string save()                its state, for a successor. [control]
//   void restore(std::uint32_t state_version, std::string_view state)
//                                     takes that over. Throws if it cannot. [control]
//   const void* extension(const char* id)                                              [control]
//   static constexpr bool concurrent = true;       handle and handle_batch may be called by several
//                                                  workers at once
//   static constexpr bool brief = true;            handle computes for microseconds and waits for
//                                                  nothing: see TRIGGER_SERVICE_BRIEF
//   static constexpr std::uint32_t state_version;  of what save() writes; needed with save()
//
// An exception that leaves handle is a retry, with the text of a std::exception as the reason; one
// that leaves another function is that function's error, or a log line if it is stop. None reaches
// the runtime. The destructor must not throw.
//
//   cpp/context.hpp    Context: settings, log, publish, metrics
//   cpp/settings.hpp   Settings, SettingError
//   cpp/message.hpp    Message, Completion
//   cpp/mqtt5.hpp      Properties of a message to publish
//   cpp/verdict.hpp    Verdict
//   cpp/service.hpp    Batch, service<>()
//   cpp/text.hpp       printable()
#ifndef TRIGGER_PLUGIN_HPP
#define TRIGGER_PLUGIN_HPP

#include <trigger/plugin.h>

#include <string_view>
#include <trigger/cpp/context.hpp>
#include <trigger/cpp/message.hpp>
#include <trigger/cpp/mqtt5.hpp>
#include <trigger/cpp/service.hpp>
#include <trigger/cpp/settings.hpp>
#include <trigger/cpp/text.hpp>
#include <trigger/cpp/verdict.hpp>

// Exports a plugin: its name and version for people, then a trigger::service<Class>("name") for
// each service. Once in a plugin, outside all namespaces. The tables are constants: nothing runs
// when the library is loaded, and nothing when it is unloaded.
#define TRIGGER_PLUGIN(plugin_name, plugin_version, ...)                                         \
  extern "C" TRIGGER_EXPORT const trigger_plugin* trigger_plugin_entry_v1(const trigger_host*) { \
    static constexpr trigger_service table[] = {__VA_ARGS__};                                    \
    static constexpr auto list = ::trigger::detail::list_services(table);                        \
    static constexpr ::std::string_view name = plugin_name;                                      \
    static constexpr ::std::string_view version = plugin_version;                                \
    static constexpr trigger_plugin plugin = {                                                   \
        sizeof(trigger_plugin),                                                                  \
        TRIGGER_ABI_MAJOR,                                                                       \
        TRIGGER_ABI_MINOR,                                                                       \
        static_cast<::std::uint32_t>(sizeof(table) / sizeof(table[0])),                          \
        {name.data(), name.size()},                                                              \
        {version.data(), version.size()},                                                        \
        list.rows};                                                                              \
    return &plugin;                                                                              \
  }                                                                                              \
  static_assert(true, "so that the macro ends with a semicolon")

#endif  // TRIGGER_PLUGIN_HPP
