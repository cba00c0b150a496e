// A plugin that exists in several builds: REVISION says which, and one of the macros below what is
// wrong with it. Its service writes "REVISION COUNT PAYLOAD" for each message, and hands the count
// over to its successor.
#include <fcntl.h>
#include <trigger/plugin.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

#ifdef CRASHES_IN_CONSTRUCTOR
struct Crash {
  Crash() { std::abort(); }
} const crash;
#endif

#ifdef STAYS_LOADED
struct Held {
  ~Held() { std::atomic_thread_fence(std::memory_order_seq_cst); }
  int value = 0;
};
thread_local Held held;
// As it is loaded, on a thread that goes on.
struct Touch {
  Touch() { held.value = 1; }
} const touch;
#endif

struct Revised {
  int file = -1;
  std::uint64_t count = 0;
};

Revised& self(void* instance) {
  return *static_cast<Revised*>(instance);
}

[[maybe_unused]] std::int32_t refuse(trigger_result* error, const char* reason) {
  std::snprintf(error->reason, sizeof error->reason, "%s", reason);
  return TRIGGER_E_FAILED;
}

std::int32_t create(const trigger_host*, const trigger_instance_config* config, void** instance,
                    trigger_result* error) {
  (void)error;
#ifdef REFUSES_ITS_SETTINGS
  return refuse(error, "setting \"file\" is unknown");
#endif
  std::string file;
  for (std::size_t i = 0; i < config->setting_count; ++i) {
    const trigger_setting& setting = config->settings[i];
    if (std::string_view(setting.key.ptr, setting.key.len) == "file") file = setting.value.ptr;
  }
  auto* made = new Revised;
  made->file = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  *instance = made;
  return TRIGGER_OK;
}

std::int32_t start(void*, trigger_result* error) {
  (void)error;
#ifdef DOES_NOT_START
  return refuse(error, "the database is away");
#endif
  return TRIGGER_OK;
}

std::int32_t handle(void* instance, const trigger_message* message, trigger_result* result) {
  (void)result;
#ifdef REJECTS_ALL
  std::snprintf(result->reason, sizeof result->reason, "revision %d rejects all", REVISION);
  return TRIGGER_REJECT;
#endif
#ifdef FAILS_ALL
  return TRIGGER_RETRY;
#endif
  Revised& revised = self(instance);
  char line[256];
  const int length = std::snprintf(line, sizeof line, "%d %llu %.*s\n", REVISION,
                                   static_cast<unsigned long long>(++revised.count),
                                   static_cast<int>(message->payload.len),
                                   reinterpret_cast<const char*>(message->payload.ptr));
  if (::write(revised.file, line, static_cast<std::size_t>(length)) != length) {
    return TRIGGER_RETRY;
  }
#ifdef COMPLETES_NOTHING
  return TRIGGER_PENDING;
#endif
  return TRIGGER_OK;
}

void stop(void*) {}

void destroy(void* instance) {
  ::close(self(instance).file);
  delete &self(instance);
}

std::int32_t save(void* instance, trigger_state_sink write, void* sink, trigger_result* error) {
  (void)error;
#ifdef DOES_NOT_SAVE
  return refuse(error, "the state is locked");
#endif
  const std::uint64_t count = self(instance).count;
  return write(sink, {reinterpret_cast<const std::uint8_t*>(&count), sizeof count});
}

std::int32_t restore(void* instance, std::uint32_t, trigger_bytes state, trigger_result* error) {
#ifdef DOES_NOT_RESTORE
  (void)instance;
  (void)state;
  return refuse(error, "state of another kind");
#else
  std::uint64_t count = 0;
  if (state.len != sizeof count) return refuse(error, "not a count");
  std::memcpy(&count, state.ptr, sizeof count);
  self(instance).count = count;
  return TRIGGER_OK;
#endif
}

const trigger_service service = {sizeof(trigger_service),
                                 0,
                                 {"count", 5},
                                 1,
                                 0,
                                 create,
                                 start,
                                 handle,
                                 nullptr,
                                 stop,
                                 destroy,
                                 nullptr,
                                 save,
                                 restore,
                                 nullptr};
const trigger_service* const services[] = {&service};
const trigger_plugin plugin = {sizeof(trigger_plugin), TRIGGER_ABI_MAJOR, TRIGGER_ABI_MINOR, 1,
                               {"revised", 7},         {"1.0.0", 5},      services};

}  // namespace

extern "C" const trigger_plugin* trigger_plugin_entry_v1(const trigger_host*) {
  return &plugin;
}
