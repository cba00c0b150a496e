/* What a test of a service sees, and the host behind it. Included by trigger/testing.h. */
#ifndef TRIGGER_TESTING_HOST_H
#define TRIGGER_TESTING_HOST_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trigger/clock.h>
#include <trigger/plugin.h>
#include <trigger/testing/rules.h>

#if defined(__GNUC__)
#define TRIGGER_TEST_API static __attribute__((unused))
#else
#define TRIGGER_TEST_API static
#endif

/* ---- What a test sees ------------------------------------------------------------------------ */

/* An attempt at a message, with its verdict; `code` is TRIGGER_PENDING until that is known. */
typedef struct trigger_test_attempt {
  int32_t code;
  uint32_t retry_after_ms;
  char reason[256];
  uint32_t extended_ms;      /* what the service last passed to extend; 0: nothing */
  trigger_message* message;  /* NULL once it was freed, which is as soon as the ABI allows */
  uint64_t deadline_mono_ns; /* the message's, or as moved by extend */
  int returned;              /* from handle */
  int answered;              /* by handle or complete, on time or late */
} trigger_test_attempt;

typedef struct trigger_test_publish {
  char* alias;
  char* topic;
  char* payload; /* followed by a NUL */
  size_t payload_len;
  uint32_t qos;
  uint32_t flags; /* TRIGGER_PUBLISH_... */
  int finished;   /* its result was reported */
  trigger_publish_done done;
  void* user;
} trigger_test_publish;

typedef struct trigger_test_line {
  uint32_t level; /* TRIGGER_LOG_... */
  char* text;
} trigger_test_line;

typedef struct trigger_test_metric {
  char* name;
  uint32_t kind; /* TRIGGER_METRIC_... */
  double value;
} trigger_test_metric;

typedef struct trigger_test {
  const trigger_plugin* plugin;
  const trigger_service* service;
  void* instance;
  char reason[256];         /* of the last create, start, probe, save or restore */
  int32_t refuse_publishes; /* a TRIGGER_E_... code that publish() returns; 0: none */

  trigger_test_publish* publishes;
  size_t publish_count;
  trigger_test_line* log;
  size_t log_count;
  trigger_test_metric* metrics;
  size_t metric_count;
  const char** violations; /* what the service did that plugin.h forbids */
  size_t violation_count;

  /* The rest is for the kit itself. */
  trigger_host host;
  trigger_clock clock;
  int64_t unix_ns;
  uint64_t mono_ns;
  int started;
  void* library;
  trigger_setting* settings;
  size_t setting_count;
  trigger_test_attempt** attempts;
  size_t attempt_count;
  pthread_mutex_t mutex;
  int stopping;     /* while it is started: a stop has begun, or start has failed */
  trigger_host own; /* the plugin's, which only logs */
} trigger_test;

TRIGGER_TEST_API void trigger_test_lock(trigger_test* test) {
  pthread_mutex_lock(&test->mutex);
}
TRIGGER_TEST_API void trigger_test_unlock(trigger_test* test) {
  pthread_mutex_unlock(&test->mutex);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

TRIGGER_TEST_API void trigger_test_misuse(const char* what) {
  fprintf(stderr, "trigger/testing.h: %s\n", what);
  abort();
}

TRIGGER_TEST_API void* trigger_test_memory(void* memory, size_t size) {
  void* const made = realloc(memory, size);
  if (made == NULL) trigger_test_misuse("out of memory");
  return made;
}

/* A copy, followed by a NUL. */
TRIGGER_TEST_API char* trigger_test_copy(const void* from, size_t len) {
  char* const copy = (char*)trigger_test_memory(NULL, len + 1);
  if (len != 0) memcpy(copy, from, len);
  copy[len] = '\0';
  return copy;
}

TRIGGER_TEST_API trigger_str trigger_test_str(const char* text) {
  trigger_str made;
  made.ptr = text;
  made.len = strlen(text);
  return made;
}

#define TRIGGER_TEST_APPEND(array, count, type) \
  (*(array = (type*)trigger_test_memory(array, (count + 1) * sizeof(type)), &array[count++]))

TRIGGER_TEST_API void trigger_test_violation(trigger_test* test, const char* what) {
  TRIGGER_TEST_APPEND(test->violations, test->violation_count, const char*) = what;
}

TRIGGER_TEST_API void trigger_test_free_message(trigger_test_attempt* attempt) {
  trigger_message* const message = attempt->message;
  if (message == NULL) return;
  free((void*)message->id.ptr);
  free((void*)message->topic.ptr);
  free((void*)message->payload.ptr);
  free(message);
  attempt->message = NULL;
}

/* Frees the message once handle has returned and the service has given its verdict. One whose
 * deadline has passed without a verdict stays: the service may still be using it. */
TRIGGER_TEST_API void trigger_test_bury(trigger_test_attempt* attempt) {
  if (attempt->returned && attempt->answered) trigger_test_free_message(attempt);
}

TRIGGER_TEST_API int32_t trigger_test_end(trigger_test_attempt* attempt, int32_t code,
                                          uint32_t retry_after_ms, const char* reason) {
  if (attempt->code != TRIGGER_PENDING) return TRIGGER_E_STALE;
  attempt->code = code;
  attempt->retry_after_ms = retry_after_ms;
  snprintf(attempt->reason, sizeof(attempt->reason), "%s", reason);
  return TRIGGER_OK;
}

/* ---- The host's functions -------------------------------------------------------------------- */

TRIGGER_TEST_API trigger_test_attempt* trigger_test_find(trigger_test* test, uint64_t token) {
  return token >= 1 && token <= test->attempt_count ? test->attempts[token - 1] : NULL;
}

TRIGGER_TEST_API int32_t trigger_test_complete(void* ctx, uint64_t token,
                                               const trigger_result* result) {
  trigger_test* const test = (trigger_test*)ctx;
  trigger_test_attempt* attempt = NULL;
  int32_t code = TRIGGER_E_STALE;
  trigger_test_lock(test);
  attempt = trigger_test_find(test, token);
  if (!test->started) {
    trigger_test_violation(test, "complete was called when the instance was not started");
    code = TRIGGER_E_STATE;
  } else if (!trigger_test_is_result(result)) {
    trigger_test_violation(
        test, "complete was called without a result, or with a struct_size that is too small");
    code = TRIGGER_E_INVALID;
  } else if (!trigger_test_is_verdict(result->code)) {
    trigger_test_violation(test, "complete was called with a code that is not a final verdict");
    code = TRIGGER_E_INVALID;
  } else if (attempt != NULL) {
    code = trigger_test_end(attempt, result->code, result->retry_after_ms, result->reason);
    attempt->answered = 1;
    /* The message is freed later: the service may use it until complete has returned. */
  }
  trigger_test_unlock(test);
  return code;
}

TRIGGER_TEST_API int32_t trigger_test_extend(void* ctx, uint64_t token, uint32_t ms) {
  trigger_test* const test = (trigger_test*)ctx;
  trigger_test_attempt* attempt = NULL;
  int32_t code = TRIGGER_E_STALE;
  trigger_test_lock(test);
  attempt = trigger_test_find(test, token);
  if (!test->started) {
    trigger_test_violation(test, "extend was called when the instance was not started");
    code = TRIGGER_E_STATE;
  } else if (attempt != NULL && attempt->code == TRIGGER_PENDING) {
    attempt->extended_ms = ms;
    attempt->deadline_mono_ns = test->mono_ns + (uint64_t)ms * 1000000u;
    code = TRIGGER_OK;
  }
  trigger_test_unlock(test);
  return code;
}

TRIGGER_TEST_API int32_t trigger_test_take_publish(void* ctx, const trigger_publish* request) {
  trigger_test* const test = (trigger_test*)ctx;
  int32_t code = TRIGGER_OK;
  trigger_test_lock(test);
  if (!test->started) {
    trigger_test_violation(test, "publish was called when the instance was not started");
    code = TRIGGER_E_STATE;
  } else if (test->stopping) {
    code = TRIGGER_E_STATE; /* no mistake: a thread of the service cannot know yet */
  } else if (trigger_test_check_publish(request) != TRIGGER_OK) {
    code = TRIGGER_E_INVALID;
  } else if (test->refuse_publishes != TRIGGER_OK) {
    code = test->refuse_publishes;
  } else {
    trigger_test_publish kept;
    kept.alias = trigger_test_copy(request->alias.ptr, request->alias.len);
    kept.topic = trigger_test_copy(request->topic.ptr, request->topic.len);
    kept.payload = trigger_test_copy(request->payload.ptr, request->payload.len);
    kept.payload_len = request->payload.len;
    kept.qos = request->qos;
    kept.flags = request->flags;
    kept.finished = 0;
    kept.done = request->done;
    kept.user = request->user;
    TRIGGER_TEST_APPEND(test->publishes, test->publish_count, trigger_test_publish) = kept;
  }
  trigger_test_unlock(test);
  return code;
}

TRIGGER_TEST_API int32_t trigger_test_log_enabled(void* ctx, uint32_t level) {
  (void)ctx;
  (void)level;
  return 1;
}

TRIGGER_TEST_API void trigger_test_log(void* ctx, uint32_t level, trigger_str text) {
  trigger_test* const test = (trigger_test*)ctx;
  trigger_test_line line;
  line.level = level;
  line.text = trigger_test_copy(text.ptr, text.len);
  trigger_test_lock(test);
  TRIGGER_TEST_APPEND(test->log, test->log_count, trigger_test_line) = line;
  trigger_test_unlock(test);
}

/* An id is the metric's place, counted from 1: 0 is none. */
TRIGGER_TEST_API int32_t trigger_test_define(void* ctx, trigger_str name, uint32_t kind,
                                             trigger_str help, uint64_t* id) {
  trigger_test* const test = (trigger_test*)ctx;
  size_t at = 0;
  int32_t code = trigger_test_check_metric(name, kind, help, id);
  if (code != TRIGGER_OK) return code;
  trigger_test_lock(test);
  while (at < test->metric_count && (strlen(test->metrics[at].name) != name.len ||
                                     memcmp(test->metrics[at].name, name.ptr, name.len) != 0)) {
    ++at;
  }
  if (at < test->metric_count) {
    if (test->metrics[at].kind != kind) code = TRIGGER_E_INVALID;
  } else if (at >= TRIGGER_TEST_METRICS) {
    code = TRIGGER_E_FULL;
  } else {
    trigger_test_metric made;
    made.name = trigger_test_copy(name.ptr, name.len);
    made.kind = kind;
    made.value = 0;
    TRIGGER_TEST_APPEND(test->metrics, test->metric_count, trigger_test_metric) = made;
  }
  if (code == TRIGGER_OK) *id = at + 1;
  trigger_test_unlock(test);
  return code;
}

TRIGGER_TEST_API int32_t trigger_test_count(void* ctx, uint64_t id, double value) {
  trigger_test* const test = (trigger_test*)ctx;
  int32_t code = TRIGGER_E_INVALID;
  trigger_test_lock(test);
  if (id != 0 && id <= test->metric_count) {
    trigger_test_metric* const metric = &test->metrics[id - 1];
    const double sum = metric->value + value;
    /* Infinity and NaN less themselves are NaN. */
    if (value - value == 0 && sum - sum == 0 &&
        (value >= 0 || metric->kind == TRIGGER_METRIC_GAUGE)) {
      metric->value = sum;
      code = TRIGGER_OK;
    }
  }
  trigger_test_unlock(test);
  return code;
}

/* ---- Those of the plugin's own host, which has no instance ------------------------------------
 */

TRIGGER_TEST_API int32_t trigger_test_no_complete(void* ctx, uint64_t token,
                                                  const trigger_result* result) {
  (void)ctx, (void)token, (void)result;
  return TRIGGER_E_STATE;
}
TRIGGER_TEST_API int32_t trigger_test_no_extend(void* ctx, uint64_t token, uint32_t ms) {
  (void)ctx, (void)token, (void)ms;
  return TRIGGER_E_STATE;
}
TRIGGER_TEST_API int32_t trigger_test_no_publish(void* ctx, const trigger_publish* request) {
  (void)ctx, (void)request;
  return TRIGGER_E_STATE;
}
TRIGGER_TEST_API int32_t trigger_test_no_define(void* ctx, trigger_str name, uint32_t kind,
                                                trigger_str help, uint64_t* id) {
  (void)ctx, (void)name, (void)kind, (void)help, (void)id;
  return TRIGGER_E_STATE;
}
TRIGGER_TEST_API int32_t trigger_test_no_count(void* ctx, uint64_t id, double value) {
  (void)ctx, (void)id, (void)value;
  return TRIGGER_E_STATE;
}

/* ---- The host's extension ---------------------------------------------------------------------
 */

TRIGGER_TEST_API const void* trigger_test_extension(void* ctx, const char* id) {
  return strcmp(id, TRIGGER_CLOCK) == 0 ? &((trigger_test*)ctx)->clock : NULL;
}

TRIGGER_TEST_API int64_t trigger_test_unix_ns(void* ctx) {
  trigger_test* const test = (trigger_test*)ctx;
  int64_t now = 0;
  trigger_test_lock(test);
  now = test->unix_ns;
  trigger_test_unlock(test);
  return now;
}
TRIGGER_TEST_API uint64_t trigger_test_mono_ns(void* ctx) {
  trigger_test* const test = (trigger_test*)ctx;
  uint64_t now = 0;
  trigger_test_lock(test);
  now = test->mono_ns;
  trigger_test_unlock(test);
  return now;
}

#endif /* TRIGGER_TESTING_HOST_H */
