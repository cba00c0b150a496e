//! @NAME@: adds up the numbers that arrive, and publishes the sum after every few of them. Short, and
//! shows everything that a service may have; take out what you do not need.

use std::ffi::{c_void, CStr};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Mutex;
use std::time::Duration;
use trigger_plugin::{
    export_plugin, Batch, Context, Error, Extension, HandleBatch, Message, Metric, Probe, Publish,
    Service, SettingError, State, Verdict,
};

pub struct Sum {
    context: Context,
    topic: String,
    every: i64,
    quiet: Duration,
    numbers_total: Metric,
    so_far: Mutex<SoFar>,
    shown: Total,
}

struct SoFar {
    count: i64,
    sum: i64,
    last_number: Duration, // on the context's monotonic clock
}

/// What the extension "sum.total/1" shows: an ability of its own, for who knows the id.
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
        let so_far = Mutex::new(SoFar { count: 0, sum: 0, last_number: context.monotonic() });
        let struct_size = std::mem::size_of::<Total>() as u32;
        let shown = Total { struct_size, reserved: 0, total: AtomicI64::new(0) };
        Ok(Sum { context, topic, every, quiet, numbers_total, so_far, shown })
    }

    fn handle(&self, message: Message<'_>) -> Verdict {
        self.take(&mut self.so_far.lock().unwrap(), message)
    }
}

// Optional: several messages at once, where one transaction is cheaper than many. Each has its own
// verdict; what is not answered comes again. A message that is alone goes to handle().
impl HandleBatch for Sum {
    fn handle_batch(&self, batch: &mut Batch<'_>) {
        let mut so_far = self.so_far.lock().unwrap();
        for at in 0..batch.len() {
            let verdict = self.take(&mut so_far, batch.message(at));
            batch.answer(at, verdict);
        }
    }
}

// Optional: is what the service depends on there? Context's clock is one that tests can move.
impl Probe for Sum {
    fn probe(&self) -> Result<(), Error> {
        if self.context.monotonic() - self.so_far.lock().unwrap().last_number > self.quiet {
            return Err("no number has come for a while".into());
        }
        Ok(())
    }
}

// Optional: what a successor needs, after a hot reload.
impl State for Sum {
    const VERSION: u32 = 1;

    fn save(&self) -> Result<Vec<u8>, Error> {
        let so_far = self.so_far.lock().unwrap();
        Ok(format!("{} {}", so_far.count, so_far.sum).into_bytes())
    }

    fn restore(&self, version: u32, state: &[u8]) -> Result<(), Error> {
        let text = std::str::from_utf8(state)?;
        let (count, sum) = match text.split_once(' ') {
            Some(parts) if version == Self::VERSION => parts,
            _ => return Err("that state is not mine".into()),
        };
        let mut so_far = self.so_far.lock().unwrap();
        so_far.count = count.parse()?;
        so_far.sum = sum.parse()?;
        self.shown.total.store(so_far.sum, Ordering::Relaxed);
        Ok(())
    }
}

// Optional: the service's own extension.
impl Extension for Sum {
    fn extension(&self, id: &CStr) -> *const c_void {
        if id.to_bytes() == b"sum.total/1" {
            &self.shown as *const Total as *const c_void
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
        self.add(so_far, number);
        if so_far.count % self.every != 0 {
            return Verdict::ok();
        }

        // Ok only once the server has the sum: until then the message is pending, and a failure
        // brings it back. The callback comes on another thread.
        let sum = so_far.sum.to_string();
        let completion = message.completion();
        let publish = Publish::new(&self.topic, sum.as_bytes());
        let sent = self.context.publish_then(&publish, move |outcome| {
            completion.complete(Verdict::from_publish(outcome));
        });
        match sent {
            Ok(()) => Verdict::pending(),
            Err(error) => Verdict::from_publish(Err(error)),
        }
    }

    fn add(&self, so_far: &mut SoFar, number: i64) {
        so_far.sum += number;
        so_far.count += 1;
        self.shown.total.store(so_far.sum, Ordering::Relaxed);
        so_far.last_number = self.context.monotonic();
        self.numbers_total.increment();
    }
}

fn parse(message: &Message<'_>) -> Result<i64, Verdict> {
    let number = message.text().ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| Verdict::reject("the payload must be a whole number"))
}

export_plugin! {
    name: "@NAME@",
    version: env!("CARGO_PKG_VERSION"),
    services: { "sum" => Sum },
}
