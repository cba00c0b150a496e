use crate::abi;
use crate::message::{Attempt, Message};
use crate::{Context, Error, Verdict};
use std::ffi::{c_void, CStr};
use std::marker::PhantomData;
use std::sync::Arc;

/// A service. The runtime makes one for each trigger that names it.
///
/// Its functions take `&self`: callbacks and threads of its own run beside them. What they change
/// stands behind a `Mutex` or in an atomic.
pub trait Service: Sized + Send + Sync + 'static {
    /// `handle` and `handle_batch` may be called by several workers at once.
    const CONCURRENT: bool = false;

    /// `handle` computes for microseconds and waits for nothing: no file, no network, no publish, no
    /// lock that others hold for longer; it uses no `thread_local!`, and starts no thread and no
    /// program. Then the runtime may call it on the thread that has read the message, on which the
    /// messages of all other triggers wait meanwhile.
    const BRIEF: bool = false;

    /// Reads and checks the settings. No threads and no network: this also runs when a
    /// configuration is only checked. [control]
    fn create(context: Context) -> Result<Self, Error>;

    /// Threads, connections. After an error it may come again. [control]
    fn start(&self) -> Result<(), Error> {
        Ok(())
    }

    /// One message. [worker]
    fn handle(&self, message: Message<'_>) -> Verdict;

    /// Undoes `start`: joins the service's own threads. `start` may come again. [control]
    fn stop(&self) {}
}

/// For services that write to a database or over a network.
pub trait HandleBatch: Service {
    /// Several messages at once. One that is not answered is a retry, also after a panic. [worker]
    fn handle_batch(&self, batch: &mut Batch<'_>);
}

/// For services that depend on something.
pub trait Probe: Service {
    /// Is it there? [worker]
    fn probe(&self) -> Result<(), Error>;
}

/// For services whose successor, after a reload, continues where they ended.
pub trait State: Service {
    /// Of what `save` writes.
    const VERSION: u32;
    /// The state of a stopped instance. [control]
    fn save(&self) -> Result<Vec<u8>, Error>;
    /// Takes over what a predecessor of `version` saved; an error if it cannot. [control]
    fn restore(&self, version: u32, state: &[u8]) -> Result<(), Error>;
}

/// For services with extensions of their own.
pub trait Extension: Service {
    /// The extension `id`, or NULL. What it points to lives as long as the service. [control]
    fn extension(&self, id: &CStr) -> *const c_void;
}

/// Several messages, each with a verdict of its own.
pub struct Batch<'a> {
    messages: *const *const abi::Message,
    attempts: &'a [Arc<Attempt>],
    verdicts: &'a mut [Option<Verdict>],
    life: PhantomData<&'a abi::Message>,
}

impl<'a> Batch<'a> {
    /// # Safety
    /// `messages` points to as many messages as there are attempts, which stay for `'a`.
    pub(crate) unsafe fn new(
        messages: *const *const abi::Message,
        attempts: &'a [Arc<Attempt>],
        verdicts: &'a mut [Option<Verdict>],
    ) -> Batch<'a> {
        Batch { messages, attempts, verdicts, life: PhantomData }
    }

    pub fn len(&self) -> usize {
        self.attempts.len()
    }
    pub fn is_empty(&self) -> bool {
        self.attempts.is_empty()
    }
    /// Panics if there is no message number `at`.
    pub fn message(&self, at: usize) -> Message<'a> {
        let attempt = &self.attempts[at];
        unsafe { Message::new(*self.messages.add(at), attempt) }
    }
    /// The first answer to a message counts.
    pub fn answer(&mut self, at: usize, verdict: Verdict) {
        let kept = &mut self.verdicts[at];
        if kept.is_none() {
            *kept = Some(verdict);
        }
    }
}
