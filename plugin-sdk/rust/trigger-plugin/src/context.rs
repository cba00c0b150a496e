use crate::abi;
use crate::link::Link;
use crate::message::{property, time_at, Message, Property};
use crate::publish::{self, Publish, PublishError};
use crate::{Error, Level, Settings};
use std::ffi::{c_void, CStr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// What the host offers a service. A service is created with one, and keeps it if it needs the host
/// later. Clones are cheap, belong to the same instance, and may be used from any thread.
#[derive(Clone)]
pub struct Context {
    link: Arc<Link>,
    origin: Arc<Origin>,
}

/// What an instance was made from.
struct Origin {
    settings: Settings,
    trigger: String,
    alias: String,
    concurrency: u32,
}

impl Context {
    /// # Safety
    /// `config` points to a `trigger_instance_config` that is valid for this call.
    pub(crate) unsafe fn new(link: Arc<Link>, config: *const abi::InstanceConfig) -> Context {
        let origin = Arc::new(Origin {
            settings: Settings::copy(config),
            trigger: (*config).trigger.as_str().to_string(),
            alias: (*config).alias.as_str().to_string(),
            concurrency: (*config).concurrency,
        });
        Context { link, origin }
    }

    pub fn settings(&self) -> &Settings {
        &self.origin.settings
    }
    /// The name of the trigger.
    pub fn trigger(&self) -> &str {
        &self.origin.trigger
    }
    /// The name of its connection alias.
    pub fn alias(&self) -> &str {
        &self.origin.alias
    }
    /// The most calls of `handle` and `handle_batch` at once. A pending message still takes the
    /// place of its call, or its place in a batch.
    pub fn concurrency(&self) -> u32 {
        self.origin.concurrency
    }

    /// Whether a line of this level would be written.
    pub fn log_enabled(&self, level: Level) -> bool {
        self.link
            .call(false, |host| unsafe { ((*host).log_enabled)((*host).ctx, level as u32) != 0 })
    }
    pub fn log(&self, level: Level, text: &str) {
        self.link.log(level, text)
    }
    pub fn trace(&self, text: &str) {
        self.log(Level::Trace, text)
    }
    pub fn debug(&self, text: &str) {
        self.log(Level::Debug, text)
    }
    pub fn info(&self, text: &str) {
        self.log(Level::Info, text)
    }
    pub fn warn(&self, text: &str) {
        self.log(Level::Warn, text)
    }
    pub fn error(&self, text: &str) {
        self.log(Level::Error, text)
    }

    /// The time, which a test can set, on the clock of
    /// [`Message::received`](crate::Message::received).
    pub fn now(&self) -> SystemTime {
        self.clock().map_or_else(SystemTime::now, |clock| unsafe {
            time_at(((*clock).unix_ns)((*clock).ctx))
        })
    }
    /// CLOCK_MONOTONIC, which a test can set: for measuring durations.
    pub fn monotonic(&self) -> Duration {
        self.clock().map_or_else(system_monotonic, |clock| unsafe {
            Duration::from_nanos(((*clock).mono_ns)((*clock).ctx))
        })
    }

    /// Publishes without reporting the result. `Ok`: it is on its way; otherwise nothing was sent.
    /// [any; started]
    pub fn publish(&self, message: &Publish<'_>) -> Result<(), PublishError> {
        publish::publish(&self.link, message)
    }

    /// The same, and if it returned `Ok`, `done` is called exactly once: with `Ok` when the
    /// server has the message, otherwise with the error. It is called on the plugin's completions
    /// thread, perhaps before this has returned, and must not block. If this returned an error,
    /// `done` was dropped without being called. [any; started]
    pub fn publish_then<Done>(&self, message: &Publish<'_>, done: Done) -> Result<(), PublishError>
    where
        Done: FnOnce(Result<(), PublishError>) + Send + 'static,
    {
        publish::publish_then(&self.link, message, done)
    }

    /// Answers an MQTT 5 request: publishes `payload` with QoS 1 on the response topic that
    /// `request` names, with its correlation data, through the trigger's own alias. An error also
    /// if it names none, and so is not a request. [any; started]
    pub fn reply(&self, request: &Message<'_>, payload: &[u8]) -> Result<(), PublishError> {
        let topic = request.response_topic().ok_or_else(PublishError::no_request)?;
        let correlation = correlation_of(request);
        self.publish(&Publish::new(topic, payload).properties(&correlation))
    }

    /// The same, with `done` as for [`publish_then`](Context::publish_then). If the message is not
    /// a request, `done` is dropped without being called.
    pub fn reply_then<Done>(
        &self,
        request: &Message<'_>,
        payload: &[u8],
        done: Done,
    ) -> Result<(), PublishError>
    where
        Done: FnOnce(Result<(), PublishError>) + Send + 'static,
    {
        let topic = request.response_topic().ok_or_else(PublishError::no_request)?;
        let correlation = correlation_of(request);
        let answer = Publish::new(topic, payload).properties(&correlation);
        self.publish_then(&answer, done)
    }

    /// Creates a counter, a number that only grows, or finds it if the service has one of that
    /// name; the runtime adds labels for plugin and trigger. An error if the name or `help` is
    /// invalid, the name has another kind, or there are too many. [any; in create or later]
    pub fn counter(&self, name: &str, help: &str) -> Result<Metric, Error> {
        self.metric(name, abi::METRIC_COUNTER, help)
    }
    /// The same for a gauge, a number that goes up and down.
    pub fn gauge(&self, name: &str, help: &str) -> Result<Metric, Error> {
        self.metric(name, abi::METRIC_GAUGE, help)
    }

    /// The host's extension `id`, or NULL if this runtime has none. The extension's own header says
    /// what it points to, and how to use that safely.
    pub fn extension(&self, id: &CStr) -> *const c_void {
        let absent = std::ptr::null();
        self.link.call(absent, |host| unsafe { ((*host).extension)((*host).ctx, id.as_ptr()) })
    }

    fn clock(&self) -> Option<*const abi::Clock> {
        let id = unsafe { CStr::from_bytes_with_nul_unchecked(b"trigger.clock/1\0") };
        let clock = self.extension(id) as *const abi::Clock;
        if clock.is_null() {
            None
        } else {
            Some(clock)
        }
    }

    fn metric(&self, name: &str, kind: u32, help: &str) -> Result<Metric, Error> {
        let mut id = 0;
        let (text, explained) = (abi::Str::of(name), abi::Str::of(help));
        let code = self.link.call(abi::E_STATE, |host| unsafe {
            ((*host).metric)((*host).ctx, text, kind, explained, &mut id)
        });
        let why = match code {
            abi::OK => return Ok(Metric { link: self.link.clone(), id }),
            abi::E_FULL => "the plugin has too many",
            abi::E_STATE => "the instance is gone",
            _ => "its name or kind is wrong, or is taken by another kind",
        };
        Err(format!("metric \"{}\" cannot be created: {}", name, why).into())
    }
}

/// A counter or a gauge of the service. Clones stand for the same metric. [any; in create or later]
#[derive(Clone)]
pub struct Metric {
    link: Arc<Link>,
    id: u64,
}

impl Metric {
    /// False if nothing was added: the value is not finite, or is below 0 for a counter.
    pub fn add(&self, value: f64) -> bool {
        self.link.call(false, |host| unsafe {
            ((*host).metric_add)((*host).ctx, self.id, value) == abi::OK
        })
    }
    pub fn increment(&self) {
        self.add(1.0);
    }
}

fn correlation_of<'a>(request: &Message<'a>) -> Vec<Property<'a>> {
    request.property(property::CORRELATION_DATA).into_iter().collect()
}

fn system_monotonic() -> Duration {
    #[repr(C)]
    struct Timespec {
        seconds: i64,
        nanoseconds: i64,
    }
    extern "C" {
        fn clock_gettime(clock: i32, into: *mut Timespec) -> i32;
    }
    const CLOCK_MONOTONIC: i32 = 1;
    let mut now = Timespec { seconds: 0, nanoseconds: 0 };
    unsafe { clock_gettime(CLOCK_MONOTONIC, &mut now) };
    Duration::new(now.seconds as u64, now.nanoseconds as u32)
}
