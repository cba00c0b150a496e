//! @NAME@: adds up the numbers that arrive, and publishes the sum after every few of them. Short,
//! and shows everything that a service may have; take out what you do not need.
//!
//! A message comes again after every verdict but ok and reject. So the service counts a number only
//! when nothing can fail any more: one whose sum has to be published counts once the server has it.

use std::collections::HashMap;
use std::ffi::{c_void, CStr};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use trigger_plugin::{
    export_plugin, Batch, Completion, Context, Error, Extension, HandleBatch, Message, Metric, Probe,
    Publish, PublishError, Service, SettingError, State, Verdict,
};

const LARGEST: i64 = 999_999_999_999; // number accepted; sums of such numbers do not overflow

pub struct Sum {
    topic: String,
    every: i64,
    quiet: Duration,
    shared: Arc<Shared>,
}

/// What the callbacks of publishes use too, on another thread.
struct Shared {
    context: Context,
    numbers_total: Metric,
    so_far: Mutex<SoFar>,
    shown: Total,
}

struct SoFar {
    unpublished: i64, // numbers counted since the server got a sum
    sum: i64,         // of the numbers counted
    last_number: Duration, // on the context's monotonic clock
    waiting: HashMap<String, Waiting>, // by the id of the message
    last_attempt: u64,
}

/// A number whose sum is on its way to the server.
struct Waiting {
    attempt: u64, // the latest one at its message
    number: i64,
}

/// What the extension "sum.total/1" points to, for whoever knows its id.
#[repr(C)]
pub struct Total {
    struct_size: u32,
    reserved: u32,
    total: AtomicI64,
}

impl Service for Sum {
    // Reads and checks the settings: no threads, no network.
    fn create(context: Context) -> Result<Self, Error> {
        let settings = context.settings();
        settings.require_known(&["topic", "every", "quiet_seconds"])?;
        let topic = settings.text("topic")?;
        let every = settings.integer_or("every", 10)?;
        if every < 1 {
            return Err(SettingError::new("every", "must be 1 or more").into());
        }
        let quiet = Duration::from_secs(settings.integer_or("quiet_seconds", 60)?.try_into()?);
        let numbers_total = context.counter("numbers_total", "Numbers that were added")?;
        let so_far = Mutex::new(SoFar {
            unpublished: 0,
            sum: 0,
            last_number: context.monotonic(),
            waiting: HashMap::new(),
            last_attempt: 0,
        });
        let struct_size = std::mem::size_of::<Total>() as u32;
        let shown = Total { struct_size, reserved: 0, total: AtomicI64::new(0) };
        let shared = Arc::new(Shared { context, numbers_total, so_far, shown });
        Ok(Sum { topic, every, quiet, shared })
    }

    fn handle(&self, message: Message<'_>) -> Verdict {
        self.take(&mut self.shared.lock(), message)
    }
}

// Optional: several messages at once, if one transaction is cheaper than many. Each has its own
// verdict; one without an answer comes again. A message that is alone goes to handle().
impl HandleBatch for Sum {
    fn handle_batch(&self, batch: &mut Batch<'_>) {
        let mut so_far = self.shared.lock();
        for at in 0..batch.len() {
            let verdict = self.take(&mut so_far, batch.message(at));
            batch.answer(at, verdict);
        }
    }
}

// Optional: checks whether what the service depends on is available. Tests can move Context's
// clock.
impl Probe for Sum {
    fn probe(&self) -> Result<(), Error> {
        if self.shared.context.monotonic() - self.shared.lock().last_number > self.quiet {
            return Err("no number has come for a while".into());
        }
        Ok(())
    }
}

// Optional: the state that a successor takes over, after a hot reload.
impl State for Sum {
    const VERSION: u32 = 1;

    fn save(&self) -> Result<Vec<u8>, Error> {
        let so_far = self.shared.lock();
        Ok(format!("{} {}", so_far.unpublished, so_far.sum).into_bytes())
    }

    fn restore(&self, version: u32, state: &[u8]) -> Result<(), Error> {
        let text = std::str::from_utf8(state)?;
        let (unpublished, sum) = match text.split_once(' ') {
            Some(parts) if version == Self::VERSION => parts,
            _ => return Err("the state is not from this service".into()),
        };
        let mut so_far = self.shared.lock();
        so_far.unpublished = unpublished.parse()?;
        so_far.sum = sum.parse()?;
        self.shared.shown.total.store(so_far.sum, Ordering::Relaxed);
        Ok(())
    }
}

// Optional: the service's own extension.
impl Extension for Sum {
    fn extension(&self, id: &CStr) -> *const c_void {
        if id.to_bytes() == b"sum.total/1" {
            &self.shared.shown as *const Total as *const c_void
        } else {
            std::ptr::null()
        }
    }
}

impl Sum {
    fn take(&self, so_far: &mut SoFar, message: Message<'_>) -> Verdict {
        let number = match parse(&message) {
            Ok(number) => number,
            Err(verdict) => return verdict,
        };
        // An attempt that ran out of time: this one replaces it.
        so_far.waiting.remove(message.id());
        if so_far.unpublished + so_far.waiting.len() as i64 + 1 >= self.every {
            return self.publish(so_far, message, number);
        }
        self.shared.count(so_far, number);
        so_far.unpublished += 1;
        Verdict::ok()
    }

    /// Pending, until the server has the sum. A failure brings the message back, and then its
    /// number has not been counted.
    fn publish(&self, so_far: &mut SoFar, message: Message<'_>, number: i64) -> Verdict {
        let waiting: i64 = so_far.waiting.values().map(|other| other.number).sum();
        let sum = (so_far.sum + waiting + number).to_string();
        so_far.last_attempt += 1;
        let attempt = so_far.last_attempt;
        let id = message.id().to_string();
        let (shared, completion) = (self.shared.clone(), message.completion());
        let publish = Publish::new(&self.topic, sum.as_bytes());
        // The callback is called on another thread, and before stop() has returned.
        let sent = self.shared.context.publish_then(&publish, move |outcome| {
            shared.published(&id, attempt, completion, outcome);
        });
        match sent {
            Ok(()) => {
                so_far.waiting.insert(message.id().to_string(), Waiting { attempt, number });
                Verdict::pending()
            }
            Err(error) => Verdict::from_publish(Err(error)),
        }
    }
}

impl Shared {
    /// A panic while a mutex is locked poisons it for good. What this one guards is consistent all
    /// the same, since nothing can panic between its changes; so one bad message does not stop the
    /// service.
    fn lock(&self) -> MutexGuard<'_, SoFar> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn published(
        &self,
        id: &str,
        attempt: u64,
        completion: Completion,
        outcome: Result<(), PublishError>,
    ) {
        let mut so_far = self.lock();
        let ok = outcome.is_ok();
        // False: the attempt was over, for example past its deadline, and the message comes again.
        let in_time = completion.complete(Verdict::from_publish(outcome));
        if so_far.waiting.get(id).map_or(true, |waiting| waiting.attempt != attempt) {
            return;
        }
        let waiting = so_far.waiting.remove(id);
        if let (true, Some(Waiting { number, .. })) = (ok && in_time, waiting) {
            self.count(&mut so_far, number);
            so_far.unpublished = 0;
        }
    }

    fn count(&self, so_far: &mut SoFar, number: i64) {
        so_far.sum += number;
        self.shown.total.store(so_far.sum, Ordering::Relaxed);
        so_far.last_number = self.context.monotonic();
        self.numbers_total.increment();
    }
}

/// The number, or a verdict: a payload that is none now is none the next time either.
fn parse(message: &Message<'_>) -> Result<i64, Verdict> {
    let number = message.text().ok().and_then(|text| text.parse().ok());
    match number {
        Some(number) if (-LARGEST..=LARGEST).contains(&number) => Ok(number),
        _ => Err(Verdict::reject("the payload must be a whole number of at most 12 digits")),
    }
}

export_plugin! {
    name: "@NAME@",
    version: env!("CARGO_PKG_VERSION"),
    services: { "sum" => Sum },
}
