/*
 * discard: answers ok to every message and does nothing with it. For load tests, and as a proof
 * that trigger/plugin.h is all that a plugin in C99 needs.
 */
#include <stddef.h>
#include <string.h>
#include <trigger/plugin.h>

/* Instances have no state, so all of them are this one. */
static char the_instance;

static void append(trigger_result* error, size_t* used, const char* text, size_t len) {
  const size_t room = sizeof(error->reason) - 1 - *used;
  const size_t size = len < room ? len : room;
  memcpy(error->reason + *used, text, size);
  *used += size;
  error->reason[*used] = '\0';
}

static int32_t create(const trigger_host* host, const trigger_instance_config* config,
                      void** instance, trigger_result* error) {
  static const char before[] = "setting \"";
  static const char behind[] = "\" is unknown; discard takes no settings";
  (void)host;
  if (config->setting_count != 0) {
    const trigger_str key = config->settings[0].key;
    /* A truncated key might not be valid UTF-8, so a long one is left out. */
    const size_t key_len = key.len <= 100 ? key.len : 0;
    size_t used = 0;
    append(error, &used, before, sizeof(before) - 1);
    append(error, &used, key.ptr, key_len);
    append(error, &used, behind, sizeof(behind) - 1);
    return TRIGGER_E_FAILED;
  }
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

#define TEXT(literal) \
  { literal, sizeof(literal) - 1 }

static const trigger_service service = {
    sizeof(trigger_service),
    TRIGGER_SERVICE_CONCURRENT | TRIGGER_SERVICE_BRIEF,
    TEXT("discard"),
    0, /* state_version */
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
    TEXT("discard"),
    TEXT("1.0.0"),
    services,
};

const trigger_plugin* trigger_plugin_entry_v1(const trigger_host* host) {
  (void)host;
  return &plugin;
}
