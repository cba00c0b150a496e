//! What the runtime takes from a plugin, and what it refuses. `trigger/testing/rules.h` has the
//! same for the test kits in C and C++.

use crate::abi;
use std::ffi::c_void;

const TEXT_BYTES: usize = 65_535; // MQTT 5.0, section 1.5.4
const PACKET_BYTES: usize = 268_435_447; // of topic and payload: MQTT 5.0, section 2.1.4
const ALIAS_BYTES: usize = 1_024; // the runtime's own limits from here on
const PROPERTIES: usize = 65_535;
pub const METRICS: usize = 64;
const METRIC_NAME_BYTES: usize = 100;
const METRIC_HELP_BYTES: usize = 1_024;

// Of the structs in ABI 1.0.
const PUBLISH_SIZE_10: u32 = 96;
const RESULT_SIZE_10: u32 = 272;

/// Whether there may be `len` bytes at `ptr`.
fn is_there<T>(ptr: *const T, len: usize, limit: usize) -> bool {
    len <= limit && (!ptr.is_null() || len == 0)
}

fn bytes_of(text: abi::Str) -> abi::Bytes {
    abi::Bytes { ptr: text.ptr as *const u8, len: text.len }
}

/// Whether MQTT takes it for text: UTF-8 without U+0000.
unsafe fn is_text(text: abi::Bytes) -> bool {
    if !is_there(text.ptr, text.len, TEXT_BYTES) {
        return false;
    }
    let bytes = text.as_slice();
    !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

/// Whether one can publish to it.
unsafe fn is_topic(topic: abi::Bytes) -> bool {
    topic.len != 0
        && is_text(topic)
        && !topic.as_slice().iter().any(|byte| matches!(byte, b'+' | b'#'))
}

/// Whether a client may publish with it.
unsafe fn is_property(property: &abi::Property) -> bool {
    let (name, value) = (bytes_of(property.name), property.value);
    if !is_there(name.ptr, name.len, TEXT_BYTES) || !is_there(value.ptr, value.len, TEXT_BYTES) {
        return false;
    }
    use crate::property::*;
    match property.id {
        PAYLOAD_FORMAT => property.number <= 1,
        MESSAGE_EXPIRY => property.number <= u64::from(u32::MAX),
        CONTENT_TYPE => is_text(value),
        RESPONSE_TOPIC => is_topic(value),
        CORRELATION_DATA => true,
        USER => is_text(name) && is_text(value),
        _ => false,
    }
}

/// Whether a client may publish with all of them: only a user property may come twice.
unsafe fn are_properties(properties: *const abi::Property, count: usize) -> bool {
    if !is_there(properties, count, PROPERTIES) {
        return false;
    }
    let mut seen = Vec::new();
    for at in 0..count {
        let property = &*properties.add(at);
        let again = seen.contains(&property.id) && property.id != crate::property::USER;
        if again || !is_property(property) {
            return false;
        }
        if !seen.contains(&property.id) {
            seen.push(property.id);
        }
    }
    true
}

/// Whether publish takes this request on a connection of MQTT 5.
///
/// # Safety
/// `request` is NULL or points to a request; what it points to is there.
pub unsafe fn is_publish(request: *const abi::Publish) -> bool {
    if request.is_null() || (*request).struct_size < PUBLISH_SIZE_10 {
        return false;
    }
    let request = &*request;
    let (alias, topic, payload) = (request.alias, bytes_of(request.topic), request.payload);
    request.flags & !abi::PUBLISH_RETAIN == 0
        && request.qos <= 2
        && is_there(alias.ptr, alias.len, ALIAS_BYTES)
        && is_topic(topic)
        && is_there(payload.ptr, payload.len, PACKET_BYTES - topic.len)
        && are_properties(request.properties, request.property_count)
}

/// Whether complete can read it; its code may be no verdict.
///
/// # Safety
/// `result` is NULL or points to a result.
pub unsafe fn is_result(result: *const abi::Result) -> bool {
    !result.is_null() && (*result).struct_size >= RESULT_SIZE_10
}

pub fn is_verdict(code: i32) -> bool {
    [abi::OK, abi::RETRY, abi::REJECT, abi::UNAVAILABLE].contains(&code)
}

/// Whether metric takes these arguments by themselves.
///
/// # Safety
/// What they point to is there.
pub unsafe fn is_metric(name: abi::Str, kind: u32, help: abi::Str, id: *const u64) -> bool {
    let follows = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    let sound = is_there(name.ptr as *const c_void, name.len, METRIC_NAME_BYTES)
        && is_there(help.ptr as *const c_void, help.len, METRIC_HELP_BYTES);
    if id.is_null() || !sound || name.len == 0 {
        return false;
    }
    let name = bytes_of(name).as_slice();
    !name[0].is_ascii_digit()
        && name.iter().all(follows)
        && [abi::METRIC_COUNTER, abi::METRIC_GAUGE].contains(&kind)
}
