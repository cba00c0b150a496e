// trigger/plugin.h alone is enough for C++; its layout is what layout_v1.h says; and its functions
// have the types they had in ABI 1.0, which no offset shows.
#include "layout_asserts.h"

template <class Is, class Was>
struct Same {
  static constexpr bool value = false;
};
template <class Type>
struct Same<Type, Type> {
  static constexpr bool value = true;
};

#define FUNCTION(name, ...) \
  static_assert(Same<decltype(name), __VA_ARGS__>::value, "the type of " #name " has changed")

FUNCTION(trigger_host::complete, int32_t (*)(void*, uint64_t, const trigger_result*));
FUNCTION(trigger_host::extend, int32_t (*)(void*, uint64_t, uint32_t));
FUNCTION(trigger_host::publish, int32_t (*)(void*, const trigger_publish*));
FUNCTION(trigger_host::log_enabled, int32_t (*)(void*, uint32_t));
FUNCTION(trigger_host::log, void (*)(void*, uint32_t, trigger_str));
FUNCTION(trigger_host::metric, int32_t (*)(void*, trigger_str, uint32_t, trigger_str, uint64_t*));
FUNCTION(trigger_host::metric_add, int32_t (*)(void*, uint64_t, double));
FUNCTION(trigger_host::extension, const void* (*)(void*, const char*));

FUNCTION(trigger_service::create,
         int32_t (*)(const trigger_host*, const trigger_instance_config*, void**, trigger_result*));
FUNCTION(trigger_service::start, int32_t (*)(void*, trigger_result*));
FUNCTION(trigger_service::handle, int32_t (*)(void*, const trigger_message*, trigger_result*));
FUNCTION(trigger_service::handle_batch,
         void (*)(void*, const trigger_message* const*, trigger_result* const*, size_t));
FUNCTION(trigger_service::stop, void (*)(void*));
FUNCTION(trigger_service::destroy, void (*)(void*));
FUNCTION(trigger_service::probe, int32_t (*)(void*, trigger_result*));
FUNCTION(trigger_service::save, int32_t (*)(void*, trigger_state_sink, void*, trigger_result*));
FUNCTION(trigger_service::restore, int32_t (*)(void*, uint32_t, trigger_bytes, trigger_result*));
FUNCTION(trigger_service::extension, const void* (*)(void*, const char*));

FUNCTION(trigger_plugin_entry_v1, const trigger_plugin*(const trigger_host*));
FUNCTION(trigger_plugin_entry{}, const trigger_plugin* (*)(const trigger_host*));
FUNCTION(trigger_publish_done{}, void (*)(void*, int32_t, trigger_str));
FUNCTION(trigger_state_sink{}, int32_t (*)(void*, trigger_bytes));
