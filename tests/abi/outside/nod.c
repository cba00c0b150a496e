#include <trigger/plugin.h>

static char the_instance;

static int32_t create(const trigger_host* host, const trigger_instance_config* config,
                      void** instance, trigger_result* error) {
  (void)host;
  (void)config;
  (void)error;
  *instance = &the_instance;
  return TRIGGER_OK;
}

static int32_t start(void* instance, trigger_result* error) {
  (void)instance;
  (void)error;
  return TRIGGER_OK;
}

static int32_t handle(void* instance, const trigger_message* message, trigger_result* result) {
  (void)instance;
  (void)result;
  return message->payload.len == 0 ? TRIGGER_REJECT : TRIGGER_OK;
}

static void stop(void* instance) {
  (void)instance;
}
static void destroy(void* instance) {
  (void)instance;
}

static const trigger_service service = {sizeof(trigger_service),
                                        0,
                                        {"nod", 3},
                                        0,
                                        0,
                                        create,
                                        start,
                                        handle,
                                        NULL,
                                        stop,
                                        destroy,
                                        NULL,
                                        NULL,
                                        NULL,
                                        NULL};
static const trigger_service* const services[] = {&service};
static const trigger_plugin plugin = {
    sizeof(trigger_plugin), TRIGGER_ABI_MAJOR, TRIGGER_ABI_MINOR, 1, {"nod", 3},
    {"0.1.0", 5},           services};

const trigger_plugin* trigger_plugin_entry_v1(const trigger_host* host) {
  (void)host;
  return &plugin;
}
