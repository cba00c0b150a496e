//! Makes sure that no panic leaves a function that the runtime calls.

use crate::abi;
use crate::{Error, Level};
use std::cell::{Cell, RefCell};
use std::fmt::{self, Write};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicPtr, Ordering};

// Thread-locals without a destructor: one with a destructor would keep the library mapped as long
// as the runtime's thread lives.
thread_local! {
    static INSIDE: Cell<u32> = const { Cell::new(0) };
    static PANIC: RefCell<Text> = const { RefCell::new(Text::EMPTY) };
}

static PLUGIN_HOST: AtomicPtr<abi::Host> = AtomicPtr::new(std::ptr::null_mut());

struct Text {
    len: usize,
    bytes: [u8; 512],
}

impl Text {
    const EMPTY: Text = Text { len: 0, bytes: [0; 512] };

    fn to_text(&self) -> String {
        String::from_utf8_lossy(&self.bytes[..self.len]).into_owned()
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let size = text.len().min(self.bytes.len() - self.len);
        self.bytes[self.len..self.len + size].copy_from_slice(&text.as_bytes()[..size]);
        self.len += size;
        Ok(())
    }
}

/// What every plugin does first: from now on a panic inside a call by the runtime becomes that
/// call's result, and one on a thread of the plugin's own becomes a log line.
pub fn enter(host: *const abi::Host) {
    PLUGIN_HOST.store(host as *mut abi::Host, Ordering::Release);
    // A closure without captures takes no memory, so none is left behind when the library goes.
    std::panic::set_hook(Box::new(|info| {
        let mut text = Text::EMPTY;
        let payload = info.payload();
        let message = match payload.downcast_ref::<&str>() {
            Some(message) => message,
            None => payload.downcast_ref::<String>().map_or("a panic", String::as_str),
        };
        let _ = write!(text, "{}", message);
        if let Some(place) = info.location() {
            let _ = write!(text, " ({}:{})", place.file(), place.line());
        }
        if INSIDE.with(Cell::get) > 0 {
            PANIC.with(|last| *last.borrow_mut() = text);
        } else {
            let text = text.to_text();
            eprintln!("panic: {}", text);
            log_of_plugin(Level::Error, &text);
        }
    }));
}

fn log_of_plugin(level: Level, text: &str) {
    let host = PLUGIN_HOST.load(Ordering::Acquire);
    if !host.is_null() {
        // The host's table for the plugin lives as long as the library.
        unsafe { ((*host).log)((*host).ctx, level as u32, abi::Str::of(text)) }
    }
}

/// Runs `call`. If it panics, the error is the panic's text and place.
pub fn catch<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    INSIDE.with(|inside| inside.set(inside.get() + 1));
    let outcome = catch_unwind(AssertUnwindSafe(call));
    let failed = outcome.map_err(|payload| {
        // The panic's payload may itself panic when it is dropped.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(payload)));
        PANIC.with(|last| std::mem::replace(&mut *last.borrow_mut(), Text::EMPTY).to_text())
    });
    INSIDE.with(|inside| inside.set(inside.get() - 1));
    failed
}

/// Runs `call` and returns the code that says how it went; the reason goes to `error`.
///
/// # Safety
/// `error` points to a `trigger_result` of ABI 1.0 or later.
pub unsafe fn code_of(error: *mut abi::Result, call: impl FnOnce() -> Result<(), Error>) -> i32 {
    let outcome = catch(|| call().map_err(|error| error.to_string()));
    match outcome.unwrap_or_else(Err) {
        Ok(()) => abi::OK,
        Err(reason) => {
            abi::write_reason(error, &reason);
            abi::E_FAILED
        }
    }
}
