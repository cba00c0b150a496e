// A plugin whose services do to their process what their messages say: for tests of isolation. The
// raw ABI, so that nothing softens the blow.
//
// A payload is "DEED" or "DEED:NAME". Before it does it, the service adds "PAYLOAD ATTEMPT PID" to
// its file; a deed that it survives ends with TRIGGER_OK unless it says otherwise. What is to
// happen a number of times is a file beside that one, a byte for each time: see happens().
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <trigger/plugin.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "integration/hostile/attacks.hpp"

namespace {

struct Hostile {
  const trigger_host* host = nullptr;
  std::string file;
  std::string hangs_in;
  std::mutex mutex;
  std::vector<std::thread> threads;
  std::uint64_t counter = 0;
  std::atomic<int> published{0};
};

Hostile& self(void* instance) {
  return *static_cast<Hostile*>(instance);
}

void say(const Hostile& hostile, const std::string& text) {
  hostile.host->log(hostile.host->ctx, TRIGGER_LOG_INFO, {text.data(), text.size()});
}

void write_down(Hostile& hostile, const std::string& line) {
  const std::lock_guard lock(hostile.mutex);
  if (std::FILE* out = std::fopen(hostile.file.c_str(), "ae")) {
    std::fprintf(out, "%s\n", line.c_str());
    std::fclose(out);
  }
}

// Whether there is a byte left in the file's neighbour of this name; takes it away.
bool happens(const Hostile& hostile, const char* what) {
  const std::string name = hostile.file + "." + what;
  struct stat found {};
  return ::stat(name.c_str(), &found) == 0 && found.st_size > 0 &&
         ::truncate(name.c_str(), found.st_size - 1) == 0;
}

// As a library does whose language's runtime cannot be unloaded.
void stay_loaded() {
  Dl_info self{};
  if (::dladdr(reinterpret_cast<void*>(&stay_loaded), &self) != 0) {
    ::dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
  }
}

std::int32_t create(const trigger_host* host, const trigger_instance_config* config,
                    void** instance, trigger_result* error) {
  auto made = std::make_unique<Hostile>();
  made->host = host;
  for (std::size_t i = 0; i < config->setting_count; ++i) {
    const std::string_view key(config->settings[i].key.ptr, config->settings[i].key.len);
    if (key == "file") made->file = config->settings[i].value.ptr;
    if (key == "crash" && std::string_view(config->settings[i].value.ptr) == "create") std::abort();
    if (key == "stay") stay_loaded();
    if (key == "hang") made->hangs_in = config->settings[i].value.ptr;
    if (key == "refuse") {
      std::snprintf(error->reason, sizeof error->reason, "setting \"refuse\" is unknown");
      return TRIGGER_E_INVALID;
    }
  }
  if (happens(*made, "crash-in-create")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // what could be handed over, is
    std::abort();
  }
  host->metric(host->ctx, {"deeds", 5}, TRIGGER_METRIC_COUNTER, {"", 0}, &made->counter);
  *instance = made.release();
  return TRIGGER_OK;
}

void maybe_hang(void* instance, const char* call) {
  while (self(instance).hangs_in == call) ::pause();
}

std::int32_t start(void* instance, trigger_result*) {
  maybe_hang(instance, "start");
  return TRIGGER_OK;
}

void stop(void* instance) {
  maybe_hang(instance, "stop");
  for (std::thread& thread : self(instance).threads) thread.join();
  self(instance).threads.clear();
}

void destroy(void* instance) {
  maybe_hang(instance, "destroy");
  delete static_cast<Hostile*>(instance);
}

// What instruments it would see to it first.
__attribute__((no_sanitize("undefined", "address", "thread"))) void dereference_null() {
  volatile int* volatile nowhere = nullptr;  // else it is known, and left out
  *nowhere = 1;                              // NOLINT: that is what it is for
}

// As a debugger's breakpoint: what comes behind it would run if somebody let it.
void break_here() {
#if defined(__x86_64__)
  asm volatile("int3");
#else
  ::raise(SIGTRAP);
#endif
}

// Until the stack ends.
std::uint64_t overflow(std::uint64_t depth) {
  volatile char room[4'096];
  room[0] = static_cast<char>(depth);
  if (depth == 0) return 0;  // never
  return depth + overflow(depth + 1) + static_cast<std::uint64_t>(room[0]);
}

std::int32_t eat() {
  // The compiler may leave out memory that nobody can look at, and clang does.
  [[maybe_unused]] static char* volatile eaten = nullptr;
  for (;;) {
    const std::size_t size = std::size_t{16} << 20;
    char* const piece = static_cast<char*>(std::malloc(size));
    if (piece == nullptr) std::abort();
    std::memset(piece, 1, size);
    eaten = piece;
  }
}

std::int32_t fork_many() {
  for (int i = 0; i < 20; ++i) {
    if (::fork() == 0) {
      for (;;) ::pause();
    }
  }
  std::abort();
}

std::int32_t publish(Hostile& hostile, const trigger_message& message) {
  trigger_publish request{};
  request.struct_size = sizeof request;
  request.topic = {"out", 3};
  request.payload = message.payload;
  request.qos = 1;
  request.user = &hostile;
  request.done = [](void* user, std::int32_t code, trigger_str) {
    say(self(user), "published: " + std::to_string(code));
  };
  return hostile.host->publish(hostile.host->ctx, &request) == TRIGGER_OK ? TRIGGER_OK
                                                                          : TRIGGER_RETRY;
}

std::int32_t complete_later(Hostile& hostile, std::uint64_t token) {
  const std::lock_guard lock(hostile.mutex);
  hostile.threads.emplace_back([&hostile, token] {
    const trigger_host* const host = hostile.host;
    std::string codes = std::to_string(host->extend(host->ctx, token, 60'000));
    trigger_result result{};
    result.struct_size = sizeof result;
    result.code = TRIGGER_OK;
    for (int i = 0; i < 2; ++i) {
      codes += " " + std::to_string(host->complete(host->ctx, token, &result));
    }
    say(hostile, "completed: " + codes);
  });
  return TRIGGER_PENDING;
}

std::int32_t handle(void* instance, const trigger_message* message, trigger_result* result) {
  Hostile& hostile = self(instance);
  const std::string payload(reinterpret_cast<const char*>(message->payload.ptr),
                            message->payload.len);
  const std::string deed = payload.substr(0, payload.find(':'));
  write_down(hostile, (payload.size() > 100 ? "long" : payload) + " " +
                          std::to_string(message->attempt) + " " + std::to_string(::getpid()));
  hostile.host->metric_add(hostile.host->ctx, hostile.counter, 1);
  if (deed == "null") dereference_null();
  if (deed == "abort") std::abort();
  if (deed == "trap") break_here();
  if (deed == "exit") std::exit(3);
  if (deed == "exit-well") std::exit(0);
  if (deed == "overflow") overflow(1);
  if (deed == "unblock") {
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  if (deed == "wander") {
    ::umask(0777);
    if (::chdir("/") != 0) std::abort();
  }
  if (deed == "loop") {
    for (std::atomic<std::uint64_t> i{0};;) ++i;
  }
  if (deed == "eat") return eat();
  if (deed == "fork") return fork_many();
  if (deed == "fork-return" && ::fork() == 0) return TRIGGER_OK;  // twice from one call
  if (deed == "close") {
    for (int fd = 0; fd < 1'024; ++fd) ::close(fd);
  }
  if (deed == "close-and-call") {  // the runtime cannot be woken for the call
    for (int fd = 0; fd < 1'024; ++fd) ::close(fd);
    for (;;) hostile.host->extend(hostile.host->ctx, message->token, 60'000);
  }
  if (deed == "sick" && happens(hostile, "sick")) return TRIGGER_RETRY;
  if (deed == "attack") {
    const auto neighbour =
        static_cast<pid_t>(std::atoi(payload.c_str() + std::min(payload.size(), deed.size() + 1)));
    say(hostile, "not refused: " + ::hostile::attacks_that_go_through(::getppid(), neighbour));
  }
  if (deed == "own") say(hostile, "missing: " + ::hostile::rights_that_are_missing());
  if (deed == "linger" && ::fork() == 0) {
    for (;;) ::pause();
  }
  if (deed == "eat-shared" && !::hostile::eat_shared_memory()) std::abort();
  if (deed == "eat-file" && !::hostile::eat_memory_file()) std::abort();
  if (deed == "fill-doorbell") ::hostile::fill_doorbell();
  if (deed == "timeout") say(hostile, "program: " + ::hostile::start_program_with_timeout());
  if (deed == "fault")
    say(hostile, std::string("fault: ") + (::hostile::catch_fault() ? "caught" : "?"));
  if (deed == "publish") return publish(hostile, *message);
  if (deed == "pending") return complete_later(hostile, message->token);
  if (deed == "nap") std::this_thread::sleep_for(std::chrono::milliseconds(500));
  if (deed == "slow") std::this_thread::sleep_for(std::chrono::milliseconds(100));
  if (deed == "reject") {
    std::snprintf(result->reason, sizeof result->reason, "not to my taste");
    return TRIGGER_REJECT;
  }
  if (deed == "retry-once" && message->attempt == 1) return TRIGGER_RETRY;
  return TRIGGER_OK;
}

std::int32_t probe(void* instance, trigger_result*) {
  if (happens(self(instance), "crash-in-probe")) std::abort();
  if (happens(self(instance), "hang-in-probe")) {
    for (;;) ::pause();
  }
  return TRIGGER_OK;
}

trigger_service make_service() {
  trigger_service made{};
  made.struct_size = sizeof made;
  made.flags = TRIGGER_SERVICE_CONCURRENT;
  made.name = {"obey", 4};
  made.create = create;
  made.start = start;
  made.handle = handle;
  made.stop = stop;
  made.destroy = destroy;
  made.probe = probe;
  return made;
}

}  // namespace

extern "C" TRIGGER_EXPORT const trigger_plugin* trigger_plugin_entry_v1(const trigger_host*) {
  static const trigger_service service = make_service();
  static const trigger_service* const services[] = {&service};
  static const trigger_plugin plugin = [] {
    trigger_plugin made{};
    made.struct_size = sizeof made;
    made.abi_major = TRIGGER_ABI_MAJOR;
    made.abi_minor = TRIGGER_ABI_MINOR;
    made.service_count = 1;
    made.name = {"hostile", 7};
    made.version = {"1.0.0", 5};
    made.services = services;
    return made;
  }();
  return &plugin;
}
