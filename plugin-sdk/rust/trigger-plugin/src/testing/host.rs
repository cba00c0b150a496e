use super::message::{Message, MessageMemory, OwnedProperty};
use crate::abi;
use crate::Level;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{c_void, CStr};
use std::os::raw::c_char;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// A verdict. While an attempt is pending, its code is `abi::PENDING`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: i32,
    pub retry_after_ms: u32,
    pub reason: String,
}

impl Answer {
    pub(super) fn of(code: i32, result: &abi::Result) -> Answer {
        Answer { code, retry_after_ms: result.retry_after_ms, reason: result.reason() }
    }
    fn retry(reason: &str) -> Answer {
        Answer { code: abi::RETRY, retry_after_ms: 0, reason: reason.to_string() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub level: Level,
    pub text: String,
}

/// A message that the service published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub alias: String,
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u32,
    pub retain: bool,
    pub properties: Vec<OwnedProperty>,
    /// It was published with a `done`.
    pub wants_result: bool,
}

struct Attempt {
    memory: Option<Box<MessageMemory>>, // freed as soon as the ABI allows it
    answer: Option<Answer>,
    returned: bool, // from handle
    deadline_ns: u64,
    extended: Option<Duration>,
}

struct Pending {
    message: Published,
    done: Option<abi::PublishDone>,
    user: *mut c_void,
    finished: bool,
}

struct Metric {
    name: String,
    kind: u32,
    value: f64,
}

/// As far as the host's functions differ. `E_STATE` is the service's mistake only where it is not
/// started: in the others, a thread of the service cannot know that a stop has begun.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    NotStarted,
    Started,
    Stopping,
}

#[derive(Default)]
struct Seen {
    state: State,
    unix_ns: i64,
    mono_ns: u64,
    attempts: BTreeMap<u64, Attempt>,
    refusal: i32,
    publishes: Vec<Pending>,
    log: Vec<LogLine>,
    metrics: Vec<Metric>,
    violations: Vec<String>,
    extensions: HashMap<Vec<u8>, *const c_void>,
    without_clock: bool,
}

/// The host that a service under test sees. It does not move: its table points to it.
pub(super) struct Host {
    pub table: abi::Host,
    clock: abi::Clock,
    seen: Mutex<Seen>,
    changed: Condvar,
}

// What it points to is the test's, and is used under the mutex.
unsafe impl Send for Host {}
unsafe impl Sync for Host {}

impl Host {
    pub fn new() -> Arc<Host> {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let seen = Seen {
            unix_ns: since_1970.unwrap_or_default().as_nanos() as i64,
            mono_ns: 1_000_000_000_000,
            ..Seen::default()
        };
        let ctx = std::ptr::null_mut();
        let mut host = Arc::new(Host {
            table: abi::Host {
                struct_size: std::mem::size_of::<abi::Host>() as u32,
                abi_major: abi::ABI_MAJOR,
                abi_minor: abi::ABI_MINOR,
                reserved: 0,
                ctx,
                complete,
                extend,
                publish,
                log_enabled,
                log,
                metric,
                metric_add,
                extension,
            },
            clock: abi::Clock {
                struct_size: std::mem::size_of::<abi::Clock>() as u32,
                reserved: 0,
                ctx,
                unix_ns,
                mono_ns,
            },
            seen: Mutex::new(seen),
            changed: Condvar::new(),
        });
        let ctx = Arc::as_ptr(&host) as *mut c_void;
        let tables = Arc::get_mut(&mut host).expect("nobody else has it yet");
        tables.table.ctx = ctx;
        tables.clock.ctx = ctx;
        host
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_state(&self, state: State) {
        self.seen().state = state;
    }

    /// Before start is called.
    pub fn starting(&self) {
        self.set_state(State::Started);
    }

    /// start has failed: cancels what it has published.
    pub fn start_failed(&self) {
        self.set_state(State::Stopping);
        self.cancel_publishes();
        self.set_state(State::NotStarted);
    }

    /// Before stop is called, in the runtime's order: revokes what is pending, refuses new
    /// publishes and cancels those under way. A service that completes a revoked attempt gets
    /// `E_STALE`; its message stays valid until then, or until `stopped`.
    pub fn stopping(&self) {
        let mut seen = self.seen();
        for attempt in seen.attempts.values_mut() {
            attempt.answer.get_or_insert_with(|| Answer::retry("revoked: the instance stopped"));
        }
        seen.state = State::Stopping;
        drop(seen);
        self.changed.notify_all();
        self.cancel_publishes();
    }

    /// stop has returned: frees the messages that are left.
    pub fn stopped(&self) {
        let mut seen = self.seen();
        seen.state = State::NotStarted;
        for attempt in seen.attempts.values_mut() {
            attempt.memory = None;
        }
    }

    pub fn open(&self, mut content: Message, trigger: &str) -> (u64, *const abi::Message) {
        let mut seen = self.seen();
        let token = seen.attempts.len() as u64 + 1;
        if content.id.is_empty() {
            content.id = format!("test-{}", token);
        }
        let memory = MessageMemory::new(content, trigger, token, seen.unix_ns, seen.mono_ns);
        let raw: *const abi::Message = &memory.raw;
        let deadline_ns = memory.raw.deadline_mono_ns;
        let memory = Some(memory);
        let attempt =
            Attempt { memory, answer: None, returned: false, deadline_ns, extended: None };
        seen.attempts.insert(token, attempt);
        (token, raw)
    }

    /// handle has returned `answer`.
    pub fn returned(&self, token: u64, answer: Answer) {
        let mut seen = self.seen();
        let attempt = seen.attempts.get_mut(&token).expect("it was opened");
        attempt.returned = true;
        if answer.code != abi::PENDING {
            let completed = attempt.answer.is_some();
            attempt.answer.get_or_insert(answer);
            if completed {
                seen.violation("an attempt was completed, but handle did not return PENDING");
            }
        }
        seen.bury(token);
        self.changed.notify_all();
    }

    pub fn expire(&self, token: u64) {
        let mut seen = self.seen();
        if let Some(attempt) = seen.attempts.get_mut(&token) {
            attempt.answer.get_or_insert_with(|| Answer::retry("its deadline has passed"));
        }
        self.changed.notify_all();
    }

    pub fn advance(&self, by: Duration) {
        let mut seen = self.seen();
        seen.unix_ns += by.as_nanos() as i64;
        seen.mono_ns += by.as_nanos() as u64;
        let now = seen.mono_ns;
        for attempt in seen.attempts.values_mut().filter(|attempt| attempt.deadline_ns <= now) {
            attempt.answer.get_or_insert_with(|| Answer::retry("its deadline has passed"));
        }
        self.changed.notify_all();
    }

    pub fn answer(&self, token: u64) -> Option<Answer> {
        self.seen().attempts.get(&token).and_then(|attempt| attempt.answer.clone())
    }
    pub fn extended(&self, token: u64) -> Option<Duration> {
        self.seen().attempts.get(&token).and_then(|attempt| attempt.extended)
    }

    /// Waits until `found` finds something; panics with `what` after ten seconds.
    fn wait<T>(&self, what: &str, found: impl Fn(&Seen) -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_secs(10);
        let mut seen = self.seen();
        loop {
            if let Some(value) = found(&seen) {
                return value;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(left > Duration::ZERO, "{}", what);
            let woken = self.changed.wait_timeout(seen, left);
            seen = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
    pub fn wait_answer(&self, token: u64) -> Answer {
        self.wait("no verdict came", |seen| {
            seen.attempts.get(&token).and_then(|attempt| attempt.answer.clone())
        })
    }
    pub fn wait_publishes(&self, count: usize) {
        self.wait("the publish did not come", |seen| {
            if seen.publishes.len() >= count {
                Some(())
            } else {
                None
            }
        })
    }

    pub fn refuse_publishes(&self, code: i32) {
        self.seen().refusal = code;
    }
    pub fn publishes(&self) -> Vec<Published> {
        self.seen().publishes.iter().map(|pending| pending.message.clone()).collect()
    }

    /// Reports the result of publish number `at` to the service, on a separate thread.
    pub fn finish_publish(&self, at: usize, code: i32, reason: &str) {
        let (done, user) = {
            let mut seen = self.seen();
            let pending = seen.publishes.get_mut(at).expect("there is no such publish");
            assert!(!pending.finished, "that publish is finished");
            pending.finished = true;
            (pending.done, pending.user as usize)
        };
        if let Some(done) = done {
            let reason = reason.to_string();
            let call = move || unsafe { done(user as *mut c_void, code, abi::Str::of(&reason)) };
            std::thread::spawn(call).join().expect("done does not panic");
        }
    }
    /// Each that is not finished. `State::Stopping` lets no more come.
    fn cancel_publishes(&self) {
        let open = |seen: &Seen| seen.publishes.iter().position(|pending| !pending.finished);
        loop {
            let next = open(&self.seen());
            match next {
                Some(at) => self.finish_publish(at, abi::E_CANCELLED, "the instance stops"),
                None => return,
            }
        }
    }

    pub fn offer(&self, id: &str, what: *const c_void) {
        let mut seen = self.seen();
        seen.without_clock |= id == "trigger.clock/1" && what.is_null();
        seen.extensions.insert(id.as_bytes().to_vec(), what);
    }

    pub fn log_lines(&self) -> Vec<LogLine> {
        self.seen().log.clone()
    }
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.seen().metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }
    pub fn violations(&self) -> Vec<String> {
        self.seen().violations.clone()
    }
}

impl Seen {
    fn violation(&mut self, what: &str) {
        self.violations.push(what.to_string());
    }

    /// Frees the message once handle has returned and the verdict is known.
    fn bury(&mut self, token: u64) {
        if let Some(attempt) = self.attempts.get_mut(&token) {
            if attempt.returned && attempt.answer.is_some() {
                attempt.memory = None;
            }
        }
    }
}

unsafe fn host<'a>(ctx: *mut c_void) -> &'a Host {
    &*(ctx as *const Host)
}

unsafe extern "C" fn complete(ctx: *mut c_void, token: u64, result: *const abi::Result) -> i32 {
    let host = host(ctx);
    let mut seen = host.seen();
    if seen.state == State::NotStarted {
        seen.violation("complete was called when the instance was not started");
        return abi::E_STATE;
    }
    let code = (*result).code;
    if ![abi::OK, abi::RETRY, abi::REJECT, abi::UNAVAILABLE].contains(&code) {
        seen.violation("complete was called with a code that is not a final verdict");
        return abi::E_INVALID;
    }
    let stale = match seen.attempts.get_mut(&token) {
        None => return abi::E_STALE,
        Some(attempt) => {
            let stale = attempt.answer.is_some();
            attempt.answer.get_or_insert_with(|| Answer::of(code, &*result));
            stale
        }
    };
    seen.bury(token);
    host.changed.notify_all();
    if stale {
        abi::E_STALE
    } else {
        abi::OK
    }
}

unsafe extern "C" fn extend(ctx: *mut c_void, token: u64, ms: u32) -> i32 {
    let mut seen = host(ctx).seen();
    if seen.state == State::NotStarted {
        seen.violation("extend was called when the instance was not started");
        return abi::E_STATE;
    }
    let now = seen.mono_ns;
    match seen.attempts.get_mut(&token) {
        Some(attempt) if attempt.answer.is_none() => {
            attempt.extended = Some(Duration::from_millis(u64::from(ms)));
            attempt.deadline_ns = now + u64::from(ms) * 1_000_000;
            abi::OK
        }
        _ => abi::E_STALE,
    }
}

unsafe extern "C" fn publish(ctx: *mut c_void, request: *const abi::Publish) -> i32 {
    let host = host(ctx);
    let request = &*request;
    let mut seen = host.seen();
    if seen.state == State::NotStarted {
        seen.violation("publish was called when the instance was not started");
    }
    if seen.state != State::Started {
        return abi::E_STATE;
    }
    if seen.refusal != abi::OK {
        return seen.refusal;
    }
    let topic = request.topic.as_str();
    if topic.is_empty() || topic.contains(&['+', '#'][..]) || request.qos > 2 {
        return abi::E_INVALID;
    }
    let property = |at| {
        let property: abi::Property = *request.properties.add(at);
        OwnedProperty {
            id: property.id,
            number: property.number,
            name: property.name.as_str().to_string(),
            value: property.value.as_slice().to_vec(),
        }
    };
    let message = Published {
        alias: request.alias.as_str().to_string(),
        topic: topic.to_string(),
        payload: request.payload.as_slice().to_vec(),
        qos: request.qos,
        retain: request.flags & abi::PUBLISH_RETAIN != 0,
        properties: (0..request.property_count).map(property).collect(),
        wants_result: request.done.is_some(),
    };
    let (done, user) = (request.done, request.user);
    seen.publishes.push(Pending { message, done, user, finished: false });
    host.changed.notify_all();
    abi::OK
}

unsafe extern "C" fn log_enabled(_: *mut c_void, _: u32) -> i32 {
    1
}

unsafe extern "C" fn log(ctx: *mut c_void, level: u32, text: abi::Str) {
    let level = match level {
        abi::LOG_TRACE => Level::Trace,
        abi::LOG_DEBUG => Level::Debug,
        abi::LOG_INFO => Level::Info,
        abi::LOG_WARN => Level::Warn,
        _ => Level::Error,
    };
    host(ctx).seen().log.push(LogLine { level, text: text.as_str().to_string() });
}

unsafe extern "C" fn metric(
    ctx: *mut c_void,
    name: abi::Str,
    kind: u32,
    _: abi::Str,
    id: *mut u64,
) -> i32 {
    let mut seen = host(ctx).seen();
    let name = name.as_str();
    if name.is_empty() || kind > abi::METRIC_GAUGE {
        return abi::E_INVALID;
    }
    let found = seen.metrics.iter().position(|metric| metric.name == name);
    let at = found.unwrap_or(seen.metrics.len());
    match found {
        Some(at) if seen.metrics[at].kind != kind => return abi::E_INVALID,
        Some(_) => {}
        None => seen.metrics.push(Metric { name: name.to_string(), kind, value: 0.0 }),
    }
    *id = at as u64;
    abi::OK
}

unsafe extern "C" fn metric_add(ctx: *mut c_void, id: u64, value: f64) -> i32 {
    match host(ctx).seen().metrics.get_mut(id as usize) {
        Some(metric) if value.is_finite() && (value >= 0.0 || metric.kind == abi::METRIC_GAUGE) => {
            metric.value += value;
            abi::OK
        }
        _ => abi::E_INVALID,
    }
}

unsafe extern "C" fn extension(ctx: *mut c_void, id: *const c_char) -> *const c_void {
    let host = host(ctx);
    let seen = host.seen();
    let id = CStr::from_ptr(id).to_bytes();
    if let Some(what) = seen.extensions.get(id) {
        return *what;
    }
    if id == b"trigger.clock/1" && !seen.without_clock {
        return &host.clock as *const abi::Clock as *const c_void;
    }
    std::ptr::null()
}

unsafe extern "C" fn unix_ns(ctx: *mut c_void) -> i64 {
    host(ctx).seen().unix_ns
}
unsafe extern "C" fn mono_ns(ctx: *mut c_void) -> u64 {
    host(ctx).seen().mono_ns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(host: &Host, token: u64, code: i32) -> i32 {
        let result = abi::Result { code, ..abi::Result::empty() };
        unsafe { (host.table.complete)(host.table.ctx, token, &result) }
    }
    fn extended(host: &Host, token: u64) -> i32 {
        unsafe { (host.table.extend)(host.table.ctx, token, 60_000) }
    }
    fn request(topic: &str) -> abi::Publish {
        abi::Publish {
            struct_size: std::mem::size_of::<abi::Publish>() as u32,
            flags: 0,
            alias: abi::Str::of(""),
            topic: abi::Str::of(topic),
            payload: abi::Bytes::of(b""),
            properties: std::ptr::null(),
            property_count: 0,
            qos: 1,
            reserved: 0,
            done: None,
            user: std::ptr::null_mut(),
        }
    }
    fn published(host: &Host, request: &abi::Publish) -> i32 {
        unsafe { (host.table.publish)(host.table.ctx, request) }
    }
    /// A token whose attempt is pending.
    fn pending(host: &Host) -> u64 {
        let (token, _) = host.open(Message::new("a/b", ""), "test");
        host.returned(token, Answer::of(abi::PENDING, &abi::Result::empty()));
        token
    }

    #[test]
    fn a_stop_revokes_then_cancels() {
        unsafe extern "C" fn done(user: *mut c_void, code: i32, _: abi::Str) {
            let (host, token) = &*(user as *const (Arc<Host>, u64));
            assert_eq!(code, abi::E_CANCELLED);
            assert_eq!(completed(host, *token, abi::OK), abi::E_STALE);
            assert_eq!(extended(host, *token), abi::E_STALE);
            assert_eq!(published(host, &request("again")), abi::E_STATE);
        }
        let host = Host::new();
        host.starting();
        let user = (host.clone(), pending(&host));
        let user = &user as *const (Arc<Host>, u64) as *mut c_void;
        let with_done = abi::Publish { done: Some(done), user, ..request("out") };
        assert_eq!(published(&host, &with_done), abi::OK);
        host.stopping();
        assert_eq!(host.answer(1), Some(Answer::retry("revoked: the instance stopped")));
        assert_eq!(host.publishes().len(), 1);
        assert!(host.violations().is_empty());
        host.stopped();
    }

    #[test]
    fn a_failed_start_cancels_what_it_has_published() {
        unsafe extern "C" fn done(user: *mut c_void, code: i32, _: abi::Str) {
            *(user as *mut i32) = code;
        }
        let host = Host::new();
        host.starting();
        let mut code = abi::OK;
        let user = &mut code as *mut i32 as *mut c_void;
        let with_done = abi::Publish { done: Some(done), user, ..request("out") };
        assert_eq!(published(&host, &with_done), abi::OK);
        host.start_failed();
        assert_eq!(code, abi::E_CANCELLED);
    }

    #[test]
    fn what_is_not_started_is_refused_by_its_state() {
        let host = Host::new();
        let token = pending(&host);
        assert_eq!(completed(&host, token, abi::OK), abi::E_STATE);
        assert_eq!(extended(&host, token), abi::E_STATE);
        assert_eq!(published(&host, &request("a")), abi::E_STATE);
        assert_eq!(host.violations().len(), 3);
    }
}
