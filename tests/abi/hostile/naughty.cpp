// A plugin that does what a plugin must not, as its settings and the topics of its messages say. It
// speaks the raw ABI, without the SDK's wrapper, which would prevent most of it. What it does it
// logs, so that a test sees the order.
#include <trigger/plugin.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

namespace {

std::atomic<int> handled{0};  // by this copy of the library

struct Instance {
  const trigger_host* host = nullptr;
  std::string act;  // the setting "act"
  std::thread own;
  std::atomic<bool> ending{false};

  void say(std::string_view text) const {
    host->log(host->ctx, TRIGGER_LOG_INFO, {text.data(), text.size()});
  }
  // Throws where the test asked for it.
  void at(const char* function) const {
    say(function);
    if (act == std::string("throw in ") + function) {
      throw std::runtime_error(std::string("thrown in ") + function);
    }
  }
};

Instance& of(void* instance) {
  return *static_cast<Instance*>(instance);
}
std::string_view view(trigger_str text) {
  return {text.ptr, text.len};
}

std::int32_t refuse(trigger_result* result, const char* reason) {
  std::strncpy(result->reason, reason, sizeof result->reason - 1);
  return TRIGGER_E_FAILED;
}

[[noreturn]] void hang() {
  for (;;) ::pause();
}

std::int32_t create(const trigger_host* host, const trigger_instance_config* config,
                    void** instance, trigger_result* error) {
  auto* const made = new Instance;
  made->host = host;
  std::string settings;
  for (size_t i = 0; i < config->setting_count; ++i) {
    const trigger_setting& setting = config->settings[i];
    settings += " ";
    settings += setting.key.ptr;  // the host's texts are NUL-terminated
    settings += "=";
    settings += setting.value.ptr;
    settings += ":" + std::to_string(setting.type);
    if (view(setting.key) == "act") made->act = setting.value.ptr;
  }
  if (made->act == "log settings") {
    made->say(std::string(config->trigger.ptr) + " " + config->alias.ptr + " " +
              std::to_string(config->concurrency) + " " + config->settings_json.ptr + settings);
  }
  if (made->act == "throw in create" || made->act == "refuse in create") {
    const bool throws = made->act == "throw in create";
    delete made;
    if (throws) throw std::runtime_error("thrown in create");
    return refuse(error, "settings.limit: not a number");
  }
  made->say("create");
  *instance = made;
  return TRIGGER_OK;
}

void publish(Instance& self) {
  trigger_publish request{};
  request.struct_size = sizeof request;
  request.topic = {"from/naughty", 12};
  request.user = &self;
  request.done = [](void* user, std::int32_t code, trigger_str reason) {
    Instance& me = of(user);
    me.say("done " + std::to_string(code) + " " + std::string(reason.ptr));
    if (me.act == "throw in done") throw 1;
    if (me.act == "hang in done") hang();
  };
  self.say("publish " + std::to_string(self.host->publish(self.host->ctx, &request)));
}

std::int32_t start(void* instance, trigger_result* error) {
  Instance& self = of(instance);
  self.at("start");
  if (self.act == "refuse in start") return refuse(error, "no database");
  if (self.act == "publish in start") publish(self);
  if (self.act == "publish and refuse in start") {
    publish(self);
    return refuse(error, "no database");
  }
  if (self.act.starts_with("leak a thread")) std::thread(hang).detach();
  if (self.act == "leak a thread and refuse in start") return refuse(error, "no database");
  if (self.act == "own a thread") {
    self.own = std::thread([&self] {
      while (!self.ending) std::this_thread::yield();
      self.say("own thread ends");
    });
  }
  return TRIGGER_OK;
}

// Completes the message now, and says what the host says to that.
std::string complete(const Instance& self, const trigger_message& message) {
  trigger_result result{};
  result.struct_size = sizeof result;
  result.code = TRIGGER_OK;
  return std::to_string(self.host->complete(self.host->ctx, message.token, &result));
}

std::int32_t handle(void* instance, const trigger_message* message, trigger_result*) {
  Instance& self = of(instance);
  const std::string topic(view(message->topic));
  self.say("handle " + topic + " " + std::to_string(++handled));
  if (topic == "hang") hang();
  if (topic == "throw") throw std::runtime_error("no such sensor");
  if (topic == "throw nothing known") throw 7;
  if (topic == "nonsense") return 4711;
  if (topic == "publish") publish(self);
  if (topic == "leak a thread") std::thread(hang).detach();
  if (topic == "complete before return") {
    self.say("complete " + complete(self, *message));
    return TRIGGER_PENDING;
  }
  if (topic == "complete twice") {
    const std::string first = complete(self, *message);
    self.say("complete " + first + " " + complete(self, *message));
    return TRIGGER_PENDING;
  }
  return TRIGGER_OK;
}

void stop(void* instance) {
  Instance& self = of(instance);
  self.ending = true;
  if (self.own.joinable()) self.own.join();
  if (self.act == "publish in stop") publish(self);
  self.at("stop");
}

void destroy(void* instance) {
  Instance& self = of(instance);
  const bool throws = self.act == "throw in destroy";
  self.say("destroy");
  delete &self;
  if (throws) throw std::runtime_error("thrown in destroy");
}

constexpr trigger_service service(const char* name, std::uint32_t flags) {
  trigger_service service{};
  service.struct_size = sizeof service;
  service.flags = flags;
  service.name = {name, std::char_traits<char>::length(name)};
  service.create = create;
  service.start = start;
  service.handle = handle;
  service.stop = stop;
  service.destroy = destroy;
  return service;
}

constexpr trigger_service kSingle = service("naughty", 0);
constexpr trigger_service kConcurrent = service("naughty-crowd", TRIGGER_SERVICE_CONCURRENT);
constexpr const trigger_service* kServices[] = {&kSingle, &kConcurrent};

#ifdef STAYS_MAPPED
// Its destructor has to run when the thread ends, so until then the library cannot go.
struct Sticky {
  ~Sticky() { ++handled; }
  int touched = 0;
};
thread_local Sticky sticky;
#endif

}  // namespace

const trigger_plugin* trigger_plugin_entry_v1(const trigger_host* host) {
  static constexpr trigger_plugin kPlugin = {
      sizeof(trigger_plugin), TRIGGER_ABI_MAJOR, TRIGGER_ABI_MINOR, 2,
      {"Naughty", 7},         {"6.6.6", 5},      kServices,
  };
#ifdef STAYS_MAPPED
  ++sticky.touched;
#endif
#ifdef THROWS_IN_ENTRY
  throw std::runtime_error("thrown in entry");
#endif
  host->log(host->ctx, TRIGGER_LOG_INFO, {"entry", 5});
  return &kPlugin;
}
