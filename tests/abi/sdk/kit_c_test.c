/* The test kit in C tells services that break the rules of plugin.h from those that do not. The
 * service here does what its messages' topics say. */
#define _POSIX_C_SOURCE 200809L
#include <trigger/mqtt5.h>
#include <trigger/testing.h>

static const trigger_host* host;
static const trigger_host* own; /* the plugin's */
static uint64_t last_token;
static const trigger_message* last_message;
static int32_t code_in_create;
static int32_t code_of_start = TRIGGER_OK;
static char calls[64];    /* of done, by code, and of stop */
static pthread_t watcher; /* a thread of the service, between start and stop */
static int watches;
static uint64_t watched_until; /* the time at which it ends */

static void expect(int condition, const char* what) {
  if (condition) return;
  fprintf(stderr, "not so: %s\n", what);
  exit(1);
}

static int is(trigger_str text, const char* wanted) {
  return text.len == strlen(wanted) && memcmp(text.ptr, wanted, text.len) == 0;
}

static int32_t publish(const char* topic, uint32_t qos) {
  trigger_publish request;
  memset(&request, 0, sizeof(request));
  request.struct_size = sizeof(request);
  request.topic = trigger_test_str(topic);
  request.qos = qos;
  return host->publish(host->ctx, &request);
}

static int32_t complete(uint64_t token, int32_t code) {
  trigger_result result;
  memset(&result, 0, sizeof(result));
  result.struct_size = sizeof(result);
  result.code = code;
  return host->complete(host->ctx, token, &result);
}

static int32_t publish_with(const trigger_property* properties, size_t count) {
  trigger_publish request;
  memset(&request, 0, sizeof(request));
  request.struct_size = sizeof(request);
  request.topic = trigger_test_str("out");
  request.properties = properties;
  request.property_count = count;
  return host->publish(host->ctx, &request);
}

/* What the runtime refuses: tests of the rules themselves are in kit_test.cpp. */
static void wrong_publishes(void) {
  trigger_publish request;
  trigger_property properties[2];
  trigger_result result;
  expect(publish("a/\xFF", 0) == TRIGGER_E_INVALID, "not UTF-8");
  expect(host->publish(host->ctx, NULL) == TRIGGER_E_INVALID, "no request");
  memset(&request, 0, sizeof(request));
  request.topic = trigger_test_str("a");
  expect(host->publish(host->ctx, &request) == TRIGGER_E_INVALID, "no struct_size");
  request.struct_size = sizeof(request);
  request.flags = 2;
  expect(host->publish(host->ctx, &request) == TRIGGER_E_INVALID, "an unknown flag");
  request.flags = 0;
  request.topic.ptr = "a\0b";
  request.topic.len = 3;
  expect(host->publish(host->ctx, &request) == TRIGGER_E_INVALID, "a NUL");
  memset(properties, 0, sizeof(properties));
  properties[0].id = 0x23;
  expect(publish_with(properties, 1) == TRIGGER_E_INVALID, "a topic alias");
  properties[0].id = properties[1].id = TRIGGER_PROPERTY_CONTENT_TYPE;
  expect(publish_with(properties, 2) == TRIGGER_E_INVALID, "twice");
  properties[0].id = properties[1].id = TRIGGER_PROPERTY_USER;
  expect(publish_with(properties, 2) == TRIGGER_OK, "which a user property may be");
  expect(host->complete(host->ctx, 0, NULL) == TRIGGER_E_INVALID, "no result");
  memset(&result, 0, sizeof(result));
  expect(host->complete(host->ctx, 0, &result) == TRIGGER_E_INVALID, "nor its struct_size");
}

static int32_t define(const char* name, const char* help, uint64_t* id) {
  return host->metric(host->ctx, trigger_test_str(name), TRIGGER_METRIC_GAUGE,
                      trigger_test_str(help), id);
}

static void wrong_metrics(void) {
  char text[1026];
  uint64_t id = 0;
  int i = 0;
  memset(text, 'a', sizeof(text));
  text[1025] = '\0';
  expect(define("Seen", "", &id) == TRIGGER_E_INVALID, "a capital letter");
  expect(define("1st", "", &id) == TRIGGER_E_INVALID, "a digit first");
  expect(define("a", text, &id) == TRIGGER_E_INVALID, "a long help");
  expect(define("a", "", NULL) == TRIGGER_E_INVALID, "nowhere for its id");
  text[101] = '\0';
  expect(define(text, "", &id) == TRIGGER_E_INVALID, "a long name");
  expect(host->metric_add(host->ctx, 0, 1) == TRIGGER_E_INVALID, "0 is none");
  for (; i < 64; ++i) {
    snprintf(text, sizeof(text), "_metric_%d", i);
    expect(define(text, "", &id) == TRIGGER_OK && id != 0, "up to 64");
  }
  expect(define("more", "", &id) == TRIGGER_E_FULL, "but no more");
  expect(host->metric_add(host->ctx, id, 1.5e308) == TRIGGER_OK, "much");
  expect(host->metric_add(host->ctx, id, 1.5e308) == TRIGGER_E_INVALID, "too much");
}

/* When the instance is being stopped. */
static void too_late(void) {
  expect(complete(last_token, TRIGGER_OK) == TRIGGER_E_STALE, "revoked before");
  expect(host->extend(host->ctx, last_token, 60000) == TRIGGER_E_STALE, "nor extended");
  expect(publish("last/words", 0) == TRIGGER_E_STATE, "nor published");
}

static void done(void* user, int32_t code, trigger_str reason) {
  const size_t used = strlen(calls);
  (void)user;
  (void)reason;
  snprintf(calls + used, sizeof(calls) - used, "done %ld ", (long)code);
}

static void done_pending(void* user, int32_t code, trigger_str reason) {
  done(user, code, reason);
  expect(is(last_message->topic, "publish"), "the message stays until it is completed");
  too_late();
}

static int32_t publish_then(trigger_publish_done then) {
  trigger_publish request;
  memset(&request, 0, sizeof(request));
  request.struct_size = sizeof(request);
  request.topic = trigger_test_str("out");
  request.done = then;
  return host->publish(host->ctx, &request);
}

static int32_t create(const trigger_host* given, const trigger_instance_config* config,
                      void** instance, trigger_result* error) {
  static char the_instance;
  (void)error;
  host = given;
  *instance = &the_instance;
  code_in_create = publish("early", 0);
  return config->setting_count == 2 && is(config->settings[1].key, "limits.high") &&
                 is(config->settings[1].value, "2.5") &&
                 config->settings[1].type == TRIGGER_SETTING_FLOAT
             ? TRIGGER_OK
             : TRIGGER_E_FAILED;
}

/* Reads the time and publishes until it is late enough. */
static void* watch(void* unused) {
  const trigger_clock* const clock =
      (const trigger_clock*)host->extension(host->ctx, TRIGGER_CLOCK);
  while (clock->mono_ns(clock->ctx) < watched_until) {
    expect(clock->unix_ns(clock->ctx) > 0, "there is a time");
    if (publish("watched", 0) != TRIGGER_OK) break;
  }
  return unused;
}

static int32_t start(void* instance, trigger_result* error) {
  (void)instance;
  (void)error;
  if (watches) expect(pthread_create(&watcher, NULL, watch, NULL) == 0, "it watches");
  if (code_of_start != TRIGGER_OK) expect(publish_then(done) == TRIGGER_OK, "in start");
  return code_of_start;
}

static int32_t handle(void* instance, const trigger_message* message, trigger_result* result) {
  (void)instance;
  last_token = message->token;
  last_message = message;
  if (is(message->topic, "publish")) {
    expect(publish_then(done_pending) == TRIGGER_OK, "it is on its way");
    return TRIGGER_PENDING;
  }
  if (is(message->topic, "retry")) {
    result->retry_after_ms = 1500;
    snprintf(result->reason, sizeof(result->reason), "later");
    return TRIGGER_RETRY;
  }
  if (is(message->topic, "two verdicts")) {
    expect(complete(message->token, TRIGGER_REJECT) == TRIGGER_OK, "the first is taken");
    return TRIGGER_OK;
  }
  if (is(message->topic, "no verdicts")) {
    expect(complete(message->token, 99) == TRIGGER_E_INVALID, "99 is none");
    expect(complete(message->token, TRIGGER_PENDING) == TRIGGER_E_INVALID, "pending is none");
    expect(complete(message->token + 1, TRIGGER_OK) == TRIGGER_E_STALE, "not this attempt");
    expect(complete(message->token, TRIGGER_OK) == TRIGGER_OK, "at last");
    expect(complete(message->token, TRIGGER_OK) == TRIGGER_E_STALE, "too late");
    expect(is(message->topic, "no verdicts"), "the message stays until handle has returned");
    return TRIGGER_PENDING;
  }
  if (is(message->topic, "no topics")) {
    expect(publish("", 0) == TRIGGER_E_INVALID, "an empty topic");
    expect(publish("a/+", 0) == TRIGGER_E_INVALID, "a wildcard");
    expect(publish("#", 0) == TRIGGER_E_INVALID, "another");
    expect(publish("a", 3) == TRIGGER_E_INVALID, "QoS 3");
    return TRIGGER_OK;
  }
  if (is(message->topic, "wrong publishes")) {
    wrong_publishes();
    return TRIGGER_OK;
  }
  if (is(message->topic, "wrong metrics")) {
    wrong_metrics();
    return TRIGGER_OK;
  }
  if (is(message->topic, "extend")) {
    expect(host->extend(host->ctx, message->token, 60000) == TRIGGER_OK, "it is extended");
    return TRIGGER_PENDING;
  }
  return is(message->topic, "pending") ? TRIGGER_PENDING : 77;
}

static void stop(void* instance) {
  const size_t used = strlen(calls);
  (void)instance;
  snprintf(calls + used, sizeof(calls) - used, "stop");
  if (watches) pthread_join(watcher, NULL);
  too_late();
}

static void destroy(void* instance) {
  (void)instance;
}

static const trigger_service service = {
    sizeof(trigger_service),
    0,
    {"raw", 3},
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
    NULL,
};
static const trigger_service* const services[] = {&service};
static const trigger_plugin plugin = {sizeof(trigger_plugin),
                                      TRIGGER_ABI_MAJOR,
                                      TRIGGER_ABI_MINOR,
                                      1,
                                      {"raw", 3},
                                      {"1", 1},
                                      services};

static const trigger_plugin* entry(const trigger_host* given) {
  uint64_t id = 0;
  own = given;
  expect(given->metric(given->ctx, trigger_test_str("a"), 0, trigger_test_str(""), &id) ==
             TRIGGER_E_STATE,
         "this host only logs");
  given->log(given->ctx, TRIGGER_LOG_INFO, trigger_test_str("loaded"));
  return &plugin;
}

static trigger_test* make(void) {
  trigger_test* const test = trigger_test_of(entry);
  trigger_test_set(test, "on", "true", TRIGGER_SETTING_BOOL);
  trigger_test_set(test, "limits.high", "2.5", TRIGGER_SETTING_FLOAT);
  return test;
}

static int last_violation(const trigger_test* test, const char* what) {
  return test->violation_count != 0 &&
         strcmp(test->violations[test->violation_count - 1], what) == 0;
}

/* As the runtime does: what is pending is revoked, then publishes are cancelled, then stop is
 * called. */
static void stops_in_order(void) {
  const trigger_test_attempt* attempt = NULL;
  char wanted[64];
  trigger_test* const test = make();
  snprintf(wanted, sizeof(wanted), "done %ld stop", (long)TRIGGER_E_CANCELLED);
  expect(trigger_test_run(test, "raw") == TRIGGER_OK, "it starts");
  expect(test->violation_count == 1, "the early publish");
  attempt = trigger_test_send(test, "publish", "");
  calls[0] = '\0';
  trigger_test_stop(test);
  expect(strcmp(calls, wanted) == 0, "cancelled, then stopped");
  expect(strcmp(attempt->reason, "revoked: the instance stopped") == 0, "revoked first");
  expect(test->publish_count == 1, "nothing came after");
  expect(test->violation_count == 1, "nobody knows beforehand of a stop");
  trigger_test_close(test);
}

static void refuses_what_the_runtime_refuses(void) {
  trigger_test* const test = make();
  expect(test->log_count == 1, "the entry has logged");
  expect(trigger_test_run(test, "raw") == TRIGGER_OK, "it starts");
  trigger_test_send(test, "wrong publishes", "");
  expect(test->publish_count == 1, "only the one that is right");
  trigger_test_send(test, "wrong metrics", "");
  expect(test->metric_count == 64, "as many as there may be");
  expect(own->publish(own->ctx, NULL) == TRIGGER_E_STATE, "it has no instance");
  expect(own->complete(own->ctx, 1, NULL) == TRIGGER_E_STATE, "nor attempts");
  expect(own->extend(own->ctx, 1, 1) == TRIGGER_E_STATE, "to extend");
  expect(own->metric_add(own->ctx, 1, 1) == TRIGGER_E_STATE, "nor metrics");
  trigger_test_close(test);
}

/* For ThreadSanitizer: the kit reads nothing without its lock that the service may write. */
static void threads_of_the_service_may_use_the_host(void) {
  int i = 0;
  trigger_test* const test = make();
  watched_until = UINT64_MAX;
  watches = 1;
  expect(trigger_test_run(test, "raw") == TRIGGER_OK, "it starts");
  for (; i < 1000; ++i) trigger_test_advance(test, 1);
  trigger_test_stop(test);
  watched_until = 0;
  expect(trigger_test_start(test) == TRIGGER_OK, "it starts again");
  trigger_test_close(test);
  watches = 0;
}

/* Past its deadline a message stays until the service completes it, or stop has returned. */
static void keeps_a_late_message(void) {
  const trigger_test_attempt* attempt = NULL;
  trigger_test* const test = make();
  uint64_t token = 0;
  expect(trigger_test_run(test, "raw") == TRIGGER_OK, "it starts");
  attempt = trigger_test_send(test, "pending", "");
  token = last_token;
  trigger_test_advance(test, 30000);
  expect(attempt->code == TRIGGER_RETRY, "its deadline has passed");
  trigger_test_send(test, "retry", "");
  expect(attempt->message != NULL, "the service may still use it");
  expect(complete(token, TRIGGER_OK) == TRIGGER_E_STALE, "too late");
  trigger_test_send(test, "retry", "");
  expect(attempt->message == NULL, "freed");
  attempt = trigger_test_send(test, "pending", "");
  trigger_test_advance(test, 30000);
  trigger_test_stop(test);
  expect(attempt->message == NULL, "freed by stop");
  trigger_test_close(test);
}

static void cancels_what_a_failed_start_has_published(void) {
  char wanted[64];
  trigger_test* const test = make();
  snprintf(wanted, sizeof(wanted), "done %ld ", (long)TRIGGER_E_CANCELLED);
  calls[0] = '\0';
  code_of_start = TRIGGER_E_FAILED;
  expect(trigger_test_run(test, "raw") == TRIGGER_E_FAILED, "it does not start");
  expect(strcmp(calls, wanted) == 0, "cancelled");
  code_of_start = TRIGGER_OK;
  expect(trigger_test_start(test) == TRIGGER_OK, "but then");
  trigger_test_close(test);
}

int main(void) {
  const trigger_test_attempt* attempt = NULL;
  trigger_test* test = trigger_test_of(entry);
  stops_in_order();
  cancels_what_a_failed_start_has_published();
  refuses_what_the_runtime_refuses();
  keeps_a_late_message();

  threads_of_the_service_may_use_the_host();
  expect(trigger_test_create(test, "raw") == TRIGGER_E_FAILED, "settings are missing");
  trigger_test_close(test);

  test = make();
  expect(trigger_test_run(test, "raw") == TRIGGER_OK, "with settings");
  expect(code_in_create == TRIGGER_E_STATE, "no publish before start");
  expect(last_violation(test, "publish was called when the instance was not started"), "early");
  trigger_test_send(test, "no topics", "");
  expect(test->publish_count == 0, "nothing was sent");
  attempt = trigger_test_send(test, "retry", "");
  expect(attempt->code == TRIGGER_RETRY && attempt->retry_after_ms == 1500, "after a while");
  expect(strcmp(attempt->reason, "later") == 0, "with a reason");
  expect(trigger_test_send(test, "what else", "")->code == 77, "kept as it is");
  expect(test->violation_count == 1, "no rule was broken since");

  expect(trigger_test_send(test, "two verdicts", "")->code == TRIGGER_REJECT, "the first counts");
  expect(last_violation(test, "an attempt was completed, but handle did not return PENDING"),
         "noticed");
  expect(trigger_test_send(test, "no verdicts", "")->code == TRIGGER_OK, "completed");
  expect(last_violation(test, "complete was called with a code that is not a final verdict"),
         "noticed too");

  attempt = trigger_test_send(test, "extend", "");
  trigger_test_advance(test, 59999);
  expect(attempt->code == TRIGGER_PENDING && attempt->extended_ms == 60000, "extended");
  trigger_test_advance(test, 1);
  expect(attempt->code == TRIGGER_RETRY, "past that");

  attempt = trigger_test_send(test, "pending", "");
  trigger_test_stop(test);
  expect(strcmp(attempt->reason, "revoked: the instance stopped") == 0, "revoked");
  expect(complete(last_token, TRIGGER_OK) == TRIGGER_E_STATE, "not after stop");
  expect(last_violation(test, "complete was called when the instance was not started"), "late");
  expect(host->extend(host->ctx, last_token, 1) == TRIGGER_E_STATE, "nor is it extended");
  expect(last_violation(test, "extend was called when the instance was not started"), "late too");
  expect(trigger_test_value(test, "nothing") == -1, "no metric of that name");
  trigger_test_close(test);
  return 0;
}
