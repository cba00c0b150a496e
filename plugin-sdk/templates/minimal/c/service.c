/* @NAME@: greets whoever a message names. trigger/plugin.h says what each function is for and on
 * which thread it is called. */
#include <stdio.h>
#include <string.h>
#include <trigger/plugin.h>

#define TEXT(literal) \
  { literal, sizeof(literal) - 1 }

/* The host serves as the instance: there is nothing else to keep. */
static int32_t create(const trigger_host* host, const trigger_instance_config* config,
                      void** instance, trigger_result* error) {
  if (config->setting_count != 0) {
    snprintf(error->reason, sizeof(error->reason), "there are no settings");
    return TRIGGER_E_FAILED;
  }
  *instance = (void*)host;
  return TRIGGER_OK;
}

static int32_t start(void* instance, trigger_result* error) {
  (void)instance;
  (void)error;
  return TRIGGER_OK;
}

static int32_t handle(void* instance, const trigger_message* message, trigger_result* result) {
  const trigger_host* const host = instance;
  char text[256];
  trigger_str line;
  if (message->payload.len == 0) {
    snprintf(result->reason, sizeof(result->reason), "nobody to greet");
    return TRIGGER_REJECT;
  }
  snprintf(text, sizeof(text), "hello %.*s",
           message->payload.len > 200 ? 200 : (int)message->payload.len,
           (const char*)message->payload.ptr);
  line.ptr = text;
  line.len = strlen(text);
  host->log(host->ctx, TRIGGER_LOG_INFO, line);
  return TRIGGER_OK;
}

static void stop(void* instance) {
  (void)instance;
}

static void destroy(void* instance) {
  (void)instance;
}

static const trigger_service service = {
    sizeof(trigger_service),
    0, /* flags: one message at a time */
    TEXT("hello"),
    0, /* state_version: there is none */
    0, /* reserved */
    create,
    start,
    handle,
    NULL, /* handle_batch */
    stop,
    destroy,
    NULL, /* probe */
    NULL, /* save */
    NULL, /* restore */
    NULL, /* extension */
};

static const trigger_service* const services[] = {&service};

static const trigger_plugin plugin = {
    sizeof(trigger_plugin),
    TRIGGER_ABI_MAJOR,
    TRIGGER_ABI_MINOR,
    sizeof(services) / sizeof(services[0]),
    TEXT("@NAME@"),
    TEXT("0.1.0"),
    services,
};

const trigger_plugin* trigger_plugin_entry_v1(const trigger_host* host) {
  (void)host;
  return &plugin;
}
