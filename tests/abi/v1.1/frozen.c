/*
 * A plugin of ABI 1.1 as somebody built it when 1.1 was new: it uses every function and reads every
 * member that 1.1 has. It is frozen, and so are plugin.h beside it and the library that was built
 * from both. See README.md.
 *
 * It needs no library, not even the C library's, so that only the ABI can break it.
 */
#include <trigger/plugin.h>

#define TEXT(literal) \
  { literal, sizeof(literal) - 1 }

/* ---- Lines ---------------------------------------------------------------------------------- */

typedef struct line {
  size_t len;
  char text[1024];
} line;

static void put_bytes(line* to, const void* from, size_t len) {
  size_t i = 0;
  for (; i < len && to->len < sizeof(to->text); ++i) {
    to->text[to->len++] = ((const char*)from)[i];
  }
}

static void put(line* to, const char* text) {
  for (; *text != '\0'; ++text) put_bytes(to, text, 1);
}

static void put_str(line* to, trigger_str text) {
  put(to, " ");
  put_bytes(to, text.ptr, text.len);
}

static void put_number(line* to, int64_t number) {
  char digits[20];
  size_t count = 0;
  uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  put(to, number < 0 ? " -" : " ");
  do {
    digits[count++] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  while (count != 0) put_bytes(to, &digits[--count], 1);
}

static void say(const trigger_host* host, const line* what) {
  trigger_str text;
  text.ptr = what->text;
  text.len = what->len;
  host->log(host->ctx, TRIGGER_LOG_INFO, text);
}

static void say_code(const trigger_host* host, const char* what, int64_t code) {
  line out;
  out.len = 0;
  put(&out, what);
  put_number(&out, code);
  say(host, &out);
}

static int is(trigger_str text, const char* wanted) {
  size_t i = 0;
  while (i < text.len && wanted[i] != '\0' && text.ptr[i] == wanted[i]) ++i;
  return i == text.len && wanted[i] == '\0';
}

static void reason(trigger_result* result, const char* text) {
  size_t i = 0;
  for (; text[i] != '\0' && i + 1 < sizeof(result->reason); ++i) result->reason[i] = text[i];
  result->reason[i] = '\0';
}

/* ---- An instance ---------------------------------------------------------------------------- */

typedef struct counter {
  const trigger_host* host;
  uint64_t seen;    /* its state: the messages that were handled */
  uint64_t pending; /* the token of the attempt that "finish" completes */
  uint64_t metric_seen;
  uint64_t metric_level;
  int used;
  int away;
} counter;

/* The runtime makes instances on one thread, and this file has no malloc. */
static counter counters[8];

static int32_t create(const trigger_host* host, const trigger_instance_config* config,
                      void** instance, trigger_result* error) {
  counter* made = 0;
  line out;
  size_t i = 0;
  for (; i < sizeof(counters) / sizeof(counters[0]); ++i) {
    if (!counters[i].used) made = &counters[i];
  }
  if (made == 0) {
    reason(error, "there are too many instances");
    return TRIGGER_E_FULL;
  }
  made->away = 0;
  for (i = 0; i < config->setting_count; ++i) {
    if (is(config->settings[i].key, "refuse")) {
      reason(error, "settings.refuse: it was asked to");
      return TRIGGER_E_FAILED;
    }
    if (is(config->settings[i].key, "away")) made->away = 1;
  }
  made->used = 1;
  made->host = host;
  made->seen = 0;
  made->pending = 0;

  out.len = 0;
  put(&out, "create");
  put_str(&out, config->trigger);
  put_str(&out, config->alias);
  put_number(&out, config->concurrency);
  put_str(&out, config->settings_json);
  for (i = 0; i < config->setting_count; ++i) {
    put_str(&out, config->settings[i].key);
    put_str(&out, config->settings[i].value);
    put_number(&out, config->settings[i].type);
  }
  say(host, &out);
  *instance = made;
  return TRIGGER_OK;
}

static int32_t start(void* instance, trigger_result* error) {
  counter* self = instance;
  const trigger_host* host = self->host;
  static const trigger_str seen = TEXT("seen_total");
  static const trigger_str level = TEXT("level");
  static const trigger_str help = TEXT("What the frozen plugin counts");
  int32_t code = host->metric(host->ctx, seen, TRIGGER_METRIC_COUNTER, help, &self->metric_seen);
  if (code == TRIGGER_OK) {
    code = host->metric(host->ctx, level, TRIGGER_METRIC_GAUGE, help, &self->metric_level);
  }
  if (code != TRIGGER_OK) {
    reason(error, "the host takes no metrics");
    return TRIGGER_E_FAILED;
  }
  say_code(host, "start", (int64_t)self->seen);
  return TRIGGER_OK;
}

static void done(void* user, int32_t code, trigger_str why) {
  counter* self = user;
  line out;
  out.len = 0;
  put(&out, "done");
  put_number(&out, code);
  put_str(&out, why);
  say(self->host, &out);
}

static void publish(counter* self, const trigger_message* message) {
  static const trigger_str topic = TEXT("from/frozen");
  static const trigger_str name = TEXT("from");
  static const uint8_t value[] = {'v', '1', '.', '1'};
  trigger_property property;
  trigger_publish request;
  property.id = 0x26;
  property.reserved = 0;
  property.number = 0;
  property.name = name;
  property.value.ptr = value;
  property.value.len = sizeof(value);
  request.struct_size = sizeof(request);
  request.flags = TRIGGER_PUBLISH_RETAIN;
  request.alias.ptr = 0;
  request.alias.len = 0;
  request.topic = topic;
  request.payload = message->payload;
  request.properties = &property;
  request.property_count = 1;
  request.qos = 1;
  request.reserved = 0;
  request.done = done;
  request.user = self;
  say_code(self->host, "publish", self->host->publish(self->host->ctx, &request));
}

static void inspect(const counter* self, const trigger_message* message) {
  line out;
  size_t i = 0;
  out.len = 0;
  put(&out, "message");
  put_number(&out, message->flags);
  put_number(&out, (int64_t)message->token);
  put_str(&out, message->id);
  put_str(&out, message->topic);
  put_str(&out, message->trigger);
  put(&out, " ");
  put_bytes(&out, message->payload.ptr, message->payload.len);
  put_number(&out, message->received_unix_ns);
  put_number(&out, (int64_t)message->deadline_mono_ns);
  put_number(&out, message->attempt);
  put_number(&out, message->qos);
  for (; i < message->property_count; ++i) {
    put_number(&out, message->properties[i].id);
    put_number(&out, (int64_t)message->properties[i].number);
    put_str(&out, message->properties[i].name);
    put(&out, " ");
    put_bytes(&out, message->properties[i].value.ptr, message->properties[i].value.len);
  }
  say(self->host, &out);
}

static int32_t complete(const counter* self, int32_t code) {
  trigger_result result;
  result.struct_size = sizeof(result);
  result.code = code;
  result.retry_after_ms = 0;
  result.reserved = 0;
  reason(&result, "it was finished later");
  return self->host->complete(self->host->ctx, self->pending, &result);
}

/* A verdict that a host of ABI 1.0 does not know. */
static int32_t unavailable(const trigger_host* host) {
  return host->abi_minor >= 1 ? TRIGGER_UNAVAILABLE : TRIGGER_RETRY;
}

static int32_t handle(void* instance, const trigger_message* message, trigger_result* result) {
  counter* self = instance;
  const trigger_host* host = self->host;
  ++self->seen;
  host->metric_add(host->ctx, self->metric_seen, 1);
  host->metric_add(host->ctx, self->metric_level, -0.5);
  if (is(message->topic, "inspect")) inspect(self, message);
  if (is(message->topic, "publish")) publish(self, message);
  if (is(message->topic, "finish")) say_code(host, "complete", complete(self, TRIGGER_REJECT));
  if (is(message->topic, "finish unavailable")) {
    say_code(host, "complete", complete(self, unavailable(host)));
  }
  if (is(message->topic, "pending")) {
    self->pending = message->token;
    say_code(host, "extend", host->extend(host->ctx, message->token, 2500));
    return TRIGGER_PENDING;
  }
  if (is(message->topic, "retry")) {
    result->retry_after_ms = 1500;
    reason(result, "later");
    return TRIGGER_RETRY;
  }
  if (is(message->topic, "unavailable")) {
    result->retry_after_ms = 700;
    reason(result, "what it needs is away");
    return unavailable(host);
  }
  if (is(message->topic, "reject")) {
    reason(result, "never");
    return TRIGGER_REJECT;
  }
  return TRIGGER_OK;
}

static void handle_batch(void* instance, const trigger_message* const* messages,
                         trigger_result* const* results, size_t count) {
  size_t i = 0;
  say_code(((counter*)instance)->host, "batch", (int64_t)count);
  for (; i < count; ++i) {
    if (is(messages[i]->topic, "return early")) return;
    results[i]->code = handle(instance, messages[i], results[i]);
  }
}

static void stop(void* instance) {
  counter* self = instance;
  say_code(self->host, "stop", (int64_t)self->seen);
}

static void destroy(void* instance) {
  counter* self = instance;
  say_code(self->host, "destroy", (int64_t)self->seen);
  self->used = 0;
}

static int32_t probe(void* instance, trigger_result* result) {
  if (!((counter*)instance)->away) return TRIGGER_OK;
  reason(result, "what it needs is away");
  return TRIGGER_E_FAILED;
}

/* The number in its eight bytes, lowest first, in two pieces. */
static int32_t save(void* instance, trigger_state_sink write, void* sink, trigger_result* error) {
  const counter* self = instance;
  uint8_t state[8];
  trigger_bytes piece;
  size_t i = 0;
  for (; i < sizeof(state); ++i) state[i] = (uint8_t)(self->seen >> (8 * i));
  piece.len = 4;
  for (i = 0; i < sizeof(state); i += piece.len) {
    int32_t code = TRIGGER_OK;
    piece.ptr = state + i;
    code = write(sink, piece);
    if (code != TRIGGER_OK) {
      reason(error, "the state was not taken");
      return code;
    }
  }
  return TRIGGER_OK;
}

static int32_t restore(void* instance, uint32_t state_version, trigger_bytes state,
                       trigger_result* error) {
  counter* self = instance;
  size_t i = 0;
  if (state_version != 3 || state.len != 8) {
    reason(error, "that state is of another version");
    return TRIGGER_E_FAILED;
  }
  self->seen = 0;
  for (; i < state.len; ++i) self->seen |= (uint64_t)state.ptr[i] << (8 * i);
  return TRIGGER_OK;
}

static const void* extension(void* instance, const char* id) {
  trigger_str text;
  text.ptr = id;
  for (text.len = 0; id[text.len] != '\0'; ++text.len) continue;
  return is(text, "test.seen/1") ? &((counter*)instance)->seen : 0;
}

/* ---- The plugin ------------------------------------------------------------------------------ */

#define SERVICE(name, flags)                                                                     \
  {                                                                                              \
    sizeof(trigger_service), flags, TEXT(name), 3 /* state_version */, 0, create, start, handle, \
        handle_batch, stop, destroy, probe, save, restore, extension                             \
  }

static const trigger_service single = SERVICE("counter", 0);
static const trigger_service crowd = SERVICE("crowd", TRIGGER_SERVICE_CONCURRENT);
static const trigger_service quick = SERVICE("quick", TRIGGER_SERVICE_BRIEF);
static const trigger_service* const services[] = {&single, &crowd, &quick};

static const trigger_plugin plugin = {
    sizeof(trigger_plugin),
    TRIGGER_ABI_MAJOR,
    TRIGGER_ABI_MINOR,
    sizeof(services) / sizeof(services[0]),
    TEXT("frozen"),
    TEXT("1.1.0"),
    services,
};

const trigger_plugin* trigger_plugin_entry_v1(const trigger_host* host) {
  line out;
  out.len = 0;
  put(&out, "entry");
  put_number(&out, host->abi_major);
  put_number(&out, host->abi_minor >= 1);
  put_number(&out, host->log_enabled(host->ctx, TRIGGER_LOG_ERROR));
  put_number(&out, host->extension(host->ctx, "nobody.has-this/1") == 0);
  say(host, &out);
  return &plugin;
}
