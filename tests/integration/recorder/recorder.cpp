// A plugin for tests that watch from outside: "record" writes down every message it gets, and
// "misbehave" does what a bad service does. It uses the raw ABI, so that nothing softens the blow.
#include <trigger/mqtt5.h>
#include <trigger/plugin.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

std::string_view view(trigger_str text) {
  return {text.ptr, text.len};
}

struct Recorder {
  const trigger_host* host = nullptr;
  std::string file;
  std::string mode = "ok";
  std::string flag;  // a file; until it is there, the "...-until" modes do not say ok
  int delay_ms = 0;
  int publish_qos = 1;
  std::mutex mutex;
  std::vector<std::thread> threads;  // of answers that come late

  // Properties as one word: "26:k=1,2:60".
  static std::string properties_of(const trigger_message& m) {
    std::string text = "-";
    for (std::size_t i = 0; i < m.property_count; ++i) {
      const trigger_property& property = m.properties[i];
      char id[16];
      std::snprintf(id, sizeof id, "%s%x:", i == 0 ? "" : ",", property.id);
      text = (i == 0 ? "" : text) + id + std::string(view(property.name));
      if (property.value.len > 0 || property.id == TRIGGER_PROPERTY_USER) {
        text += "=" +
                std::string(reinterpret_cast<const char*>(property.value.ptr), property.value.len);
      } else {
        text += std::to_string(property.number);
      }
    }
    return text;
  }

  // One line: what happened, topic (or properties), qos, retain, dup, attempt, payload size, its
  // FNV-1a hash, the message's id, and in nanoseconds when it was received, the same clock now, and
  // the monotonic clock now.
  void write(const char* what, const trigger_message& m) { write(what, m, view(m.topic)); }
  void write(const char* what, const trigger_message& m, std::string_view topic) {
    std::uint64_t hash = 14695981039346656037ULL;
    for (std::size_t i = 0; i < m.payload.len; ++i) {
      hash = (hash ^ m.payload.ptr[i]) * 1099511628211ULL;
    }
    char line[1024];
    const auto nanoseconds = [](auto time) {
      return static_cast<long long>(std::chrono::nanoseconds(time.time_since_epoch()).count());
    };
    const int length = std::snprintf(
        line, sizeof line, "%s %.*s %u %d %d %u %zu %016llx %.*s %lld %lld %lld\n", what,
        static_cast<int>(topic.size()), topic.data(), m.qos,
        (m.flags & TRIGGER_MESSAGE_RETAIN) != 0, (m.flags & TRIGGER_MESSAGE_DUP) != 0, m.attempt,
        m.payload.len, static_cast<unsigned long long>(hash), static_cast<int>(m.id.len), m.id.ptr,
        static_cast<long long>(m.received_unix_ns), nanoseconds(std::chrono::system_clock::now()),
        nanoseconds(std::chrono::steady_clock::now()));
    if (length < 0 || file.empty()) return;
    const std::lock_guard lock(mutex);
    if (std::FILE* out = std::fopen(file.c_str(), "ae")) {
      std::fwrite(line, 1, static_cast<std::size_t>(length), out);
      std::fclose(out);
    }
  }

  bool was_started = false;  // else it was only tried

  int random_delay() const {
    thread_local std::mt19937 engine{std::random_device{}()};
    return std::uniform_int_distribution<int>(0, delay_ms)(engine);
  }
};

Recorder& self(void* instance) {
  return *static_cast<Recorder*>(instance);
}

void hang_in(const Recorder& recorder, const char* mode) {
  while (recorder.mode == mode) std::this_thread::sleep_for(std::chrono::hours(1));
}

std::int32_t create(const trigger_host* host, const trigger_instance_config* config,
                    void** instance, trigger_result* error) {
  auto made = std::make_unique<Recorder>();
  made->host = host;
  for (std::size_t i = 0; i < config->setting_count; ++i) {
    const trigger_setting& setting = config->settings[i];
    const std::string value(view(setting.value));
    if (view(setting.key) == "file") {
      made->file = value;
    } else if (view(setting.key) == "mode") {
      made->mode = value;
    } else if (view(setting.key) == "flag") {
      made->flag = value;
    } else if (view(setting.key) == "delay_ms") {
      made->delay_ms = std::stoi(value);
    } else if (view(setting.key) == "publish_qos") {
      made->publish_qos = std::stoi(value);
    } else {
      std::snprintf(error->reason, sizeof error->reason, "unknown setting \"%s\"", setting.key.ptr);
      return TRIGGER_E_INVALID;
    }
  }
  if (made->mode == "hang-create" && !made->flag.empty()) std::ofstream(made->flag) << "hangs";
  hang_in(*made, "hang-create");
  if (made->mode == "create-trap") __builtin_trap();
  if (made->mode == "create-exit") std::exit(0);
  *instance = made.release();
  return TRIGGER_OK;
}

std::int32_t start(void* instance, trigger_result* error) {
  self(instance).was_started = true;
  hang_in(self(instance), "hang-start");
  if (self(instance).mode != "no-start") return TRIGGER_OK;
  // Once for each time that somebody makes the file, who sees by this that it has started.
  if (!self(instance).flag.empty() && std::filesystem::remove(self(instance).flag)) {
    return TRIGGER_OK;
  }
  std::snprintf(error->reason, sizeof error->reason, "the database is away");
  return TRIGGER_E_FAILED;
}

void stop(void* instance) {
  hang_in(self(instance), "hang-stop");
  for (std::thread& thread : self(instance).threads) thread.join();
  self(instance).threads.clear();
}

void destroy(void* instance) {
  if (self(instance).was_started) hang_in(self(instance), "hang-destroy");
  delete static_cast<Recorder*>(instance);
}

std::int32_t record(void* instance, const trigger_message* message, trigger_result*) {
  Recorder& recorder = self(instance);
  recorder.write("begin", *message);
  if (recorder.delay_ms > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(recorder.random_delay()));
  }
  if (recorder.mode == "payload-delay") {  // the payload is how long it takes, in milliseconds
    const std::string ms(reinterpret_cast<const char*>(message->payload.ptr), message->payload.len);
    std::this_thread::sleep_for(std::chrono::milliseconds(std::stoi(ms)));
  }
  // Only what asks for it; anything else is handled meanwhile.
  if (recorder.mode == "wait-until" || recorder.mode == "wait-until-own") {
    const std::string payload(reinterpret_cast<const char*>(message->payload.ptr),
                              message->payload.len);
    const std::string flag = recorder.flag + (recorder.mode == "wait-until" ? "" : payload);
    while (payload.starts_with("wait") && access(flag.c_str(), F_OK) != 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  recorder.write("end", *message);
  return TRIGGER_OK;
}

// For a service that is there to be probed: well once the flag file is there.
std::int32_t probe(void* instance, trigger_result* result) {
  if (access(self(instance).flag.c_str(), F_OK) == 0) return TRIGGER_OK;
  std::snprintf(result->reason, sizeof result->reason, "the database is still away");
  return TRIGGER_E_FAILED;
}

std::int32_t complete(Recorder& recorder, std::uint64_t token, std::int32_t code) {
  trigger_result result{};
  result.struct_size = sizeof result;
  result.code = code;
  return recorder.host->complete(recorder.host->ctx, token, &result);
}

trigger_bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

void say(Recorder& recorder, const std::string& text) {
  recorder.host->log(recorder.host->ctx, TRIGGER_LOG_INFO, {text.data(), text.size()});
}

std::int32_t misbehave(void* instance, const trigger_message* message, trigger_result* result) {
  Recorder& recorder = self(instance);
  const std::string& mode = recorder.mode;
  recorder.write("begin", *message);
  const std::uint64_t token = message->token;
  if (mode == "throw") throw std::runtime_error("thrown through the ABI");
  if (mode == "throw-int") throw 42;
  if (mode == "nonsense") return 4711;
  if (mode == "unterminated-reason") {
    std::memset(result->reason, 'x', sizeof result->reason);
    return TRIGGER_REJECT;
  }
  if (mode == "never") return TRIGGER_PENDING;
  if (mode == "properties" || mode == "properties-hang") {
    recorder.write("properties", *message, Recorder::properties_of(*message));
    while (mode == "properties-hang") std::this_thread::sleep_for(std::chrono::hours(1));
    return TRIGGER_OK;
  }
  if (mode == "reply") {
    const std::string answer =
        "answer to " +
        std::string(reinterpret_cast<const char*>(message->payload.ptr), message->payload.len);
    return trigger_reply(recorder.host, message, bytes_of(answer), 1, nullptr, nullptr);
  }
  if (mode == "publish") {
    trigger_publish request{};
    request.struct_size = sizeof request;
    request.topic = {"out", 3};
    request.payload = message->payload;
    request.qos = static_cast<std::uint32_t>(recorder.publish_qos);
    request.done = [](void* user, std::int32_t code, trigger_str reason) {
      say(*static_cast<Recorder*>(user),
          "published: " + std::to_string(code) + " " + std::string(view(reason)));
    };
    request.user = &recorder;
    say(recorder,
        "publish: " + std::to_string(recorder.host->publish(recorder.host->ctx, &request)));
    return TRIGGER_OK;
  }
  if (mode == "hang") {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
  if (mode == "retry-twice") {
    return message->attempt < 3 ? TRIGGER_RETRY : TRIGGER_OK;
  }
  if (mode == "retry") return TRIGGER_RETRY;
  if (mode == "retry-until" || mode == "reject-until") {
    if (access(recorder.flag.c_str(), F_OK) != 0) {
      return mode == "retry-until" ? TRIGGER_RETRY : TRIGGER_REJECT;
    }
    recorder.write("end", *message);
    return TRIGGER_OK;
  }
  if (mode == "reject") {
    std::snprintf(result->reason, sizeof result->reason, "not to my taste");
    return TRIGGER_REJECT;
  }
  if (mode == "late") {
    recorder.threads.emplace_back([&recorder, token] {
      while (access(recorder.flag.c_str(), F_OK) != 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      say(recorder, "late answer: " + std::to_string(complete(recorder, token, TRIGGER_OK)));
    });
    return TRIGGER_PENDING;
  }
  if (mode == "twice") {
    const std::int32_t first = complete(recorder, token, TRIGGER_OK);
    const std::int32_t second = complete(recorder, token, TRIGGER_REJECT);
    say(recorder, "answers: " + std::to_string(first) + " " + std::to_string(second));
    return TRIGGER_PENDING;
  }
  return TRIGGER_OK;
}

trigger_service service(const char* name, std::uint32_t flags,
                        std::int32_t (*handle)(void*, const trigger_message*, trigger_result*)) {
  trigger_service made{};
  made.struct_size = sizeof made;
  made.flags = flags;
  made.name = {name, std::strlen(name)};
  made.create = create;
  made.start = start;
  made.handle = handle;
  made.stop = stop;
  made.destroy = destroy;
  return made;
}

}  // namespace

extern "C" TRIGGER_EXPORT const trigger_plugin* trigger_plugin_entry_v1(const trigger_host*) {
  static const trigger_service record_service =
      service("record", TRIGGER_SERVICE_CONCURRENT, record);
  static const trigger_service misbehave_service = service("misbehave", 0, misbehave);
  static const trigger_service guard_service = [] {
    trigger_service made = service("guard", 0, record);
    made.probe = probe;
    return made;
  }();
  static const trigger_service* const services[] = {&record_service, &misbehave_service,
                                                    &guard_service};
  static const trigger_plugin plugin = [] {
    trigger_plugin made{};
    made.struct_size = sizeof made;
    made.abi_major = TRIGGER_ABI_MAJOR;
    made.abi_minor = TRIGGER_ABI_MINOR;
    made.service_count = 3;
    made.name = {"recorder", 8};
    made.version = {"1.0.0", 5};
    made.services = services;
    return made;
  }();
  return &plugin;
}
