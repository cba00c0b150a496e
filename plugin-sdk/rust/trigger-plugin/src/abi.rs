//! `trigger/plugin.h` in Rust: the same structs and numbers. That header's comments say what each
//! of them means. The test `layout` compares them with the golden file of the ABI.
//!
//! A struct of an older host may be shorter than here. So the rest of this crate accesses the
//! host's structs by pointer, and checks `struct_size` before it reads a member that ABI 1.0 did
//! not have.

use std::ffi::c_void;
use std::os::raw::c_char;

pub const ABI_MAJOR: u32 = 1;
pub const ABI_MINOR: u32 = 1;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Str {
    pub ptr: *const c_char,
    pub len: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bytes {
    pub ptr: *const u8,
    pub len: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Property {
    pub id: u32,
    pub reserved: u32,
    pub number: u64,
    pub name: Str,
    pub value: Bytes,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Setting {
    pub key: Str,
    pub value: Str,
    pub kind: u32, // "type" in C
    pub reserved: u32,
}

pub const SETTING_STRING: u32 = 0;
pub const SETTING_INTEGER: u32 = 1;
pub const SETTING_FLOAT: u32 = 2;
pub const SETTING_BOOL: u32 = 3;

pub const OK: i32 = 0;
pub const PENDING: i32 = 1;
pub const RETRY: i32 = 2;
pub const REJECT: i32 = 3;
pub const UNAVAILABLE: i32 = 4;

pub const E_FAILED: i32 = -1;
pub const E_INVALID: i32 = -2;
pub const E_STALE: i32 = -3;
pub const E_FULL: i32 = -4;
pub const E_NOT_CONNECTED: i32 = -5;
pub const E_NOT_FOUND: i32 = -6;
pub const E_STATE: i32 = -7;
pub const E_CANCELLED: i32 = -8;
pub const E_UNSUPPORTED: i32 = -9;

pub const MESSAGE_RETAIN: u32 = 1;
pub const MESSAGE_DUP: u32 = 2;
pub const MESSAGE_MQTT5: u32 = 4;

#[repr(C)]
pub struct Message {
    pub struct_size: u32,
    pub flags: u32,
    pub token: u64,
    pub id: Str,
    pub topic: Str,
    pub trigger: Str,
    pub payload: Bytes,
    pub received_unix_ns: i64,
    pub deadline_mono_ns: u64,
    pub properties: *const Property,
    pub property_count: usize,
    pub attempt: u32,
    pub qos: u32,
}

#[repr(C)]
pub struct Result {
    pub struct_size: u32,
    pub code: i32,
    pub retry_after_ms: u32,
    pub reserved: u32,
    pub reason: [u8; 256],
}

pub type PublishDone = unsafe extern "C" fn(user: *mut c_void, code: i32, reason: Str);

pub const PUBLISH_RETAIN: u32 = 1;

#[repr(C)]
pub struct Publish {
    pub struct_size: u32,
    pub flags: u32,
    pub alias: Str,
    pub topic: Str,
    pub payload: Bytes,
    pub properties: *const Property,
    pub property_count: usize,
    pub qos: u32,
    pub reserved: u32,
    pub done: Option<PublishDone>,
    pub user: *mut c_void,
}

pub const LOG_TRACE: u32 = 0;
pub const LOG_DEBUG: u32 = 1;
pub const LOG_INFO: u32 = 2;
pub const LOG_WARN: u32 = 3;
pub const LOG_ERROR: u32 = 4;

pub const METRIC_COUNTER: u32 = 0;
pub const METRIC_GAUGE: u32 = 1;

#[repr(C)]
pub struct Host {
    pub struct_size: u32,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub reserved: u32,
    pub ctx: *mut c_void,
    pub complete: unsafe extern "C" fn(*mut c_void, u64, *const Result) -> i32,
    pub extend: unsafe extern "C" fn(*mut c_void, u64, u32) -> i32,
    pub publish: unsafe extern "C" fn(*mut c_void, *const Publish) -> i32,
    pub log_enabled: unsafe extern "C" fn(*mut c_void, u32) -> i32,
    pub log: unsafe extern "C" fn(*mut c_void, u32, Str),
    pub metric: unsafe extern "C" fn(*mut c_void, Str, u32, Str, *mut u64) -> i32,
    pub metric_add: unsafe extern "C" fn(*mut c_void, u64, f64) -> i32,
    pub extension: unsafe extern "C" fn(*mut c_void, *const c_char) -> *const c_void,
}

#[repr(C)]
pub struct InstanceConfig {
    pub struct_size: u32,
    pub concurrency: u32,
    pub trigger: Str,
    pub alias: Str,
    pub settings_json: Str,
    pub settings: *const Setting,
    pub setting_count: usize,
}

pub type StateSink = unsafe extern "C" fn(sink: *mut c_void, piece: Bytes) -> i32;

pub const SERVICE_CONCURRENT: u32 = 1;
pub const SERVICE_BRIEF: u32 = 2;

pub type Create =
    unsafe extern "C" fn(*const Host, *const InstanceConfig, *mut *mut c_void, *mut Result) -> i32;
pub type Start = unsafe extern "C" fn(*mut c_void, *mut Result) -> i32;
pub type Handle = unsafe extern "C" fn(*mut c_void, *const Message, *mut Result) -> i32;
pub type HandleBatch =
    unsafe extern "C" fn(*mut c_void, *const *const Message, *const *mut Result, usize);
pub type Stop = unsafe extern "C" fn(*mut c_void);
pub type Destroy = unsafe extern "C" fn(*mut c_void);
pub type Probe = unsafe extern "C" fn(*mut c_void, *mut Result) -> i32;
pub type Save = unsafe extern "C" fn(*mut c_void, StateSink, *mut c_void, *mut Result) -> i32;
pub type Restore = unsafe extern "C" fn(*mut c_void, u32, Bytes, *mut Result) -> i32;
pub type Extension = unsafe extern "C" fn(*mut c_void, *const c_char) -> *const c_void;

#[repr(C)]
pub struct Service {
    pub struct_size: u32,
    pub flags: u32,
    pub name: Str,
    pub state_version: u32,
    pub reserved: u32,
    pub create: Option<Create>,
    pub start: Option<Start>,
    pub handle: Option<Handle>,
    pub handle_batch: Option<HandleBatch>,
    pub stop: Option<Stop>,
    pub destroy: Option<Destroy>,
    pub probe: Option<Probe>,
    pub save: Option<Save>,
    pub restore: Option<Restore>,
    pub extension: Option<Extension>,
}

#[repr(C)]
pub struct Plugin {
    pub struct_size: u32,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub service_count: u32,
    pub name: Str,
    pub version: Str,
    pub services: *const *const Service,
}

// Tables of functions and texts that are constant as long as the library is loaded.
unsafe impl Sync for Service {}
unsafe impl Sync for Plugin {}

pub type Entry = unsafe extern "C" fn(*const Host) -> *const Plugin;

pub const ENTRY_NAME: &str = "trigger_plugin_entry_v1";

/// The extension "trigger.clock/1", of `trigger/clock.h`.
#[repr(C)]
pub struct Clock {
    pub struct_size: u32,
    pub reserved: u32,
    pub ctx: *mut c_void,
    pub unix_ns: unsafe extern "C" fn(*mut c_void) -> i64,
    pub mono_ns: unsafe extern "C" fn(*mut c_void) -> u64,
}

impl Str {
    /// Borrows `text`.
    pub const fn of(text: &str) -> Str {
        Str { ptr: text.as_ptr() as *const c_char, len: text.len() }
    }

    /// The text; one U+FFFD if it is not UTF-8.
    ///
    /// # Safety
    /// `ptr` is NULL or points to `len` bytes that stay as they are for `'a`.
    pub unsafe fn as_str<'a>(self) -> &'a str {
        let bytes = Bytes { ptr: self.ptr as *const u8, len: self.len };
        std::str::from_utf8(bytes.as_slice()).unwrap_or("\u{FFFD}")
    }
}

impl Bytes {
    /// Borrows `bytes`.
    pub const fn of(bytes: &[u8]) -> Bytes {
        Bytes { ptr: bytes.as_ptr(), len: bytes.len() }
    }

    /// # Safety
    /// `ptr` is NULL or points to `len` bytes that stay as they are for `'a`.
    pub unsafe fn as_slice<'a>(self) -> &'a [u8] {
        if self.ptr.is_null() || self.len == 0 {
            return &[];
        }
        std::slice::from_raw_parts(self.ptr, self.len)
    }
}

impl Result {
    /// An empty result, as the host hands it over.
    pub fn empty() -> Result {
        Result {
            struct_size: std::mem::size_of::<Result>() as u32,
            code: OK,
            retry_after_ms: 0,
            reserved: 0,
            reason: [0; 256],
        }
    }

    /// The reason's text, up to its NUL.
    pub fn reason(&self) -> String {
        let end = self.reason.iter().position(|&byte| byte == 0).unwrap_or(self.reason.len());
        String::from_utf8_lossy(&self.reason[..end]).into_owned()
    }
}

/// Writes a reason: cut between characters, with each NUL replaced by `?`.
///
/// # Safety
/// `result` points to a `trigger_result` of ABI 1.0 or later.
pub unsafe fn write_reason(result: *mut Result, text: &str) {
    let into = std::ptr::addr_of_mut!((*result).reason) as *mut u8;
    let mut end = text.len().min(255);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    for (at, &byte) in text.as_bytes()[..end].iter().enumerate() {
        into.add(at).write(if byte == 0 { b'?' } else { byte });
    }
    into.add(end).write(0);
}
