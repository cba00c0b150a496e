/* A plugin with one thing wrong, chosen by MISFIT when it is built. */
#include <trigger/plugin.h>

#define NO_ENTRY 1
#define OTHER_MAJOR_SYMBOL 2
#define OTHER_MAJOR_FIELD 3
#define TINY_PLUGIN 4
#define HUGE_PLUGIN 5
#define TINY_SERVICE 6
#define NO_HANDLE 7
#define NULL_SERVICE 8
#define SAME_NAMES 9
#define NULL_ENTRY 10
#define DATA_ENTRY 11
#define UNDEFINED 12
#define NOTHING_WRONG 13
#define CRASHES_IN_CONSTRUCTOR 14

#if MISFIT != NO_ENTRY && MISFIT != OTHER_MAJOR_SYMBOL && MISFIT != DATA_ENTRY

static int32_t create(const trigger_host* host, const trigger_instance_config* config,
                      void** instance, trigger_result* error) {
  (void)host;
  (void)config;
  (void)error;
  *instance = 0;
  return TRIGGER_OK;
}

static int32_t start(void* instance, trigger_result* error) {
  (void)instance;
  (void)error;
  return TRIGGER_OK;
}

static int32_t handle(void* instance, const trigger_message* message, trigger_result* result) {
  (void)instance;
  (void)message;
  (void)result;
  return TRIGGER_OK;
}

static void stop(void* instance) {
  (void)instance;
}
static void destroy(void* instance) {
  (void)instance;
}

#if MISFIT == TINY_SERVICE
#define SERVICE_SIZE 24
#else
#define SERVICE_SIZE sizeof(trigger_service)
#endif

#if MISFIT == NO_HANDLE
#define HANDLE 0
#else
#define HANDLE handle
#endif

static const trigger_service first = {
    .struct_size = SERVICE_SIZE,
    .name = {"first", 5},
    .create = create,
    .start = start,
    .handle = HANDLE,
    .stop = stop,
    .destroy = destroy,
};

#if MISFIT != NULL_SERVICE && MISFIT != SAME_NAMES
static const trigger_service second = {
    .struct_size = sizeof(trigger_service),
    .name = {"second", 6},
    .create = create,
    .start = start,
    .handle = handle,
    .stop = stop,
    .destroy = destroy,
};
#endif

#if MISFIT == NULL_SERVICE
#define SECOND 0
#elif MISFIT == SAME_NAMES
#define SECOND &first
#else
#define SECOND &second
#endif

static const trigger_service* const services[] = {&first, SECOND};

#if MISFIT == TINY_PLUGIN
#define PLUGIN_SIZE 4
#elif MISFIT == HUGE_PLUGIN
#define PLUGIN_SIZE 0x10000001u
#else
#define PLUGIN_SIZE sizeof(trigger_plugin)
#endif

#if MISFIT == OTHER_MAJOR_FIELD
#define MAJOR 2
#else
#define MAJOR TRIGGER_ABI_MAJOR
#endif

static const trigger_plugin plugin = {
    .struct_size = PLUGIN_SIZE,
    .abi_major = MAJOR,
    .abi_minor = TRIGGER_ABI_MINOR,
    .service_count = 2,
    .name = {"misfit", 6},
    .version = {"1.0.0", 5},
    .services = services,
};

#if MISFIT == UNDEFINED
void a_function_that_nobody_has(void);
#endif

const trigger_plugin* trigger_plugin_entry_v1(const trigger_host* host) {
#if MISFIT == NULL_ENTRY
  static const char why[] = "this host is not for me";
  trigger_str text = {why, sizeof why - 1};
  host->log(host->ctx, TRIGGER_LOG_ERROR, text);
  (void)plugin;
  return 0;
#else
  (void)host;
#if MISFIT == UNDEFINED
  a_function_that_nobody_has();
#endif
  return &plugin;
#endif
}

#endif

#if MISFIT == NO_ENTRY
TRIGGER_EXPORT int something_else(void);
int something_else(void) {
  return 1;
}
#endif

#if MISFIT == OTHER_MAJOR_SYMBOL
#include <stdlib.h>
TRIGGER_EXPORT const trigger_plugin* trigger_plugin_entry_v2(const trigger_host* host);
const trigger_plugin* trigger_plugin_entry_v2(const trigger_host* host) {
  (void)host;
  return 0;
}
/* None of its code may run. */
__attribute__((constructor)) static void constructor(void) {
  abort();
}
#endif

#if MISFIT == CRASHES_IN_CONSTRUCTOR
#include <stdlib.h>
__attribute__((constructor)) static void constructor(void) {
  abort();
}
#endif

#if MISFIT == DATA_ENTRY
__asm__(
    ".data\n"
    ".globl trigger_plugin_entry_v1\n"
    ".type trigger_plugin_entry_v1, %object\n"
    ".size trigger_plugin_entry_v1, 8\n"
    "trigger_plugin_entry_v1: .quad 0\n"
    ".text\n");
#endif
