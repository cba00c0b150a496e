/*
 * trigger/plugin.h - the whole contract between the triggerd runtime and a plugin. ABI version 1.1.
 *
 * A plugin is a shared library that exports services. A service is code that the runtime calls for
 * each MQTT message that a trigger receives; it answers with a verdict on that message.
 *
 * A plugin built against this header loads in every runtime of the same ABI major, older or newer,
 * without being rebuilt. The rules that make this so hold for every line below:
 *
 *  1. The library exports one symbol, trigger_plugin_entry_v1. The major is part of the name, so a
 *     plugin of another major is refused before any of its code runs.
 *  2. A struct that may grow starts with struct_size. Whoever makes the struct sets it to
 *     sizeof(the struct); new members come at the end. Whoever reads one checks with TRIGGER_HAS()
 *     before touching a member that ABI 1.0 did not have. Nobody copies the other side's struct by
 *     its own sizeof.
 *  3. A struct marked FROZEN never changes, so it may be passed by value and stored in arrays.
 *     Arrays of structs that may grow are arrays of pointers: no stride is compiled in.
 *  4. Only fixed-width integers, size_t, double, pointers and structs of them cross the boundary.
 *     No exception and no longjmp leaves a function of this header, on either side.
 *  5. Nobody frees what the other side made. A pointer is borrowed for as long as the function's
 *     comment says, and for the length of the call if it says nothing.
 *  6. What a later minor adds stays optional for ever. New abilities of the host come through
 *     trigger_host.extension(); the meaning of an extension's id never changes.
 *
 * Threads. Each function says in brackets when it is called: [thread; state of the instance].
 *   control      the host's control thread for this plugin. One call at a time, over all plugins.
 *                The host may abandon a call that does not return; later calls then come on another
 *                thread.
 *   worker       a thread of the host that calls this instance. Never two calls at once, unless the
 *                service is TRIGGER_SERVICE_CONCURRENT. It serves no other instance, unless the
 *                service is TRIGGER_SERVICE_BRIEF.
 *   completions  one thread of the host for each plugin, for the results of publishes.
 *   any          any thread, the plugin's own included.
 *
 * Life of an instance. The runtime makes one for each trigger that names the service:
 *
 *     create -> [restore] -> start -> handle... -> stop -> [save] -> destroy
 *                              ^                    |
 *                              +--------------------+   start may follow stop
 *
 *   created      from the return of create
 *   started      from the call of start, so functions of this state may be called inside start
 *   stopping     from shortly before the call of stop, while the host cancels publishes under way
 *   stopped      from the return of stop
 *
 * Needs a 64-bit target and C99 (or any C++). A plugin in C needs no other header; C++ has
 * trigger/plugin.hpp, other languages need C linkage and this page.
 */
#ifndef TRIGGER_PLUGIN_H
#define TRIGGER_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TRIGGER_ABI_MAJOR 1u
#define TRIGGER_ABI_MINOR 1u

/* Whether the struct at `pointer` (of type `type`, or an older or newer version of it) carries
 * `field`. */
#define TRIGGER_HAS(type, pointer, field) \
  ((pointer)->struct_size >= offsetof(type, field) + sizeof((pointer)->field))

/* ---- Small values ------------------------------------------------------------------------- */

/* UTF-8 text of `len` bytes. Text from the host is also followed by a NUL; text from a plugin need
 * not be. An empty text from a plugin may have a NULL ptr, one from the host never has. FROZEN. */
typedef struct trigger_str {
  const char* ptr;
  size_t len;
} trigger_str;

/* `len` bytes of anything, zero bytes included. ptr may be NULL if len is 0. FROZEN. */
typedef struct trigger_bytes {
  const uint8_t* ptr;
  size_t len;
} trigger_bytes;

/* One MQTT 5 property (MQTT 5.0, section 2.2.2.2). `id` is the specification's identifier. Integer
 * properties use `number`; text and binary ones `value`; a user property (0x26) `name` and `value`.
 * FROZEN. */
typedef struct trigger_property {
  uint32_t id;
  uint32_t reserved; /* 0 */
  uint64_t number;
  trigger_str name;
  trigger_bytes value;
} trigger_property;

/* One leaf of [triggers.settings]: `key` is its dotted path ("limits.high"; array elements by index
 * from 0: "sensors.0.name"), `value` its text ("80", "2.5", "true", or the string). FROZEN. */
typedef struct trigger_setting {
  trigger_str key;
  trigger_str value;
  uint32_t type; /* TRIGGER_SETTING_... */
  uint32_t reserved;
} trigger_setting;

#define TRIGGER_SETTING_STRING 0u
#define TRIGGER_SETTING_INTEGER 1u
#define TRIGGER_SETTING_FLOAT 2u
#define TRIGGER_SETTING_BOOL 3u

/* ---- Codes --------------------------------------------------------------------------------- */

/* Verdicts. Any value that is not one of these counts as TRIGGER_RETRY and is reported. */
#define TRIGGER_OK 0      /* finished */
#define TRIGGER_PENDING 1 /* the service calls trigger_host.complete() later, from any thread */
#define TRIGGER_RETRY 2   /* try again after retry_after_ms, or after the trigger's backoff */
#define TRIGGER_REJECT 3  /* dead letter at once; reason says why */
/* Something that the service needs is unavailable: a server, a database. Nothing is wrong with the
 * message, so this does not count as an attempt. The trigger stops delivery, tries one message
 * after retry_after_ms or its backoff, and resumes once one gets OK or RETRY. Since: 1.1; a host of
 * ABI 1.0 counts it as TRIGGER_RETRY from handle, and its complete refuses it, so check
 * trigger_host.abi_minor first. */
#define TRIGGER_UNAVAILABLE 4

/* Errors, of host functions and of create, start, save and restore. */
#define TRIGGER_E_FAILED (-1)        /* the reason says why */
#define TRIGGER_E_INVALID (-2)       /* an argument is wrong: a NULL, a topic with a wildcard */
#define TRIGGER_E_STALE (-3)         /* that attempt is over: completed, timed out or revoked */
#define TRIGGER_E_FULL (-4)          /* too much in flight: say UNAVAILABLE, or RETRY to ABI 1.0 */
#define TRIGGER_E_NOT_CONNECTED (-5) /* the alias has no connection now */
#define TRIGGER_E_NOT_FOUND (-6)     /* no alias of that name */
#define TRIGGER_E_STATE (-7)         /* not allowed in this state of the instance */
#define TRIGGER_E_CANCELLED (-8)     /* the instance stopped before the answer came */
#define TRIGGER_E_UNSUPPORTED (-9)   /* this runtime cannot do that */

/* ---- A message ----------------------------------------------------------------------------- */

#define TRIGGER_MESSAGE_RETAIN 1u /* sent because it was retained when the trigger subscribed */
#define TRIGGER_MESSAGE_DUP 2u    /* the server may have delivered it before */
#define TRIGGER_MESSAGE_MQTT5 4u  /* arrived over MQTT 5: properties mean something */

/* Made by the host, read by the service. Valid, with all it points to, until handle or handle_batch
 * returns; after TRIGGER_PENDING until complete() has returned for its token, on time or late, or
 * stop has returned. So a message whose deadline has passed stays in memory until the service
 * completes it. Such messages count against the trigger's queue_capacity; when they fill it, the
 * trigger delivers nothing more and logs that. */
typedef struct trigger_message {
  uint32_t struct_size;
  uint32_t flags; /* TRIGGER_MESSAGE_... */
  uint64_t token; /* identifies this attempt, for complete() and extend() */
  trigger_str id; /* the same in all attempts, unique across runtimes; at most 63 bytes */
  trigger_str topic;
  trigger_str trigger; /* name of the trigger */
  trigger_bytes payload;
  int64_t received_unix_ns;  /* when the runtime received it; ns since 1970-01-01 UTC */
  uint64_t deadline_mono_ns; /* ns of CLOCK_MONOTONIC; past it the attempt counts as RETRY. Not
                              * changed by extend() */
  const trigger_property* properties;
  size_t property_count;
  uint32_t attempt; /* 1 for the first */
  uint32_t qos;     /* 0, 1, 2: as delivered */
} trigger_message;

/* What a call reports besides its code. Made by the host and handed over empty; only the one for
 * complete() is made by the plugin. */
typedef struct trigger_result {
  uint32_t struct_size;
  int32_t code;            /* a verdict or an error */
  uint32_t retry_after_ms; /* with TRIGGER_RETRY and _UNAVAILABLE; 0: the trigger's own backoff */
  uint32_t reserved;       /* 0 */
  char reason[256];        /* UTF-8, NUL-terminated; for people: log, dead letter */
} trigger_result;

/* ---- What the host offers ------------------------------------------------------------------- */

/* The result of a publish. `code` is TRIGGER_OK once the server has the message (QoS 0: once it is
 * written, QoS 1: PUBACK, QoS 2: PUBCOMP), otherwise an error with its `reason`: _NOT_CONNECTED,
 * _FAILED or _INVALID (the server has refused it), _CANCELLED. Called exactly once for each
 * publish() that returned TRIGGER_OK with a `done`; never from inside publish(), but perhaps before
 * publish() has returned; never after stop has returned. It must not block.
 * [completions; started or stopping]. Since: 1.0 */
typedef void (*trigger_publish_done)(void* user, int32_t code, trigger_str reason);

#define TRIGGER_PUBLISH_RETAIN 1u

/* Made by the plugin. */
typedef struct trigger_publish {
  uint32_t struct_size;
  uint32_t flags;    /* TRIGGER_PUBLISH_... */
  trigger_str alias; /* empty: the trigger's own */
  trigger_str topic; /* no wildcards */
  trigger_bytes payload;
  const trigger_property* properties; /* MQTT 5; none for an alias of MQTT 3.1.1 */
  size_t property_count;
  uint32_t qos; /* 0, 1, 2 */
  uint32_t reserved;
  trigger_publish_done done; /* may be NULL */
  void* user;                /* handed to done */
} trigger_publish;

#define TRIGGER_LOG_TRACE 0u
#define TRIGGER_LOG_DEBUG 1u
#define TRIGGER_LOG_INFO 2u
#define TRIGGER_LOG_WARN 3u
#define TRIGGER_LOG_ERROR 4u

#define TRIGGER_METRIC_COUNTER 0u /* metric_add() only adds */
#define TRIGGER_METRIC_GAUGE 1u   /* metric_add() adds or subtracts */

/* The host's side. Each instance gets its own, valid until its destroy has returned. The one handed
 * to the entry function is the plugin's, valid until the library is unloaded; it offers only
 * log_enabled, log and extension (the others return TRIGGER_E_STATE). Every function takes this
 * struct's `ctx` first, may be called from [any] thread unless it says otherwise, and never calls
 * back into the plugin before it returns. One that is called in another state than its comment
 * names returns TRIGGER_E_STATE or TRIGGER_E_STALE. */
typedef struct trigger_host {
  uint32_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t reserved;
  void* ctx;

  /* Gives the verdict on an attempt that was, or is about to be, answered with TRIGGER_PENDING. It
   * may be called before handle has returned. `result->code` is OK, RETRY, REJECT or UNAVAILABLE.
   * TRIGGER_OK: the verdict counts. TRIGGER_E_STALE: the attempt is over already.
   * TRIGGER_E_INVALID: no such verdict. [any; started or stopping]. Since: 1.0 */
  int32_t (*complete)(void* ctx, uint64_t token, const trigger_result* result);

  /* Moves the deadline of an attempt to `ms` milliseconds from now. TRIGGER_OK or TRIGGER_E_STALE.
   * [any; started or stopping]. Since: 1.0 */
  int32_t (*extend)(void* ctx, uint64_t token, uint32_t ms);

  /* Publishes a message; everything is copied before it returns. TRIGGER_OK: it is on its way, and
   * `done` reports the result. Any other code (TRIGGER_E_FULL, _NOT_CONNECTED, _NOT_FOUND,
   * _INVALID, _STATE, _UNSUPPORTED, _FAILED): not sent, and `done` is not called. It does not wait
   * for the server's answer, but may wait while a connection is being made. [any; started].
   * Since: 1.0 */
  int32_t (*publish)(void* ctx, const trigger_publish* request);

  /* Whether a line of this level would be written: 1 or 0. [any]. Since: 1.0 */
  int32_t (*log_enabled)(void* ctx, uint32_t level);

  /* Writes a log line, tagged with plugin and trigger. Control characters are escaped, a long text
   * is cut. [any]. Since: 1.0 */
  void (*log)(void* ctx, uint32_t level, trigger_str text);

  /* Creates a metric and sets *id. `name` is [a-z_][a-z0-9_]*, at most 100 bytes; `help` describes
   * it to people in at most 1024 bytes; the runtime adds labels for plugin and trigger. The same
   * name again gives the same id. TRIGGER_OK, TRIGGER_E_INVALID (name, kind, help, or the name has
   * another kind), TRIGGER_E_FULL (the instance has 64). [any; in create or later]. Since: 1.0 */
  int32_t (*metric)(void* ctx, trigger_str name, uint32_t kind, trigger_str help, uint64_t* id);

  /* Adds to a metric. TRIGGER_OK, or TRIGGER_E_INVALID: the id is unknown, `value` is not finite,
   * or it is below 0 for a counter. [any; in create or later]. Since: 1.0 */
  int32_t (*metric_add)(void* ctx, uint64_t id, double value);

  /* The extension named `id` ("trigger.NAME/1"), or NULL if this runtime has none. The extension's
   * own header says what it points to. [any]. Since: 1.0 */
  const void* (*extension)(void* ctx, const char* id);
} trigger_host;

/* ---- What a plugin exports ------------------------------------------------------------------- */

/* What an instance is made from. Made by the host, borrowed for the call of create. */
typedef struct trigger_instance_config {
  uint32_t struct_size;
  uint32_t concurrency;      /* the most calls of handle and handle_batch at once; a pending message
                              * still takes the place of its call, or its place in a batch */
  trigger_str trigger;       /* name of the trigger */
  trigger_str alias;         /* name of its connection alias */
  trigger_str settings_json; /* [triggers.settings] as one JSON object; "{}" if there are none */
  const trigger_setting* settings; /* the same, flattened, in the order of the file */
  size_t setting_count;
} trigger_instance_config;

/* Takes a piece of an instance's saved state and copies it before it returns; save may call it many
 * times. TRIGGER_OK, or an error, which save then returns. */
typedef int32_t (*trigger_state_sink)(void* sink, trigger_bytes piece);

/* handle and handle_batch may be called by several workers at once. */
#define TRIGGER_SERVICE_CONCURRENT 1u
/* handle is brief: whatever the message, it computes for microseconds and waits for nothing: no
 * file, no network, no publish, no lock that others hold for longer. So the host may call it on the
 * thread that has read the message, which saves waking a worker; meanwhile the messages of all
 * other triggers wait. That thread also serves other instances and outlives the library, so the
 * plugin must use no thread_local there and start no thread or program. Once a call has taken
 * longer than a few milliseconds, the host logs that, and calls the service only on workers. It
 * still never makes two calls at once, unless the service is also TRIGGER_SERVICE_CONCURRENT.
 * Since: 1.1; a host of ABI 1.0 ignores the flag. */
#define TRIGGER_SERVICE_BRIEF 2u

/* One service. Made by the plugin, constant, valid until the library is unloaded. Functions marked
 * * are optional: NULL if the service has none. */
typedef struct trigger_service {
  uint32_t struct_size;
  uint32_t flags;         /* TRIGGER_SERVICE_... */
  trigger_str name;       /* [a-z0-9-]+, at most 64 bytes, unique in the plugin */
  uint32_t state_version; /* of what save writes; 0 without save */
  uint32_t reserved;

  /* Makes an instance from its settings: no threads and no network yet, since the runtime also
   * calls it (and then destroy) only to check a configuration. Returns TRIGGER_OK and sets
   * *instance, or an error with a reason that names the setting; then destroy is not called. `host`
   * may be kept until destroy. [control; none]. Since: 1.0 */
  int32_t (*create)(const trigger_host* host, const trigger_instance_config* config,
                    void** instance, trigger_result* error);

  /* Gets ready for messages: threads, connections. TRIGGER_OK, or an error with its reason; the
   * instance is then as it was before, and start may be called again. [control; created or
   * stopped]. Since: 1.0 */
  int32_t (*start)(void* instance, trigger_result* error);

  /* Handles one message and returns its verdict. `result` carries retry_after_ms and reason; its
   * code is not read. Past the message's deadline the verdict is refused and the attempt counts as
   * RETRY. [worker; started]. Since: 1.0 */
  int32_t (*handle)(void* instance, const trigger_message* message, trigger_result* result);

  /* * Handles `count` messages at once, for services that write to a database or over a network.
   * They are what was ready, in the order of their arrival; if the trigger's `order` keeps one
   * message behind another, the two are never in the same call. The verdict on messages[i] goes to
   * results[i]: to its code, which is TRIGGER_RETRY beforehand, so that an early return loses
   * nothing, with retry_after_ms and reason as in handle. TRIGGER_PENDING is possible for each;
   * that message then stays valid as after handle. A message that is alone goes to handle, and a
   * runtime may call handle for any of them, so both must do the same. Past a message's deadline
   * its verdict is refused, as in handle. [worker; started]. Since: 1.0 */
  void (*handle_batch)(void* instance, const trigger_message* const* messages,
                       trigger_result* const* results, size_t count);

  /* Undoes start. Cannot fail. When it returns, the plugin has joined its own threads, and must not
   * call complete, extend or publish any more. Attempts that are still pending are revoked,
   * possibly before stop is called: complete returns TRIGGER_E_STALE, the message comes again, and
   * the attempt does not count. [control; stopping]. Since: 1.0 */
  void (*stop)(void* instance);

  /* Frees the instance. Cannot fail. [control; created or stopped]. Since: 1.0 */
  void (*destroy)(void* instance);

  /* * Checks whether what the service depends on is available: TRIGGER_OK, or an error with its
   * reason. Called while the trigger is suspended. It must return within the trigger's timeout.
   * [worker; started]. Since: 1.0 */
  int32_t (*probe)(void* instance, trigger_result* result);

  /* * Writes the instance's state for a successor, by calling write(sink, piece). TRIGGER_OK, or an
   * error with its reason. [control; stopped]. Since: 1.0 */
  int32_t (*save)(void* instance, trigger_state_sink write, void* sink, trigger_result* error);

  /* * Takes over the state that a predecessor of `state_version` saved. TRIGGER_OK, or an error
   * with its reason if the instance cannot use it. [control; created]. Since: 1.0 */
  int32_t (*restore)(void* instance, uint32_t state_version, trigger_bytes state,
                     trigger_result* error);

  /* * The service's own extension `id`, or NULL. [control; created or later]. Since: 1.0 */
  const void* (*extension)(void* instance, const char* id);
} trigger_service;

/* The plugin. Made by the plugin, constant, valid until the library is unloaded. */
typedef struct trigger_plugin {
  uint32_t struct_size;
  uint32_t abi_major; /* TRIGGER_ABI_MAJOR */
  uint32_t abi_minor; /* TRIGGER_ABI_MINOR it was built with */
  uint32_t service_count;
  trigger_str name;    /* for people; triggers use the file's name */
  trigger_str version; /* for people: "1.4.2" */
  const trigger_service* const* services;
} trigger_plugin;

/* The entry point. Called once after loading; it only returns the table, and starts nothing. NULL
 * means that the plugin cannot work with this host; it then says why through host->log. [control;
 * none]. Since: 1.0 */
typedef const trigger_plugin* (*trigger_plugin_entry)(const trigger_host* host);

#define TRIGGER_ENTRY_NAME "trigger_plugin_entry_v1"

#if defined(__GNUC__)
#define TRIGGER_EXPORT __attribute__((visibility("default")))
#else
#define TRIGGER_EXPORT
#endif

TRIGGER_EXPORT const trigger_plugin* trigger_plugin_entry_v1(const trigger_host* host);

#ifdef __cplusplus
}
#endif

#endif /* TRIGGER_PLUGIN_H */
