// A plugin that writes down in which processes it is loaded and its services are made, and does the
// worst in these when it is told to: by files, as what its settings say is known before.
//
//   TRIED_LOG    a file, which gets lines "load PID" and "make PID"
//   TRIED_FAULT  a file, which has "load abort", "make abort", "make exit" or nothing
#include <trigger/plugin.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

extern "C" int tried_needs();

namespace {

void write_down(const std::string& what) {
  const char* const log = std::getenv("TRIED_LOG");
  if (log == nullptr) return;
  std::ofstream(log, std::ios::app) << what + " " + std::to_string(::getpid()) + "\n";
}

void fail_if_told(const std::string& what) {
  const char* const file = std::getenv("TRIED_FAULT");
  if (file == nullptr) return;
  std::ifstream in(file);
  std::string when;
  std::string how;
  in >> when >> how;
  if (when != what) return;
  if (how == "abort") std::abort();
  if (how == "exit") ::_exit(9);
}

struct Loaded {
  Loaded() {
    write_down("load");
    fail_if_told("load");
  }
} const loaded;

std::int32_t create(const trigger_host*, const trigger_instance_config*, void** instance,
                    trigger_result*) {
  write_down("make");
  fail_if_told("make");
  static int any = tried_needs();
  *instance = &any;
  return TRIGGER_OK;
}

std::int32_t start(void*, trigger_result*) {
  return TRIGGER_OK;
}

void stop(void*) {}

void destroy(void*) {}

std::int32_t handle(void*, const trigger_message*, trigger_result*) {
  return TRIGGER_OK;
}

trigger_service make_service(const char* name) {
  trigger_service made{};
  made.struct_size = sizeof made;
  made.name = {name, 3};
  made.create = create;
  made.start = start;
  made.handle = handle;
  made.stop = stop;
  made.destroy = destroy;
  return made;
}

}  // namespace

extern "C" TRIGGER_EXPORT const trigger_plugin* trigger_plugin_entry_v1(const trigger_host*) {
  static const trigger_service one = make_service("one");
  static const trigger_service two = make_service("two");
  static const trigger_service* const services[] = {&one, &two};
  static const trigger_plugin plugin = [] {
    trigger_plugin made{};
    made.struct_size = sizeof made;
    made.abi_major = TRIGGER_ABI_MAJOR;
    made.abi_minor = TRIGGER_ABI_MINOR;
    made.service_count = 2;
    made.name = {"tried", 5};
    made.version = {"1.0.0", 5};
    made.services = services;
    return made;
  }();
  return &plugin;
}
