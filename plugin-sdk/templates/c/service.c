/*
 * @NAME@: adds up the numbers that arrive, and publishes the sum after every few of them. Shows
 * everything that a service may have; take out what you do not need. trigger/plugin.h says what
 * each function is for and on which thread it is called.
 *
 * A message comes again after every verdict but OK and REJECT. So the service counts a number only
 * when nothing can fail any more: one whose sum has to be published counts once the server has it.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <trigger/clock.h>
#include <trigger/plugin.h>

#define TEXT(literal) \
  { literal, sizeof(literal) - 1 }

/* What the extension "sum.total/1" points to, for whoever knows its id. Other threads write its
 * `total`: read it atomically. */
typedef struct sum_total {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t total;
} sum_total;

#define LARGEST 999999999999 /* number accepted; sums of such numbers do not overflow */

/* A number whose sum is on its way to the server: its message is pending until then. */
typedef struct waiting {
  struct sum* self;
  struct waiting* next;
  uint64_t token;
  char id[64]; /* the message's, which is the same when it comes again */
  int64_t number;
  int replaced; /* its message has come again, so this attempt does not count */
} waiting;

typedef struct sum {
  const trigger_host* host;
  const trigger_clock* clock; /* NULL: the host has none, and the system's is used */
  char topic[256];
  int64_t every;
  uint64_t quiet_ns;
  uint64_t numbers_total; /* the id of a metric */
  sum_total shown;

  pthread_mutex_t mutex; /* guards the rest */
  uint64_t last_number_ns;
  int64_t unpublished; /* numbers counted since the server got a sum */
  int64_t total;       /* of the numbers counted */
  waiting* waiting;
} sum;

static int32_t refuse(trigger_result* error, const char* reason) {
  snprintf(error->reason, sizeof(error->reason), "%s", reason);
  return TRIGGER_E_FAILED;
}

static int is(trigger_str text, const char* wanted) {
  return text.len == strlen(wanted) && memcmp(text.ptr, wanted, text.len) == 0;
}

/* Whether `text` is a whole number and nothing else. */
static int parse(const void* text, size_t len, int64_t* number) {
  char copy[24];
  char* end = NULL;
  if (len == 0 || len >= sizeof(copy)) return 0;
  memcpy(copy, text, len);
  copy[len] = '\0';
  *number = strtoll(copy, &end, 10);
  return end == copy + len && copy[0] > ' ' && copy[0] != '+';
}

static uint64_t now_ns(const sum* self) {
  struct timespec now;
  if (self->clock != NULL) return self->clock->mono_ns(self->clock->ctx);
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- Life ---------------------------------------------------------------------------------- */

/* Reads the settings. NULL, or what is wrong with them, which may be in `text`. */
static const char* read_settings(sum* self, const trigger_instance_config* config, char* text,
                                 size_t size) {
  size_t i = 0;
  for (; i < config->setting_count; ++i) {
    const trigger_setting* const setting = &config->settings[i];
    int64_t number = 0;
    if (is(setting->key, "topic")) {
      if (setting->type != TRIGGER_SETTING_STRING || setting->value.len >= sizeof(self->topic)) {
        return "setting \"topic\" must be a string of at most 255 bytes";
      }
      memcpy(self->topic, setting->value.ptr, setting->value.len);
    } else if (is(setting->key, "every")) {
      if (!parse(setting->value.ptr, setting->value.len, &self->every) || self->every < 1) {
        return "setting \"every\" must be 1 or more";
      }
    } else if (is(setting->key, "quiet_seconds")) {
      if (!parse(setting->value.ptr, setting->value.len, &number) || number < 1) {
        return "setting \"quiet_seconds\" must be 1 or more";
      }
      self->quiet_ns = (uint64_t)number * 1000000000u;
    } else {
      /* A misspelt key must not pass for one that is left out. */
      snprintf(text, size,
               "setting \"%.*s\" is unknown; this service knows topic, every, quiet_seconds",
               setting->key.len > 100 ? 100 : (int)setting->key.len, setting->key.ptr);
      return text;
    }
  }
  return self->topic[0] == '\0' ? "setting \"topic\" is missing; it must be a string" : NULL;
}

/* No threads and no network: this also runs when a configuration is only checked. */
static int32_t create(const trigger_host* host, const trigger_instance_config* config,
                      void** instance, trigger_result* error) {
  static const trigger_str name = TEXT("numbers_total");
  static const trigger_str help = TEXT("Numbers that were added");
  const char* wrong = NULL;
  char text[256];
  sum* const self = calloc(1, sizeof(*self));
  if (self == NULL) return refuse(error, "out of memory");
  self->host = host;
  self->clock = host->extension(host->ctx, TRIGGER_CLOCK);
  self->shown.struct_size = sizeof(self->shown);
  self->every = 10;
  self->quiet_ns = (uint64_t)60 * 1000000000u;
  self->last_number_ns = now_ns(self);
  wrong = read_settings(self, config, text, sizeof(text));
  if (wrong == NULL && host->metric(host->ctx, name, TRIGGER_METRIC_COUNTER, help,
                                    &self->numbers_total) != TRIGGER_OK) {
    wrong = "the host takes no metrics";
  }
  if (wrong != NULL) {
    free(self);
    return refuse(error, wrong);
  }
  pthread_mutex_init(&self->mutex, NULL);
  *instance = self;
  return TRIGGER_OK;
}

/* Threads and connections begin here... */
static int32_t start(void* instance, trigger_result* error) {
  (void)instance;
  (void)error;
  return TRIGGER_OK;
}

/* ...and end here. start may come again. */
static void stop(void* instance) {
  (void)instance;
}

static void destroy(void* instance) {
  sum* const self = instance;
  pthread_mutex_destroy(&self->mutex);
  free(self);
}

/* ---- Messages ------------------------------------------------------------------------------ */

/* mutex is held. */
static void count(sum* self, int64_t number) {
  self->total += number;
  __atomic_store_n(&self->shown.total, self->total, __ATOMIC_RELAXED);
  self->last_number_ns = now_ns(self);
  self->host->metric_add(self->host->ctx, self->numbers_total, 1);
}

/* mutex is held. */
static void take_out(sum* self, waiting* gone) {
  waiting** place = &self->waiting;
  while (*place != NULL && *place != gone) place = &(*place)->next;
  if (*place != NULL) *place = gone->next;
}

/* An attempt at the same message that ran out of time: a new one replaces it. mutex is held. */
static void replace(sum* self, const trigger_message* message) {
  waiting* other = self->waiting;
  while (other != NULL && !is(message->id, other->id)) other = other->next;
  if (other == NULL) return;
  take_out(self, other);
  other->replaced = 1; /* published() frees it */
}

/* The verdict on a message whose publish ended with `code`. Without a connection nothing is wrong
 * with the message, and the trigger waits until there is one; a host of ABI 1.0 does not know that
 * verdict. */
static int32_t verdict_of(const trigger_host* host, int32_t code) {
  switch (code) {
    case TRIGGER_OK:
      return TRIGGER_OK;
    case TRIGGER_E_FULL:
    case TRIGGER_E_NOT_CONNECTED:
      return host->abi_minor >= 1 ? TRIGGER_UNAVAILABLE : TRIGGER_RETRY;
    case TRIGGER_E_INVALID:
    case TRIGGER_E_NOT_FOUND:
    case TRIGGER_E_UNSUPPORTED:
      return TRIGGER_REJECT;
    default:
      return TRIGGER_RETRY;
  }
}

/* Called on another thread once the server has the sum or the publish has failed, and before stop
 * has returned. */
static void published(void* user, int32_t code, trigger_str reason) {
  waiting* const message = user;
  sum* const self = message->self;
  int in_time = 0;
  trigger_result result;
  memset(&result, 0, sizeof(result));
  result.struct_size = sizeof(result);
  result.code = verdict_of(self->host, code);
  if (code != TRIGGER_OK) {
    snprintf(result.reason, sizeof(result.reason), "not published: %.*s", (int)reason.len,
             reason.len == 0 ? "" : reason.ptr);
  }
  pthread_mutex_lock(&self->mutex);
  /* If it is too late, complete returns TRIGGER_E_STALE, and the message comes again. */
  in_time = self->host->complete(self->host->ctx, message->token, &result) == TRIGGER_OK;
  if (!message->replaced) take_out(self, message);
  if (in_time && code == TRIGGER_OK) {
    count(self, message->number);
    self->unpublished = 0;
  }
  pthread_mutex_unlock(&self->mutex);
  free(message);
}

/* Pending, until the server has the sum. A failure brings the message back, and then its number has
 * not been counted. mutex is held. */
static int32_t publish(sum* self, const trigger_message* message, int64_t number,
                       trigger_result* result) {
  char text[24];
  trigger_publish request;
  const waiting* other = self->waiting;
  int64_t total = self->total + number;
  int32_t code = TRIGGER_OK;
  waiting* const user = calloc(1, sizeof(*user));
  if (user == NULL) return TRIGGER_RETRY;
  user->self = self;
  user->token = message->token;
  user->number = number;
  memcpy(user->id, message->id.ptr, message->id.len); /* up to 63 bytes */
  for (; other != NULL; other = other->next) total += other->number;
  memset(&request, 0, sizeof(request));
  request.struct_size = sizeof(request);
  request.topic.ptr = self->topic;
  request.topic.len = strlen(self->topic);
  request.payload.ptr = (const uint8_t*)text;
  request.payload.len = (size_t)snprintf(text, sizeof(text), "%lld", (long long)total);
  request.qos = 1;
  request.done = published;
  request.user = user;
  code = self->host->publish(self->host->ctx, &request);
  if (code == TRIGGER_OK) {
    user->next = self->waiting;
    self->waiting = user;
    return TRIGGER_PENDING;
  }
  free(user);
  snprintf(result->reason, sizeof(result->reason), "not published: error %d", (int)code);
  return verdict_of(self->host, code);
}

/* mutex is held. */
static int32_t take(sum* self, const trigger_message* message, trigger_result* result) {
  const waiting* other = NULL;
  int64_t unpublished = self->unpublished + 1;
  int64_t number = 0;
  if (!parse(message->payload.ptr, message->payload.len, &number) || number < -LARGEST ||
      number > LARGEST) {
    /* It will not be one the next time either. */
    refuse(result, "the payload must be a whole number of at most 12 digits");
    return TRIGGER_REJECT;
  }
  replace(self, message);
  for (other = self->waiting; other != NULL; other = other->next) ++unpublished;
  if (unpublished >= self->every) return publish(self, message, number, result);
  count(self, number);
  ++self->unpublished;
  return TRIGGER_OK;
}

static int32_t handle(void* instance, const trigger_message* message, trigger_result* result) {
  sum* const self = instance;
  int32_t verdict = TRIGGER_OK;
  pthread_mutex_lock(&self->mutex);
  verdict = take(self, message, result);
  pthread_mutex_unlock(&self->mutex);
  return verdict;
}

/* Optional: several messages at once, if one transaction is cheaper than many. Each has its own
 * verdict, which is RETRY beforehand. A message that is alone goes to handle. */
static void handle_batch(void* instance, const trigger_message* const* messages,
                         trigger_result* const* results, size_t count) {
  sum* const self = instance;
  size_t i = 0;
  pthread_mutex_lock(&self->mutex);
  for (; i < count; ++i) results[i]->code = take(self, messages[i], results[i]);
  pthread_mutex_unlock(&self->mutex);
}

/* ---- What else a service may have ---------------------------------------------------------- */

/* Optional: checks whether what the service depends on is available. */
static int32_t probe(void* instance, trigger_result* result) {
  sum* const self = instance;
  uint64_t silence = 0;
  pthread_mutex_lock(&self->mutex);
  silence = now_ns(self) - self->last_number_ns;
  pthread_mutex_unlock(&self->mutex);
  return silence <= self->quiet_ns ? TRIGGER_OK : refuse(result, "no number has come for a while");
}

/* Optional: the state that a successor takes over, after a hot reload. */
static int32_t save(void* instance, trigger_state_sink write, void* sink, trigger_result* error) {
  const sum* const self = instance;
  char text[64];
  trigger_bytes state;
  (void)error;
  state.len = (size_t)snprintf(text, sizeof(text), "%lld %lld", (long long)self->unpublished,
                               (long long)self->total);
  state.ptr = (const uint8_t*)text;
  return write(sink, state);
}

static int32_t restore(void* instance, uint32_t state_version, trigger_bytes state,
                       trigger_result* error) {
  sum* const self = instance;
  const char* const text = (const char*)state.ptr;
  const char* const space = state.len == 0 ? NULL : memchr(text, ' ', state.len);
  if (state_version != 1 || space == NULL ||
      !parse(text, (size_t)(space - text), &self->unpublished) ||
      !parse(space + 1, state.len - (size_t)(space + 1 - text), &self->total)) {
    return refuse(error, "the state is not from this service");
  }
  self->shown.total = self->total;
  return TRIGGER_OK;
}

/* Optional: the service's own extension. */
static const void* extension(void* instance, const char* id) {
  const sum* const self = instance;
  return strcmp(id, "sum.total/1") == 0 ? &self->shown : NULL;
}

/* ---- The plugin ---------------------------------------------------------------------------- */

static const trigger_service service = {
    sizeof(trigger_service),
    0, /* flags: one message at a time */
    TEXT("sum"),
    1, /* state_version: the version of what save writes */
    0, /* reserved */
    create,
    start,
    handle,
    handle_batch,
    stop,
    destroy,
    probe,
    save,
    restore,
    extension,
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
