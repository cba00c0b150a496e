//! The structs and numbers of `trigger_plugin::abi` are those of the golden file, which
//! `tests/abi/layout.c` holds plugin.h to: every row of one is a row of the other.

use std::collections::BTreeSet;
use std::mem::{size_of, MaybeUninit};
use trigger_plugin::abi;

struct Rows(BTreeSet<String>);

impl Rows {
    fn add(&mut self, row: String) {
        assert!(self.0.insert(row.clone()), "twice: {}", row);
    }
}

/// A struct by its name in C, and its fields in their order; where they end is the size in ABI 1.0.
macro_rules! structure {
    ($rows:ident, $size:literal, $c_name:literal, $type:ty, $($c_field:literal $field:ident),+) => {
        let memory = MaybeUninit::<$type>::uninit();
        let base = memory.as_ptr();
        let mut end = 0;
        $(
            let at = unsafe { std::ptr::addr_of!((*base).$field) };
            let offset = at as usize - base as usize;
            assert_eq!(offset, end, "{}: padding before {}", $c_name, $c_field);
            let size = size_of_pointee(at);
            end = offset + size;
            $rows.add(format!("field {}.{} {} {}", $c_name, $c_field, offset, size));
        )+
        assert_eq!(end, size_of::<$type>(), "{}", $c_name);
        $rows.add(format!("{} {} {}", $size, $c_name, end));
    };
}

fn size_of_pointee<T>(_: *const T) -> usize {
    size_of::<T>()
}

macro_rules! constants {
    ($rows:ident, $($name:ident),+) => {
        $($rows.add(format!("constant TRIGGER_{} {}", stringify!($name), abi::$name));)+
    };
}

#[test]
fn is_that_of_the_golden_file() {
    let mut rows = Rows(BTreeSet::new());
    structure!(rows, "size", "trigger_str", abi::Str, "ptr" ptr, "len" len);
    structure!(rows, "size", "trigger_bytes", abi::Bytes, "ptr" ptr, "len" len);
    structure!(rows, "size", "trigger_property", abi::Property,
        "id" id, "reserved" reserved, "number" number, "name" name, "value" value);
    structure!(rows, "size", "trigger_setting", abi::Setting,
        "key" key, "value" value, "type" kind, "reserved" reserved);
    structure!(rows, "size-1.0", "trigger_message", abi::Message,
        "struct_size" struct_size, "flags" flags, "token" token, "id" id, "topic" topic,
        "trigger" trigger, "payload" payload, "received_unix_ns" received_unix_ns,
        "deadline_mono_ns" deadline_mono_ns, "properties" properties,
        "property_count" property_count, "attempt" attempt, "qos" qos);
    structure!(rows, "size-1.0", "trigger_result", abi::Result,
        "struct_size" struct_size, "code" code, "retry_after_ms" retry_after_ms,
        "reserved" reserved, "reason" reason);
    structure!(rows, "size-1.0", "trigger_publish", abi::Publish,
        "struct_size" struct_size, "flags" flags, "alias" alias, "topic" topic,
        "payload" payload, "properties" properties, "property_count" property_count, "qos" qos,
        "reserved" reserved, "done" done, "user" user);
    structure!(rows, "size-1.0", "trigger_host", abi::Host,
        "struct_size" struct_size, "abi_major" abi_major, "abi_minor" abi_minor,
        "reserved" reserved, "ctx" ctx, "complete" complete, "extend" extend,
        "publish" publish, "log_enabled" log_enabled, "log" log, "metric" metric,
        "metric_add" metric_add, "extension" extension);
    structure!(rows, "size-1.0", "trigger_instance_config", abi::InstanceConfig,
        "struct_size" struct_size, "concurrency" concurrency, "trigger" trigger, "alias" alias,
        "settings_json" settings_json, "settings" settings, "setting_count" setting_count);
    structure!(rows, "size-1.0", "trigger_service", abi::Service,
        "struct_size" struct_size, "flags" flags, "name" name, "state_version" state_version,
        "reserved" reserved, "create" create, "start" start, "handle" handle,
        "handle_batch" handle_batch, "stop" stop, "destroy" destroy, "probe" probe, "save" save,
        "restore" restore, "extension" extension);
    structure!(rows, "size-1.0", "trigger_plugin", abi::Plugin,
        "struct_size" struct_size, "abi_major" abi_major, "abi_minor" abi_minor,
        "service_count" service_count, "name" name, "version" version, "services" services);
    constants!(
        rows,
        ABI_MAJOR,
        SETTING_STRING,
        SETTING_INTEGER,
        SETTING_FLOAT,
        SETTING_BOOL,
        OK,
        PENDING,
        RETRY,
        REJECT,
        UNAVAILABLE,
        E_FAILED,
        E_INVALID,
        E_STALE,
        E_FULL,
        E_NOT_CONNECTED,
        E_NOT_FOUND,
        E_STATE,
        E_CANCELLED,
        E_UNSUPPORTED,
        MESSAGE_RETAIN,
        MESSAGE_DUP,
        MESSAGE_MQTT5,
        PUBLISH_RETAIN,
        LOG_TRACE,
        LOG_DEBUG,
        LOG_INFO,
        LOG_WARN,
        LOG_ERROR,
        METRIC_COUNTER,
        METRIC_GAUGE,
        SERVICE_CONCURRENT,
        SERVICE_BRIEF
    );
    rows.add(format!("text TRIGGER_ENTRY_NAME {}", abi::ENTRY_NAME));

    let golden = include_str!("../../../../tests/abi/layout-v1.golden");
    let golden: BTreeSet<String> = golden.lines().map(str::to_string).collect();
    assert!(golden.len() > 100);
    let ours: Vec<_> = rows.0.difference(&golden).collect();
    let theirs: Vec<_> = golden.difference(&rows.0).collect();
    assert!(
        ours.is_empty() && theirs.is_empty(),
        "only here: {:?}; only golden: {:?}",
        ours,
        theirs
    );
}
