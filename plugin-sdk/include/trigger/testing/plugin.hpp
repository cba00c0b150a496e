// A plugin and its instances under test. Included by trigger/testing.hpp.
#ifndef TRIGGER_TESTING_PLUGIN_HPP
#define TRIGGER_TESTING_PLUGIN_HPP

#include <dlfcn.h>
#include <trigger/plugin.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <trigger/testing/host.hpp>
#include <trigger/testing/message.hpp>
#include <trigger/testing/settings.hpp>
#include <utility>
#include <vector>

namespace trigger {
namespace testing {

// The other properties of the trigger, besides its settings.
struct Options {
  std::string trigger = "test-trigger";
  std::string alias = "test-alias";
  std::uint32_t concurrency = 1;
  std::uint32_t log_level = TRIGGER_LOG_TRACE;  // lower ones are not recorded
};

// One message that was sent to a service. Copies refer to the same one.
class Attempt {
 public:
  // The verdict; its code is TRIGGER_PENDING until it is known.
  Answer answer() const { return host_->answer(*record_); }
  std::int32_t code() const { return answer().code; }
  std::string reason() const { return answer().reason; }
  bool pending() const { return code() == TRIGGER_PENDING; }
  // Waits for a verdict from another thread; throws std::runtime_error after `limit`.
  Answer wait(std::chrono::milliseconds limit = std::chrono::seconds(10)) const {
    return host_->wait(*record_, limit);
  }
  // What the service last passed to extend; 0 if it did not call it.
  std::uint32_t extended_ms() const { return host_->extended_ms(*record_); }
  // Lets the deadline pass: the attempt becomes a retry, and a later verdict is stale.
  void expire() const { host_->expire(*record_); }

 private:
  friend class Instance;
  Attempt(std::shared_ptr<detail::RecordingHost> host,
          std::shared_ptr<detail::AttemptRecord> record)
      : host_(std::move(host)), record_(std::move(record)) {}

  std::shared_ptr<detail::RecordingHost> host_;
  std::shared_ptr<detail::AttemptRecord> record_;
};

// One instance of a service, as the runtime makes one for each trigger. Its destructor stops and
// destroys it. Errors of the service are thrown as std::runtime_error with their reason, misuse by
// the test (send before start) as std::logic_error.
//
// send() may be called from several threads at once if the service is concurrent; everything else
// is for one thread at a time.
class Instance {
 public:
  Instance(Instance&& other) noexcept
      : library_(std::move(other.library_)),
        service_(other.service_),
        host_(std::move(other.host_)),
        options_(std::move(other.options_)),
        instance_(std::exchange(other.instance_, nullptr)),
        started_(std::exchange(other.started_, false)),
        alive_(std::exchange(other.alive_, false)) {}
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  Instance& operator=(Instance&&) = delete;
  ~Instance() {
    if (started_) stop();
    if (alive_) service_->destroy(instance_);
  }

  void start() {
    if (started_) throw std::logic_error("the instance is started");
    host_->set_started(true);
    trigger_result error = empty_result();
    if (service_->start(instance_, &error) != TRIGGER_OK) {
      host_->start_failed();
      throw std::runtime_error(error.reason);
    }
    started_ = true;
  }

  // Stops the service as the runtime does: revokes what is pending, cancels the publishes under
  // way, then calls the service's stop. So what it completes or publishes from then on, in a
  // publish's callback too, is refused: the message comes again.
  void stop() {
    need_started();
    host_->stopping();
    service_->stop(instance_);
    host_->stopped();
    started_ = false;
  }

  // Has the service handle a message, on this thread.
  Attempt send(Message message) {
    need_started();
    auto record = host_->open(std::move(message), options_.trigger);
    trigger_result result = empty_result();
    const std::int32_t code = service_->handle(instance_, &record->memory->raw(), &result);
    host_->returned(*record, detail::answer_of(code, result));
    return Attempt(host_, std::move(record));
  }

  // Has the service handle several messages at once.
  std::vector<Attempt> send_batch(const std::vector<Message>& messages) {
    need_started();
    if (service_->handle_batch == nullptr) throw std::logic_error("it has no handle_batch");
    std::vector<Attempt> attempts;
    std::vector<const trigger_message*> raw;
    std::vector<trigger_result> results(messages.size(), empty_result());
    std::vector<trigger_result*> pointers;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      auto record = host_->open(messages[i], options_.trigger);
      raw.push_back(&record->memory->raw());
      results[i].code = TRIGGER_RETRY;
      pointers.push_back(&results[i]);
      attempts.push_back(Attempt(host_, std::move(record)));
    }
    service_->handle_batch(instance_, raw.data(), pointers.data(), messages.size());
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      host_->returned(*attempts[i].record_, detail::answer_of(results[i].code, results[i]));
    }
    return attempts;
  }

  // Moves the time that the service sees (Context::now(), "trigger.clock/1") forward; otherwise it
  // stands still. Attempts whose deadline this reaches become retries, as after expire().
  void advance(std::chrono::nanoseconds by) { host_->advance(by); }

  // From now on the host's extension `id` is `what`, which must outlive the instance; nullptr: the
  // host has none of that name.
  void offer_extension(std::string id, const void* what) { host_->offer(std::move(id), what); }

  // From now on publish() returns `code` and publishes nothing; TRIGGER_OK: it does so again.
  void refuse_publishes(std::int32_t code) { host_->refuse_publishes(code); }

  // Everything that was published, in order, finished or not.
  std::vector<Published> publishes() const { return host_->publishes(); }

  // Waits until there are `count` publishes; throws std::runtime_error after `limit`.
  void wait_publishes(std::size_t count,
                      std::chrono::milliseconds limit = std::chrono::seconds(10)) const {
    host_->wait_publishes(count, limit);
  }

  // Reports the result of publish number `index`, from 0: TRIGGER_OK, or an error with its reason.
  // The service's callback runs on another thread, and has returned when this returns.
  void finish_publish(std::size_t index, std::int32_t code = TRIGGER_OK,
                      std::string_view reason = {}) {
    host_->finish_publish(index, code, reason);
  }

  std::vector<LogLine> log_lines() const { return host_->log_lines(); }

  // The value of a metric of the service; empty if it has none of that name.
  std::optional<double> metric(std::string_view name) const { return host_->metric_value(name); }

  // What the service did that plugin.h forbids; empty unless it has a defect.
  std::vector<std::string> violations() const { return host_->violations(); }

  // TRIGGER_OK, or an error with its reason.
  Answer probe() {
    if (service_->probe == nullptr) throw std::logic_error("it has no probe");
    trigger_result result = empty_result();
    const std::int32_t code = service_->probe(instance_, &result);
    return detail::answer_of(code, result);
  }

  std::string save() {
    if (service_->save == nullptr) throw std::logic_error("it has no save");
    std::string state;
    trigger_result error = empty_result();
    const trigger_state_sink write = [](void* sink, trigger_bytes piece) -> std::int32_t {
      *static_cast<std::string*>(sink) += detail::copy(piece);
      return TRIGGER_OK;
    };
    if (service_->save(instance_, write, &state, &error) != TRIGGER_OK) {
      throw std::runtime_error(error.reason);
    }
    return state;
  }

  void restore(std::uint32_t state_version, std::string_view state) {
    if (service_->restore == nullptr) throw std::logic_error("it has no restore");
    const std::string copy(state);
    trigger_result error = empty_result();
    if (service_->restore(instance_, state_version, detail::bytes_to_abi(copy), &error) !=
        TRIGGER_OK) {
      throw std::runtime_error(error.reason);
    }
  }

  // The service's own extension `id`; nullptr if it has none.
  const void* extension(const char* id) const {
    return service_->extension == nullptr ? nullptr : service_->extension(instance_, id);
  }

  // For what this kit does not cover.
  const trigger_service& service() const { return *service_; }
  void* raw() const { return instance_; }

 private:
  friend class Plugin;

  Instance(std::shared_ptr<void> library, const trigger_service& service, const Settings& settings,
           Options options)
      : library_(std::move(library)),
        service_(&service),
        host_(std::make_shared<detail::RecordingHost>(options.log_level)),
        options_(std::move(options)) {
    // All of this is freed when create has returned, so that a service that keeps it is found.
    const std::string json = detail::to_json(settings);
    const auto kept = std::make_unique<const Settings>(settings);
    std::vector<trigger_setting> flat;
    for (const Setting& setting : *kept) {
      flat.push_back({detail::to_abi(setting.key), detail::to_abi(setting.value), setting.type, 0});
    }
    trigger_instance_config config{};
    config.struct_size = sizeof(config);
    config.concurrency = options_.concurrency;
    config.trigger = detail::to_abi(options_.trigger);
    config.alias = detail::to_abi(options_.alias);
    config.settings_json = detail::to_abi(json);
    config.settings = flat.data();
    config.setting_count = flat.size();
    trigger_result error = empty_result();
    if (service_->create(&host_->table(), &config, &instance_, &error) != TRIGGER_OK) {
      throw std::runtime_error(error.reason);
    }
    alive_ = true;
  }

  static trigger_result empty_result() noexcept {
    trigger_result result{};
    result.struct_size = sizeof(result);
    return result;
  }

  void need_started() const {
    if (!started_) throw std::logic_error("the instance is not started");
  }

  std::shared_ptr<void> library_;
  const trigger_service* service_;
  std::shared_ptr<detail::RecordingHost> host_;
  Options options_;
  void* instance_ = nullptr;
  bool started_ = false;
  bool alive_ = false;
};

// A plugin. Its library is unloaded with the last of the plugin and its instances.
class Plugin {
 public:
  // Loads a plugin from a file. Throws std::runtime_error if that fails.
  explicit Plugin(const std::string& file)
      : library_(::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL), [](void* handle) {
          if (handle != nullptr) ::dlclose(handle);
        }) {
    if (!library_) throw std::runtime_error(last_error());
    void* entry = ::dlsym(library_.get(), TRIGGER_ENTRY_NAME);
    if (entry == nullptr) throw std::runtime_error(last_error());
    enter(reinterpret_cast<trigger_plugin_entry>(entry));
  }

  // Tests a plugin that is linked into the test.
  explicit Plugin(trigger_plugin_entry entry) { enter(entry); }

  const trigger_plugin& table() const { return *plugin_; }
  std::string name() const { return detail::copy(plugin_->name); }
  std::string version() const { return detail::copy(plugin_->version); }

  // The service called `name`, or the only one if that is empty. Throws std::logic_error if there
  // is none.
  const trigger_service& service(std::string_view name = {}) const {
    if (name.empty() && plugin_->service_count == 1) return *plugin_->services[0];
    for (std::uint32_t i = 0; i < plugin_->service_count; ++i) {
      if (detail::copy(plugin_->services[i]->name) == name) return *plugin_->services[i];
    }
    throw std::logic_error("the plugin has no service called \"" + std::string(name) + "\"");
  }

  // A new instance, not started. Throws std::runtime_error with the service's reason.
  Instance create(std::string_view service_name = {}, const Settings& settings = {},
                  const Options& options = {}) const {
    return Instance(library_, service(service_name), settings, options);
  }

  // A started one. Throws as create() does.
  Instance run(std::string_view service_name = {}, const Settings& settings = {},
               const Options& options = {}) const {
    Instance instance = create(service_name, settings, options);
    instance.start();
    return instance;
  }

  // Why the service refuses these settings; empty if it accepts them.
  std::string why_not(std::string_view service_name, const Settings& settings) const {
    try {
      create(service_name, settings);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return {};
  }

 private:
  static std::string last_error() {
    const char* error = ::dlerror();  // NOLINT(concurrency-mt-unsafe): glibc has one a thread
    return error == nullptr ? "the library cannot be loaded" : error;
  }

  void enter(trigger_plugin_entry entry) {
    // Static, since a plugin may keep it for as long as it is loaded.
    static detail::RecordingHost host(TRIGGER_LOG_TRACE, detail::RecordingHost::For::plugin);
    const std::size_t lines_before = host.log_lines().size();
    plugin_ = entry(&host.table());
    if (plugin_ == nullptr) {
      const std::vector<LogLine> lines = host.log_lines();
      throw std::runtime_error("the plugin refuses this host" +
                               (lines.size() > lines_before ? ": " + lines.back().text : ""));
    }
    if (plugin_->abi_major != TRIGGER_ABI_MAJOR) {
      throw std::runtime_error("the plugin has another ABI major version");
    }
  }

  std::shared_ptr<void> library_;
  const trigger_plugin* plugin_ = nullptr;
};

}  // namespace testing
}  // namespace trigger

#endif  // TRIGGER_TESTING_PLUGIN_HPP
