/*
 * What ABI 1 is made of, in numbers, for a 64-bit target. Written down once; compared with the
 * compiler's opinion in every language of the header (layout_asserts.h), and with the golden file
 * (layout.c).
 *
 * Rows are never changed and never removed. A later minor adds rows: fields at the end of their
 * struct, a size row for that minor, constants.
 */
#ifndef LAYOUT_V1_H
#define LAYOUT_V1_H

/* clang-format off */

/* Frozen structs: type, size. */
#define LAYOUT_FROZEN(X) \
  X(trigger_str, 16) \
  X(trigger_bytes, 16) \
  X(trigger_property, 48) \
  X(trigger_setting, 40)

/* Structs that grow: type, minor, last field of that minor, size up to its end. */
#define LAYOUT_GROWING(X) \
  X(trigger_message, 0, qos, 120) \
  X(trigger_result, 0, reason, 272) \
  X(trigger_publish, 0, user, 96) \
  X(trigger_host, 0, extension, 88) \
  X(trigger_instance_config, 0, setting_count, 72) \
  X(trigger_service, 0, extension, 112) \
  X(trigger_plugin, 0, services, 56)

/* The same for the present minor only: what sizeof says. */
#define LAYOUT_NOW(X) \
  X(trigger_str, 16) \
  X(trigger_bytes, 16) \
  X(trigger_property, 48) \
  X(trigger_setting, 40) \
  X(trigger_message, 120) \
  X(trigger_result, 272) \
  X(trigger_publish, 96) \
  X(trigger_host, 88) \
  X(trigger_instance_config, 72) \
  X(trigger_service, 112) \
  X(trigger_plugin, 56)

/* Type, field, offset, size. */
#define LAYOUT_FIELDS(X) \
  X(trigger_str, ptr, 0, 8) \
  X(trigger_str, len, 8, 8) \
  X(trigger_bytes, ptr, 0, 8) \
  X(trigger_bytes, len, 8, 8) \
  X(trigger_property, id, 0, 4) \
  X(trigger_property, reserved, 4, 4) \
  X(trigger_property, number, 8, 8) \
  X(trigger_property, name, 16, 16) \
  X(trigger_property, value, 32, 16) \
  X(trigger_setting, key, 0, 16) \
  X(trigger_setting, value, 16, 16) \
  X(trigger_setting, type, 32, 4) \
  X(trigger_setting, reserved, 36, 4) \
  X(trigger_message, struct_size, 0, 4) \
  X(trigger_message, flags, 4, 4) \
  X(trigger_message, token, 8, 8) \
  X(trigger_message, id, 16, 16) \
  X(trigger_message, topic, 32, 16) \
  X(trigger_message, trigger, 48, 16) \
  X(trigger_message, payload, 64, 16) \
  X(trigger_message, received_unix_ns, 80, 8) \
  X(trigger_message, deadline_mono_ns, 88, 8) \
  X(trigger_message, properties, 96, 8) \
  X(trigger_message, property_count, 104, 8) \
  X(trigger_message, attempt, 112, 4) \
  X(trigger_message, qos, 116, 4) \
  X(trigger_result, struct_size, 0, 4) \
  X(trigger_result, code, 4, 4) \
  X(trigger_result, retry_after_ms, 8, 4) \
  X(trigger_result, reserved, 12, 4) \
  X(trigger_result, reason, 16, 256) \
  X(trigger_publish, struct_size, 0, 4) \
  X(trigger_publish, flags, 4, 4) \
  X(trigger_publish, alias, 8, 16) \
  X(trigger_publish, topic, 24, 16) \
  X(trigger_publish, payload, 40, 16) \
  X(trigger_publish, properties, 56, 8) \
  X(trigger_publish, property_count, 64, 8) \
  X(trigger_publish, qos, 72, 4) \
  X(trigger_publish, reserved, 76, 4) \
  X(trigger_publish, done, 80, 8) \
  X(trigger_publish, user, 88, 8) \
  X(trigger_host, struct_size, 0, 4) \
  X(trigger_host, abi_major, 4, 4) \
  X(trigger_host, abi_minor, 8, 4) \
  X(trigger_host, reserved, 12, 4) \
  X(trigger_host, ctx, 16, 8) \
  X(trigger_host, complete, 24, 8) \
  X(trigger_host, extend, 32, 8) \
  X(trigger_host, publish, 40, 8) \
  X(trigger_host, log_enabled, 48, 8) \
  X(trigger_host, log, 56, 8) \
  X(trigger_host, metric, 64, 8) \
  X(trigger_host, metric_add, 72, 8) \
  X(trigger_host, extension, 80, 8) \
  X(trigger_instance_config, struct_size, 0, 4) \
  X(trigger_instance_config, concurrency, 4, 4) \
  X(trigger_instance_config, trigger, 8, 16) \
  X(trigger_instance_config, alias, 24, 16) \
  X(trigger_instance_config, settings_json, 40, 16) \
  X(trigger_instance_config, settings, 56, 8) \
  X(trigger_instance_config, setting_count, 64, 8) \
  X(trigger_service, struct_size, 0, 4) \
  X(trigger_service, flags, 4, 4) \
  X(trigger_service, name, 8, 16) \
  X(trigger_service, state_version, 24, 4) \
  X(trigger_service, reserved, 28, 4) \
  X(trigger_service, create, 32, 8) \
  X(trigger_service, start, 40, 8) \
  X(trigger_service, handle, 48, 8) \
  X(trigger_service, handle_batch, 56, 8) \
  X(trigger_service, stop, 64, 8) \
  X(trigger_service, destroy, 72, 8) \
  X(trigger_service, probe, 80, 8) \
  X(trigger_service, save, 88, 8) \
  X(trigger_service, restore, 96, 8) \
  X(trigger_service, extension, 104, 8) \
  X(trigger_plugin, struct_size, 0, 4) \
  X(trigger_plugin, abi_major, 4, 4) \
  X(trigger_plugin, abi_minor, 8, 4) \
  X(trigger_plugin, service_count, 12, 4) \
  X(trigger_plugin, name, 16, 16) \
  X(trigger_plugin, version, 32, 16) \
  X(trigger_plugin, services, 48, 8)

/* Constant, value. */
#define LAYOUT_CONSTANTS(X) \
  X(TRIGGER_ABI_MAJOR, 1) \
  X(TRIGGER_SETTING_STRING, 0) \
  X(TRIGGER_SETTING_INTEGER, 1) \
  X(TRIGGER_SETTING_FLOAT, 2) \
  X(TRIGGER_SETTING_BOOL, 3) \
  X(TRIGGER_OK, 0) \
  X(TRIGGER_PENDING, 1) \
  X(TRIGGER_RETRY, 2) \
  X(TRIGGER_REJECT, 3) \
  X(TRIGGER_UNAVAILABLE, 4) \
  X(TRIGGER_E_FAILED, -1) \
  X(TRIGGER_E_INVALID, -2) \
  X(TRIGGER_E_STALE, -3) \
  X(TRIGGER_E_FULL, -4) \
  X(TRIGGER_E_NOT_CONNECTED, -5) \
  X(TRIGGER_E_NOT_FOUND, -6) \
  X(TRIGGER_E_STATE, -7) \
  X(TRIGGER_E_CANCELLED, -8) \
  X(TRIGGER_E_UNSUPPORTED, -9) \
  X(TRIGGER_MESSAGE_RETAIN, 1) \
  X(TRIGGER_MESSAGE_DUP, 2) \
  X(TRIGGER_MESSAGE_MQTT5, 4) \
  X(TRIGGER_PUBLISH_RETAIN, 1) \
  X(TRIGGER_LOG_TRACE, 0) \
  X(TRIGGER_LOG_DEBUG, 1) \
  X(TRIGGER_LOG_INFO, 2) \
  X(TRIGGER_LOG_WARN, 3) \
  X(TRIGGER_LOG_ERROR, 4) \
  X(TRIGGER_METRIC_COUNTER, 0) \
  X(TRIGGER_METRIC_GAUGE, 1) \
  X(TRIGGER_SERVICE_CONCURRENT, 1) \
  X(TRIGGER_SERVICE_BRIEF, 2)

/* clang-format on */

#endif /* LAYOUT_V1_H */
