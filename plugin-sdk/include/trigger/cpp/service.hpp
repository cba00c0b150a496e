// Makes a row of the service table from a class. Included by trigger/plugin.hpp.
#ifndef TRIGGER_CPP_SERVICE_HPP
#define TRIGGER_CPP_SERVICE_HPP

#include <trigger/plugin.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <trigger/cpp/context.hpp>
#include <trigger/cpp/message.hpp>
#include <trigger/cpp/settings.hpp>
#include <trigger/cpp/text.hpp>
#include <trigger/cpp/verdict.hpp>
#include <type_traits>
#include <utility>
#include <vector>

namespace trigger {

// Several messages to handle at once, each with a verdict of its own. A message without an answer
// is retried, also if handle_batch throws. Valid until handle_batch returns. [worker]
class Batch {
 public:
  std::size_t size() const noexcept { return items_.size(); }
  const Message& operator[](std::size_t i) const { return items_[i].message; }
  // Gives the verdict on message number `i`, from 0. The first one counts.
  void answer(std::size_t i, Verdict verdict) {
    Item& item = items_[i];
    if (item.answered) return;
    item.answered = true;
    detail::write_verdict(*item.result, item.attempt->settle(std::move(verdict)));
  }

 private:
  template <class Service>
  friend struct ServiceFunctions;

  struct Item {
    Message message;
    std::shared_ptr<detail::Attempt> attempt;
    trigger_result* result;
    bool answered;
  };
  std::vector<Item> items_;
};

namespace detail {

// The text of the exception in flight. Call it in a catch block only.
inline void write_current_exception(trigger_result& result) noexcept {
  try {
    throw;
  } catch (const std::exception& error) {
    write_reason(result, error.what());
  } catch (...) {
    write_reason(result, "it threw something that is not a std::exception");
  }
}

// Runs `call`, which may throw; the exception's text becomes the reason.
template <class Call>
std::int32_t guarded(trigger_result* error, Call&& call) noexcept {
  try {
    return std::forward<Call>(call)();
  } catch (...) {
    write_current_exception(*error);
    return TRIGGER_E_FAILED;
  }
}

inline Settings copy_settings(const trigger_instance_config& config) {
  std::vector<Setting> leaves;
  leaves.reserve(config.setting_count);
  for (std::size_t i = 0; i < config.setting_count; ++i) {
    const trigger_setting& setting = config.settings[i];
    leaves.push_back(
        {std::string(view(setting.key)), std::string(view(setting.value)), setting.type});
  }
  return Settings(std::string(view(config.settings_json)), std::move(leaves));
}

// Whether Service has the member that `Probe<Service>` names.
template <template <class> class Probe, class Service, class = void>
struct Has : std::false_type {};
template <template <class> class Probe, class Service>
struct Has<Probe, Service, std::void_t<Probe<Service>>> : std::true_type {};

template <class S>
using StartOf = decltype(std::declval<S&>().start());
template <class S>
using StopOf = decltype(std::declval<S&>().stop());
template <class S>
using ProbeOf = decltype(std::declval<S&>().probe());
template <class S>
using SaveOf = decltype(std::declval<S&>().save());
template <class S>
using RestoreOf =
    decltype(std::declval<S&>().restore(std::uint32_t{}, std::declval<std::string_view>()));
template <class S>
using BatchOf = decltype(std::declval<S&>().handle_batch(std::declval<Batch&>()));
template <class S>
using ExtensionOf = decltype(std::declval<S&>().extension(std::declval<const char*>()));
template <class S>
using ConcurrentOf = decltype(S::concurrent);
template <class S>
using BriefOf = decltype(S::brief);
template <class S>
using StateVersionOf = decltype(S::state_version);

constexpr bool is_service_name(std::string_view name) {
  if (name.empty() || name.size() > 64) return false;
  for (const char c : name) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
  }
  return true;
}

}  // namespace detail

// The functions of trigger_service for a class. No exception leaves them.
template <class Service>
struct ServiceFunctions {
  struct Instance {
    std::shared_ptr<detail::Link> link;
    Service service;

    Instance(std::shared_ptr<detail::Link> line, std::shared_ptr<const detail::Origin> origin)
        : link(line), service(Context(std::move(line), std::move(origin))) {}
  };

  static Instance& at(void* instance) noexcept { return *static_cast<Instance*>(instance); }

  static std::int32_t create(const trigger_host* host, const trigger_instance_config* config,
                             void** instance, trigger_result* error) noexcept {
    return detail::guarded(error, [&] {
      auto link = std::make_shared<detail::Link>(host);
      auto origin = std::make_shared<const detail::Origin>(
          detail::Origin{detail::copy_settings(*config), std::string(detail::view(config->trigger)),
                         std::string(detail::view(config->alias)), config->concurrency});
      try {
        *instance = new Instance(link, std::move(origin));
      } catch (...) {
        link->close();
        throw;
      }
      return TRIGGER_OK;
    });
  }

  static std::int32_t start(void* instance, trigger_result* error) noexcept {
    Instance& self = at(instance);
    self.link->set_started(true);
    const std::int32_t code = detail::guarded(error, [&] {
      if constexpr (detail::Has<detail::StartOf, Service>::value) self.service.start();
      return TRIGGER_OK;
    });
    if (code != TRIGGER_OK) self.link->set_started(false);
    return code;
  }

  static std::int32_t handle(void* instance, const trigger_message* message,
                             trigger_result* result) noexcept {
    std::shared_ptr<detail::Attempt> attempt;
    try {
      Instance& self = at(instance);
      attempt = std::make_shared<detail::Attempt>(self.link, message->token);
      const Verdict verdict = attempt->settle(self.service.handle(Message(*message, attempt)));
      detail::write_verdict(*result, verdict);
      return verdict.code();
    } catch (...) {
      detail::write_current_exception(*result);
      return attempt ? attempt->settle(Verdict::retry()).code() : TRIGGER_RETRY;
    }
  }

  static void handle_batch(void* instance, const trigger_message* const* messages,
                           trigger_result* const* results, std::size_t count) noexcept {
    Batch batch;
    try {
      Instance& self = at(instance);
      batch.items_.reserve(count);
      for (std::size_t i = 0; i < count; ++i) {
        auto attempt = std::make_shared<detail::Attempt>(self.link, messages[i]->token);
        batch.items_.push_back({Message(*messages[i], attempt), attempt, results[i], false});
      }
      self.service.handle_batch(batch);
    } catch (...) {
      for (std::size_t i = 0; i < count; ++i) {
        const bool answered = i < batch.size() && batch.items_[i].answered;
        if (!answered) detail::write_current_exception(*results[i]);
      }
    }
    for (Batch::Item& item : batch.items_) {
      if (item.answered) continue;
      // Its result already holds the reason if something was thrown.
      item.result->code = item.attempt->settle(Verdict::retry()).code();
    }
  }

  static void stop(void* instance) noexcept {
    Instance& self = at(instance);
    if constexpr (detail::Has<detail::StopOf, Service>::value) {
      try {
        self.service.stop();
      } catch (const std::exception& error) {
        self.link->log(Level::error, std::string_view(error.what()));
      } catch (...) {
        self.link->log(Level::error, "stop threw something that is not a std::exception");
      }
    }
    self.link->set_started(false);
  }

  static void destroy(void* instance) noexcept {
    const std::shared_ptr<detail::Link> link = at(instance).link;
    delete static_cast<Instance*>(instance);
    link->close();
  }

  static std::int32_t probe(void* instance, trigger_result* result) noexcept {
    return detail::guarded(result, [instance] {
      at(instance).service.probe();
      return TRIGGER_OK;
    });
  }

  static std::int32_t save(void* instance, trigger_state_sink write, void* sink,
                           trigger_result* error) noexcept {
    return detail::guarded(error, [=] {
      const std::string state = at(instance).service.save();
      return write(sink, detail::bytes_to_abi(state));
    });
  }

  static std::int32_t restore(void* instance, std::uint32_t state_version, trigger_bytes state,
                              trigger_result* error) noexcept {
    return detail::guarded(error, [=] {
      at(instance).service.restore(state_version, detail::view(state));
      return TRIGGER_OK;
    });
  }

  static const void* extension(void* instance, const char* id) noexcept {
    try {
      return at(instance).service.extension(id);
    } catch (...) {
      return nullptr;
    }
  }
};

// The row of the service table for class `Service`, exported under `name`. A constant expression:
// a wrong name does not compile.
template <class Service>
constexpr trigger_service service(std::string_view name) {
  using Functions = ServiceFunctions<Service>;
  static_assert(std::is_constructible_v<Service, const Context&>,
                "a service needs a constructor that takes const trigger::Context&");
  static_assert(
      std::is_convertible_v<
          decltype(std::declval<Service&>().handle(std::declval<const Message&>())), Verdict>,
      "a service needs trigger::Verdict handle(const trigger::Message&)");
  if (!detail::is_service_name(name)) {
    throw "a service's name is 1 to 64 characters of a-z, 0-9 and -";  // never run: stops the
                                                                       // compilation
  }
  trigger_service row{};
  row.struct_size = sizeof(trigger_service);
  row.name = {name.data(), name.size()};
  row.create = &Functions::create;
  row.start = &Functions::start;
  row.handle = &Functions::handle;
  row.stop = &Functions::stop;
  row.destroy = &Functions::destroy;
  if constexpr (detail::Has<detail::ConcurrentOf, Service>::value) {
    row.flags = Service::concurrent ? TRIGGER_SERVICE_CONCURRENT : 0;
  }
  if constexpr (detail::Has<detail::BriefOf, Service>::value) {
    row.flags |= Service::brief ? TRIGGER_SERVICE_BRIEF : 0;
  }
  if constexpr (detail::Has<detail::BatchOf, Service>::value) {
    row.handle_batch = &Functions::handle_batch;
  }
  if constexpr (detail::Has<detail::ProbeOf, Service>::value) row.probe = &Functions::probe;
  if constexpr (detail::Has<detail::SaveOf, Service>::value) {
    static_assert(detail::Has<detail::StateVersionOf, Service>::value,
                  "a service with save() needs static constexpr std::uint32_t state_version");
    row.state_version = Service::state_version;
    row.save = &Functions::save;
  }
  if constexpr (detail::Has<detail::RestoreOf, Service>::value) row.restore = &Functions::restore;
  if constexpr (detail::Has<detail::ExtensionOf, Service>::value) {
    row.extension = &Functions::extension;
  }
  return row;
}

namespace detail {

// Pointers to the rows of a table, as trigger_plugin wants them.
template <std::size_t count>
struct ServiceList {
  const trigger_service* rows[count];
};

template <std::size_t count>
constexpr ServiceList<count> list_services(const trigger_service (&table)[count]) {
  ServiceList<count> list{};
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      const std::string_view one(table[i].name.ptr, table[i].name.len);
      const std::string_view other(table[k].name.ptr, table[k].name.len);
      if (one == other)
        throw "two services have the same name";  // never run: stops the compilation
    }
    list.rows[i] = &table[i];
  }
  return list;
}

}  // namespace detail
}  // namespace trigger

#endif  // TRIGGER_CPP_SERVICE_HPP
