/*
 * A plugin of a later minor, built with a header whose structs have grown (grow_header.cmake). It
 * uses what is new where TRIGGER_HAS says that it is there, and logs what it found. With CARELESS
 * it does not ask, which a test has to notice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trigger/plugin.h>

#ifdef CARELESS
#define HAS(type, pointer, field) 1
#else
#define HAS(type, pointer, field) TRIGGER_HAS(type, pointer, field)
#endif

typedef struct tomorrow {
  const trigger_host* host;
} tomorrow;

static void say(const trigger_host* host, const char* what, int there) {
  char line[64];
  trigger_str text;
  const int length = snprintf(line, sizeof(line), "%s %s", what, there ? "there" : "not there");
  text.ptr = line;
  text.len = (size_t)length;
  host->log(host->ctx, TRIGGER_LOG_INFO, text);
}

static int32_t create(const trigger_host* host, const trigger_instance_config* config,
                      void** instance, trigger_result* error) {
  tomorrow* const made = malloc(sizeof(*made));
  if (made == NULL) return TRIGGER_E_FAILED;
  made->host = host;
  say(host, "config.later", HAS(trigger_instance_config, config, later) && config->later.len != 0);
  say(host, "error.later", HAS(trigger_result, error, later) && error->later == 0);
  *instance = made;
  return TRIGGER_OK;
}

static int32_t start(void* instance, trigger_result* error) {
  const trigger_host* const host = ((tomorrow*)instance)->host;
  (void)error;
  say(host, "host.later", HAS(trigger_host, host, later) && host->later(host->ctx) == TRIGGER_OK);
  return TRIGGER_OK;
}

static int32_t handle(void* instance, const trigger_message* message, trigger_result* result) {
  const trigger_host* const host = ((tomorrow*)instance)->host;
  static const char topic[] = "from/tomorrow";
  trigger_publish request;
  say(host, "message.later", HAS(trigger_message, message, later) && message->later != 0);
  if (HAS(trigger_result, result, later)) result->later = 1;
  memset(&request, 0, sizeof(request));
  request.struct_size = sizeof(request);
  request.topic.ptr = topic;
  request.topic.len = sizeof(topic) - 1;
  request.later = 1;
  return host->publish(host->ctx, &request) == TRIGGER_OK ? TRIGGER_OK : TRIGGER_RETRY;
}

static void stop(void* instance) {
  (void)instance;
}

static void destroy(void* instance) {
  free(instance);
}

static int32_t later(void* instance) {
  (void)instance;
  return TRIGGER_OK;
}

static const trigger_service service = {
    .struct_size = sizeof(trigger_service),
    .name = {"tomorrow", 8},
    .create = create,
    .start = start,
    .handle = handle,
    .stop = stop,
    .destroy = destroy,
    .later = later,
};
static const trigger_service* const services[] = {&service};

static const trigger_plugin plugin = {
    .struct_size = sizeof(trigger_plugin),
    .abi_major = TRIGGER_ABI_MAJOR,
    .abi_minor = TRIGGER_ABI_MINOR,
    .service_count = 1,
    .name = {"tomorrow", 8},
    .version = {"1.99.0", 6},
    .services = services,
    .later = 1,
};

const trigger_plugin* trigger_plugin_entry_v1(const trigger_host* host) {
  (void)host;
  return &plugin;
}
