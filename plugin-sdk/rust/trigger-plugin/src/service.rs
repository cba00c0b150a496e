use crate::abi;
use crate::message::{Attempt, Message};
use crate::{Context, Error, Verdict};
use std::ffi::{c_void, CStr};
use std::marker::PhantomData;
use std::sync::Arc;

/// A service. The runtime makes one for each trigger that names it.
///
/// Its functions take `&self`, since callbacks and threads of its own run beside them: what they
/// change has to be in a `Mutex` or an atomic.
pub trait Service: Sized + Send + Sync + 'static {
    /// `handle` and `handle_batch` may be called by several workers at once.
    const CONCURRENT: bool = false;

    /// `handle` computes for microseconds and waits for nothing: no file, no network, no publish,
    /// no lock that others hold for longer; it uses no `thread_local!`, and starts no thread and no
    /// program. Then the runtime may call it on the thread that has read the message; meanwhile the
    /// messages of all other triggers wait.
    const BRIEF: bool = false;

    /// Reads and checks the settings. No threads and no network: this also runs when a
    /// configuration is only checked. [control]
    fn create(context: Context) -> Result<Self, Error>;

    /// Begins threads, connections. After an error it is called again later. [control]
    fn start(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Handles one message, one at a time unless `CONCURRENT`. [worker]
    fn handle(&self, message: Message<'_>) -> Verdict;

    /// Undoes `start`: joins the service's own threads. `start` may be called again. [control]
    fn stop(&self) {}
}

/// For services that write to a database or over a network.
pub trait HandleBatch: Service {
    /// Handles several messages at once. A message without an answer is retried, also after a
    /// panic. [worker]
    fn handle_batch(&self, batch: &mut Batch<'_>);
}

/// For services that depend on something.
pub trait Probe: Service {
    /// Checks whether that is available; an error says why not. [worker]
    fn probe(&self) -> Result<(), Error>;
}

/// For services whose successor, after a reload, continues where they ended.
pub trait State: Service {
    /// The version of what `save` returns.
    const VERSION: u32;
    /// The state of a stopped instance. [control]
    fn save(&self) -> Result<Vec<u8>, Error>;
    /// Takes over what a predecessor of `version` saved; an error if it cannot. [control]
    fn restore(&self, version: u32, state: &[u8]) -> Result<(), Error>;
}

/// For services with extensions of their own.
pub trait Extension: Service {
    /// The extension `id`, or NULL. What it points to has to live as long as the service. [control]
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
    /// Message number `at`, from 0. Panics if there is none.
    pub fn message(&self, at: usize) -> Message<'a> {
        let attempt = &self.attempts[at];
        unsafe { Message::new(*self.messages.add(at), attempt) }
    }
    /// Gives the verdict on message number `at`, from 0. The first one counts. Panics if there is
    /// no such message.
    pub fn answer(&mut self, at: usize, verdict: Verdict) {
        let kept = &mut self.verdicts[at];
        if kept.is_none() {
            *kept = Some(verdict);
        }
    }
}
