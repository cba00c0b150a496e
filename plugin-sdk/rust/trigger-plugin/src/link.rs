//! The link to the host that an instance's Context, Messages and Completions share. Kept by them,
//! it may outlive the instance; by then it is closed, and their calls fail.

use crate::abi;
use crate::Level;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub(crate) struct Link {
    state: RwLock<State>,
}

struct State {
    host: *const abi::Host, // NULL once the instance is destroyed
    started: bool,          // complete, extend and publish may be called
}

// The host's functions may be called from any thread.
unsafe impl Send for State {}
unsafe impl Sync for State {}

impl Link {
    pub fn new(host: *const abi::Host) -> Link {
        Link { state: RwLock::new(State { host, started: false }) }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_started(&self, started: bool) {
        self.write().started = started;
    }

    /// The host's table is gone from now on. Waits for calls of it that are under way.
    pub fn close(&self) {
        let mut state = self.write();
        state.started = false;
        state.host = std::ptr::null();
    }

    /// Calls the host, or returns `otherwise` if it is gone. The host never calls the plugin back
    /// from inside, so holding the lock during the call cannot deadlock.
    pub fn call<T>(&self, otherwise: T, call: impl FnOnce(*const abi::Host) -> T) -> T {
        let state = self.read();
        if state.host.is_null() {
            return otherwise;
        }
        call(state.host)
    }

    /// The same, while the instance is started.
    pub fn call_started<T>(&self, otherwise: T, call: impl FnOnce(*const abi::Host) -> T) -> T {
        let state = self.read();
        if state.host.is_null() || !state.started {
            return otherwise;
        }
        call(state.host)
    }

    pub fn log(&self, level: Level, text: &str) {
        self.call((), |host| unsafe {
            ((*host).log)((*host).ctx, level as u32, abi::Str::of(text))
        })
    }
}
