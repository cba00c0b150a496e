/*
 * trigger/testing.h - a host for tests of services, in C99 and POSIX, without a server, a runtime
 * or a test framework. It drives a plugin through the ABI, so the plugin may be in any language.
 * C++ has trigger/testing.hpp, which can do more.
 *
 *     trigger_test* test = trigger_test_open("./thermostat.so");
 *     trigger_test_set(test, "limit_celsius", "80", TRIGGER_SETTING_INTEGER);
 *     if (trigger_test_run(test, "high-temperature") != TRIGGER_OK) puts(test->reason);
 *
 *     const trigger_test_attempt* attempt = trigger_test_send(test, "plant/a/temperature", "91.5");
 *     assert(attempt->code == TRIGGER_PENDING);
 *     assert(strcmp(test->publishes[0].topic, "alerts/plant/a/temperature") == 0);
 *     trigger_test_finish_publish(test, 0, TRIGGER_OK, "");   (the server has it)
 *     assert(attempt->code == TRIGGER_OK);
 *     assert(test->violation_count == 0);
 *     trigger_test_close(test);
 *
 * Nothing happens by itself and nothing waits: the test sends each message, decides the result of
 * each publish, moves the clock, and lets deadlines pass. If the test does what it may not (send
 * before start), it is aborted with a message. Attempts, and the texts that `test` points to, live
 * until trigger_test_close; the arrays in `test` may move when something is added to them. A
 * service with threads of its own may use the host while the test runs; the test then holds
 * trigger_test_lock while it reads.
 *
 * Include it in one file of the test. Link with the dynamic loader and threads, as
 * TriggerPlugin::testing_c does.
 */
#ifndef TRIGGER_TESTING_H
#define TRIGGER_TESTING_H

#include <dlfcn.h>
#include <trigger/testing/host.h>

TRIGGER_TEST_API void trigger_test_forget_reason(trigger_test* test, trigger_result* result) {
  memset(result, 0, sizeof(*result));
  result->struct_size = sizeof(*result);
  test->reason[0] = '\0';
}
TRIGGER_TEST_API void trigger_test_keep_reason(trigger_test* test, const trigger_result* result) {
  snprintf(test->reason, sizeof(test->reason), "%s", result->reason);
}

/* Tests a plugin that is linked into the test. */
TRIGGER_TEST_API trigger_test* trigger_test_of(trigger_plugin_entry entry) {
  trigger_test* const test = (trigger_test*)trigger_test_memory(NULL, sizeof(*test));
  memset(test, 0, sizeof(*test));
  pthread_mutex_init(&test->mutex, NULL);
  test->unix_ns = (int64_t)1750000000 * 1000000000;
  test->mono_ns = (uint64_t)1000 * 1000000000;
  test->clock.struct_size = sizeof(test->clock);
  test->clock.ctx = test;
  test->clock.unix_ns = trigger_test_unix_ns;
  test->clock.mono_ns = trigger_test_mono_ns;
  test->host.struct_size = sizeof(test->host);
  test->host.abi_major = TRIGGER_ABI_MAJOR;
  test->host.abi_minor = TRIGGER_ABI_MINOR;
  test->host.ctx = test;
  test->host.complete = trigger_test_complete;
  test->host.extend = trigger_test_extend;
  test->host.publish = trigger_test_take_publish;
  test->host.log_enabled = trigger_test_log_enabled;
  test->host.log = trigger_test_log;
  test->host.metric = trigger_test_define;
  test->host.metric_add = trigger_test_count;
  test->host.extension = trigger_test_extension;
  test->own = test->host;
  test->own.complete = trigger_test_no_complete;
  test->own.extend = trigger_test_no_extend;
  test->own.publish = trigger_test_no_publish;
  test->own.metric = trigger_test_no_define;
  test->own.metric_add = trigger_test_no_count;
  test->plugin = entry(&test->own);
  if (test->plugin == NULL) trigger_test_misuse("the plugin refuses this host");
  if (test->plugin->abi_major != TRIGGER_ABI_MAJOR) {
    trigger_test_misuse("the plugin has another ABI major version");
  }
  return test;
}

/* Loads a plugin from a file. */
TRIGGER_TEST_API trigger_test* trigger_test_open(const char* file) {
  trigger_plugin_entry entry = NULL;
  trigger_test* test = NULL;
  void* const library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  void* const symbol = library == NULL ? NULL : dlsym(library, TRIGGER_ENTRY_NAME);
  if (symbol == NULL) trigger_test_misuse(dlerror());
  memcpy(&entry, &symbol, sizeof(entry));
  test = trigger_test_of(entry);
  test->library = library;
  return test;
}

/* Adds a leaf of [triggers.settings], before create: `value` is its text, as in trigger_setting.
 * The service finds it in `settings` only; settings_json is always "{}" here. */
TRIGGER_TEST_API void trigger_test_set(trigger_test* test, const char* key, const char* value,
                                       uint32_t type) {
  trigger_setting setting;
  setting.key = trigger_test_str(trigger_test_copy(key, strlen(key)));
  setting.value = trigger_test_str(trigger_test_copy(value, strlen(value)));
  setting.type = type;
  setting.reserved = 0;
  TRIGGER_TEST_APPEND(test->settings, test->setting_count, trigger_setting) = setting;
}

/* Makes an instance of `service`. Returns the code of its create; test->reason has the reason. */
TRIGGER_TEST_API int32_t trigger_test_create(trigger_test* test, const char* service) {
  trigger_instance_config config;
  trigger_result error;
  int32_t code = TRIGGER_OK;
  uint32_t i = 0;
  if (test->instance != NULL) trigger_test_misuse("there is an instance already");
  test->service = NULL;
  for (; i < test->plugin->service_count; ++i) {
    const trigger_service* const row = test->plugin->services[i];
    if (row->name.len == strlen(service) && memcmp(row->name.ptr, service, row->name.len) == 0) {
      test->service = row;
    }
  }
  if (test->service == NULL) trigger_test_misuse("the plugin has no service of that name");
  memset(&config, 0, sizeof(config));
  config.struct_size = sizeof(config);
  config.concurrency = 1;
  config.trigger = trigger_test_str("test-trigger");
  config.alias = trigger_test_str("test-alias");
  config.settings_json = trigger_test_str("{}");
  config.settings = test->settings;
  config.setting_count = test->setting_count;
  trigger_test_forget_reason(test, &error);
  code = test->service->create(&test->host, &config, &test->instance, &error);
  trigger_test_keep_reason(test, &error);
  return code;
}

/* Reports the result of publish number `at`, from 0, to the service, on this thread. */
TRIGGER_TEST_API void trigger_test_finish_publish(trigger_test* test, size_t at, int32_t code,
                                                  const char* reason) {
  trigger_test_publish kept;
  trigger_test_lock(test);
  if (at >= test->publish_count) trigger_test_misuse("there is no such publish");
  if (test->publishes[at].finished) trigger_test_misuse("that publish is finished");
  test->publishes[at].finished = 1;
  kept = test->publishes[at];
  trigger_test_unlock(test);
  if (kept.done != NULL) kept.done(kept.user, code, trigger_test_str(reason));
}

TRIGGER_TEST_API void trigger_test_set_state(trigger_test* test, int started, int stopping) {
  trigger_test_lock(test);
  test->started = started;
  test->stopping = stopping;
  trigger_test_unlock(test);
}

/* Each that is not finished; while test->stopping no more come. */
TRIGGER_TEST_API void trigger_test_cancel_publishes(trigger_test* test) {
  size_t at = 0;
  for (;; ++at) {
    int open = 0;
    trigger_test_lock(test);
    while (at < test->publish_count && test->publishes[at].finished) ++at;
    open = at < test->publish_count;
    trigger_test_unlock(test);
    if (!open) return;
    trigger_test_finish_publish(test, at, TRIGGER_E_CANCELLED, "the instance stops");
  }
}

/* Returns the code of start, as do the functions below that are named after one of the service. If
 * start fails, what it has published is cancelled. */
TRIGGER_TEST_API int32_t trigger_test_start(trigger_test* test) {
  trigger_result error;
  int32_t code = TRIGGER_OK;
  if (test->instance == NULL || test->started) trigger_test_misuse("it cannot be started now");
  trigger_test_forget_reason(test, &error);
  trigger_test_set_state(test, 1, 0);
  code = test->service->start(test->instance, &error);
  trigger_test_keep_reason(test, &error);
  if (code != TRIGGER_OK) {
    trigger_test_set_state(test, 1, 1);
    trigger_test_cancel_publishes(test);
    trigger_test_set_state(test, 0, 0);
  }
  return code;
}

/* Create and start; returns the code of the one that failed, or TRIGGER_OK. */
TRIGGER_TEST_API int32_t trigger_test_run(trigger_test* test, const char* service) {
  const int32_t code = trigger_test_create(test, service);
  return code == TRIGGER_OK ? trigger_test_start(test) : code;
}

/* Stops the service as the runtime does: revokes what is pending, cancels the publishes under way,
 * then calls the service's stop. So what it completes or publishes from then on, in a publish's
 * `done` too, is refused: the message comes again. */
TRIGGER_TEST_API void trigger_test_stop(trigger_test* test) {
  size_t i = 0;
  if (!test->started) trigger_test_misuse("the instance is not started");
  trigger_test_lock(test);
  for (; i < test->attempt_count; ++i) {
    trigger_test_end(test->attempts[i], TRIGGER_RETRY, 0, "revoked: the instance stopped");
  }
  test->stopping = 1;
  trigger_test_unlock(test);
  trigger_test_cancel_publishes(test);
  test->service->stop(test->instance);
  trigger_test_lock(test);
  test->started = 0;
  test->stopping = 0;
  for (i = 0; i < test->attempt_count; ++i) trigger_test_free_message(test->attempts[i]);
  trigger_test_unlock(test);
}

/* A message, not sent yet. If `id` is NULL, it gets an id of its own. */
TRIGGER_TEST_API trigger_test_attempt* trigger_test_make(trigger_test* test, const char* id,
                                                         const char* topic, const void* payload,
                                                         size_t len) {
  trigger_test_attempt* const attempt =
      (trigger_test_attempt*)trigger_test_memory(NULL, sizeof(*attempt));
  trigger_message* const message = (trigger_message*)trigger_test_memory(NULL, sizeof(*message));
  char own_id[32];
  size_t i = 0;
  if (!test->started) trigger_test_misuse("the instance is not started");
  memset(attempt, 0, sizeof(*attempt));
  memset(message, 0, sizeof(*message));
  trigger_test_lock(test);
  for (; i < test->attempt_count; ++i) trigger_test_bury(test->attempts[i]);
  message->token = test->attempt_count + 1;
  snprintf(own_id, sizeof(own_id), "test-%lu", (unsigned long)message->token);
  if (id == NULL) id = own_id;
  message->struct_size = sizeof(*message);
  message->id = trigger_test_str(trigger_test_copy(id, strlen(id)));
  message->topic = trigger_test_str(trigger_test_copy(topic, strlen(topic)));
  message->trigger = trigger_test_str("test-trigger");
  message->payload.ptr = (const uint8_t*)trigger_test_copy(payload, len);
  message->payload.len = len;
  message->received_unix_ns = test->unix_ns;
  message->deadline_mono_ns = test->mono_ns + (uint64_t)30 * 1000000000;
  message->attempt = 1;
  message->qos = 1;
  attempt->code = TRIGGER_PENDING;
  attempt->message = message;
  attempt->deadline_mono_ns = message->deadline_mono_ns;
  TRIGGER_TEST_APPEND(test->attempts, test->attempt_count, trigger_test_attempt*) = attempt;
  trigger_test_unlock(test);
  return attempt;
}

TRIGGER_TEST_API void trigger_test_returned(trigger_test* test, trigger_test_attempt* attempt,
                                            int32_t code, const trigger_result* result) {
  trigger_test_lock(test);
  attempt->returned = 1;
  if (code != TRIGGER_PENDING) attempt->answered = 1;
  if (code != TRIGGER_PENDING &&
      trigger_test_end(attempt, code, result->retry_after_ms, result->reason) != TRIGGER_OK) {
    trigger_test_violation(test, "an attempt was completed, but handle did not return PENDING");
  }
  trigger_test_bury(attempt);
  trigger_test_unlock(test);
}

TRIGGER_TEST_API const trigger_test_attempt* trigger_test_handle(trigger_test* test,
                                                                 trigger_test_attempt* attempt) {
  trigger_result result;
  int32_t code = TRIGGER_OK;
  trigger_test_forget_reason(test, &result);
  code = test->service->handle(test->instance, attempt->message, &result);
  trigger_test_returned(test, attempt, code, &result);
  return attempt;
}

/* Has the service handle a message, on this thread: QoS 1, 30 seconds until its deadline. The
 * attempt's code changes when a pending message is completed. */
TRIGGER_TEST_API const trigger_test_attempt* trigger_test_send_bytes(trigger_test* test,
                                                                     const char* topic,
                                                                     const void* payload,
                                                                     size_t len) {
  return trigger_test_handle(test, trigger_test_make(test, NULL, topic, payload, len));
}
TRIGGER_TEST_API const trigger_test_attempt* trigger_test_send(trigger_test* test,
                                                               const char* topic,
                                                               const char* payload) {
  return trigger_test_send_bytes(test, topic, payload, strlen(payload));
}
/* The same with an id, of at most 63 bytes. To the service, the same id again is the same message,
 * which has come again. */
TRIGGER_TEST_API const trigger_test_attempt* trigger_test_send_as(trigger_test* test,
                                                                  const char* id, const char* topic,
                                                                  const char* payload) {
  return trigger_test_handle(test, trigger_test_make(test, id, topic, payload, strlen(payload)));
}

/* Has the service handle `count` messages at once, all to `topic`; attempts[i] is that of
 * payloads[i]. */
TRIGGER_TEST_API void trigger_test_send_batch(trigger_test* test, const char* topic,
                                              const char* const* payloads, size_t count,
                                              const trigger_test_attempt** attempts) {
  trigger_result* const results =
      (trigger_result*)trigger_test_memory(NULL, (count + 1) * sizeof(*results));
  trigger_result** const rows =
      (trigger_result**)trigger_test_memory(NULL, (count + 1) * sizeof(*rows));
  const trigger_message** const messages =
      (const trigger_message**)trigger_test_memory(NULL, (count + 1) * sizeof(*messages));
  const size_t first = test->attempt_count;
  size_t i = 0;
  if (test->service->handle_batch == NULL) trigger_test_misuse("it has no handle_batch");
  for (; i < count; ++i) {
    messages[i] = trigger_test_make(test, NULL, topic, payloads[i], strlen(payloads[i]))->message;
    trigger_test_forget_reason(test, &results[i]);
    results[i].code = TRIGGER_RETRY;
    rows[i] = &results[i];
  }
  test->service->handle_batch(test->instance, messages, rows, count);
  for (i = 0; i < count; ++i) {
    attempts[i] = test->attempts[first + i];
    trigger_test_returned(test, test->attempts[first + i], results[i].code, &results[i]);
  }
  free(results);
  free(rows);
  free(messages);
}

/* Moves the time that the service sees ("trigger.clock/1") forward by `ms` milliseconds; otherwise
 * it stands still. Attempts whose deadline this reaches become TRIGGER_RETRY. */
TRIGGER_TEST_API void trigger_test_advance(trigger_test* test, uint64_t ms) {
  size_t i = 0;
  trigger_test_lock(test);
  test->unix_ns += (int64_t)ms * 1000000;
  test->mono_ns += ms * 1000000;
  for (; i < test->attempt_count; ++i) {
    if (test->attempts[i]->deadline_mono_ns > test->mono_ns) continue;
    trigger_test_end(test->attempts[i], TRIGGER_RETRY, 0, "its deadline has passed");
  }
  trigger_test_unlock(test);
}

/* The value of a metric; -1 if the service has none of that name. */
TRIGGER_TEST_API double trigger_test_value(trigger_test* test, const char* name) {
  double value = -1;
  size_t i = 0;
  trigger_test_lock(test);
  for (; i < test->metric_count; ++i) {
    if (strcmp(test->metrics[i].name, name) == 0) value = test->metrics[i].value;
  }
  trigger_test_unlock(test);
  return value;
}

TRIGGER_TEST_API int32_t trigger_test_probe(trigger_test* test) {
  trigger_result result;
  int32_t code = TRIGGER_OK;
  if (test->service->probe == NULL) trigger_test_misuse("it has no probe");
  trigger_test_forget_reason(test, &result);
  code = test->service->probe(test->instance, &result);
  trigger_test_keep_reason(test, &result);
  return code;
}

/* What save has written; restore takes it. */
typedef struct trigger_test_state {
  char* bytes; /* the test frees it with free() */
  size_t len;
} trigger_test_state;

TRIGGER_TEST_API int32_t trigger_test_sink(void* sink, trigger_bytes piece) {
  trigger_test_state* const state = (trigger_test_state*)sink;
  state->bytes = (char*)trigger_test_memory(state->bytes, state->len + piece.len + 1);
  if (piece.len != 0) memcpy(state->bytes + state->len, piece.ptr, piece.len);
  state->len += piece.len;
  return TRIGGER_OK;
}

TRIGGER_TEST_API int32_t trigger_test_save(trigger_test* test, trigger_test_state* state) {
  trigger_result error;
  int32_t code = TRIGGER_OK;
  if (test->service->save == NULL) trigger_test_misuse("it has no save");
  state->bytes = NULL;
  state->len = 0;
  trigger_test_forget_reason(test, &error);
  code = test->service->save(test->instance, trigger_test_sink, state, &error);
  trigger_test_keep_reason(test, &error);
  return code;
}

TRIGGER_TEST_API int32_t trigger_test_restore(trigger_test* test, uint32_t version,
                                              const trigger_test_state* state) {
  trigger_bytes bytes;
  trigger_result error;
  int32_t code = TRIGGER_OK;
  if (test->service->restore == NULL) trigger_test_misuse("it has no restore");
  bytes.ptr = (const uint8_t*)state->bytes;
  bytes.len = state->len;
  trigger_test_forget_reason(test, &error);
  code = test->service->restore(test->instance, version, bytes, &error);
  trigger_test_keep_reason(test, &error);
  return code;
}

/* Stops and destroys the instance, unloads the plugin, and frees everything. */
TRIGGER_TEST_API void trigger_test_close(trigger_test* test) {
  size_t i = 0;
  if (test->started) trigger_test_stop(test);
  if (test->instance != NULL) test->service->destroy(test->instance);
  if (test->library != NULL) dlclose(test->library);
  for (i = 0; i < test->publish_count; ++i) {
    free(test->publishes[i].alias);
    free(test->publishes[i].topic);
    free(test->publishes[i].payload);
  }
  for (i = 0; i < test->attempt_count; ++i) free(test->attempts[i]);
  for (i = 0; i < test->log_count; ++i) free(test->log[i].text);
  for (i = 0; i < test->metric_count; ++i) free(test->metrics[i].name);
  for (i = 0; i < test->setting_count; ++i) {
    free((void*)test->settings[i].key.ptr);
    free((void*)test->settings[i].value.ptr);
  }
  free(test->publishes);
  free(test->attempts);
  free(test->log);
  free(test->metrics);
  free(test->settings);
  free(test->violations);
  pthread_mutex_destroy(&test->mutex);
  free(test);
}

#endif /* TRIGGER_TESTING_H */
