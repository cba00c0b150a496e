use super::message::{Message, MessageMemory, OwnedProperty};
use super::rules;
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
    of_an_instance: bool, // not the plugin's own, which only logs
    clock: abi::Clock,
    seen: Mutex<Seen>,
    changed: Condvar,
}

// What it points to is the test's, and is used under the mutex.
unsafe impl Send for Host {}
unsafe impl Sync for Host {}

impl Host {
    /// That of an instance.
    pub fn new() -> Arc<Host> {
        Host::make(true)
    }
    /// The one that the entry function is given.
    pub fn of_the_plugin() -> Arc<Host> {
        Host::make(false)
    }

    fn make(of_an_instance: bool) -> Arc<Host> {
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
            of_an_instance,
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
    if !rules::is_result(result) {
        seen.violation(
            "complete was called without a result, or with a struct_size that is too small",
        );
        return abi::E_INVALID;
    }
    let code = (*result).code;
    if !rules::is_verdict(code) {
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
    let mut seen = host.seen();
    if seen.state == State::NotStarted {
        seen.violation("publish was called when the instance was not started");
    }
    if seen.state != State::Started {
        return abi::E_STATE;
    }
    if !rules::is_publish(request) {
        return abi::E_INVALID;
    }
    if seen.refusal != abi::OK {
        return seen.refusal;
    }
    let request = &*request;
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
        topic: request.topic.as_str().to_string(),
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

/// An id is the metric's place, counted from 1: 0 is none.
unsafe extern "C" fn metric(
    ctx: *mut c_void,
    name: abi::Str,
    kind: u32,
    help: abi::Str,
    id: *mut u64,
) -> i32 {
    let host = host(ctx);
    if !host.of_an_instance {
        return abi::E_STATE;
    }
    if !rules::is_metric(name, kind, help, id) {
        return abi::E_INVALID;
    }
    let mut seen = host.seen();
    let name = name.as_str();
    let found = seen.metrics.iter().position(|metric| metric.name == name);
    let at = found.unwrap_or(seen.metrics.len());
    match found {
        Some(at) if seen.metrics[at].kind != kind => return abi::E_INVALID,
        Some(_) => {}
        None if at >= rules::METRICS => return abi::E_FULL,
        None => seen.metrics.push(Metric { name: name.to_string(), kind, value: 0.0 }),
    }
    *id = at as u64 + 1;
    abi::OK
}

unsafe extern "C" fn metric_add(ctx: *mut c_void, id: u64, value: f64) -> i32 {
    let host = host(ctx);
    if !host.of_an_instance {
        return abi::E_STATE;
    }
    let mut seen = host.seen();
    let at = (id as usize).wrapping_sub(1); // of 0: no place
    let metric = match seen.metrics.get_mut(at) {
        Some(metric) => metric,
        None => return abi::E_INVALID,
    };
    let sum = metric.value + value;
    if !sum.is_finite() || (value < 0.0 && metric.kind == abi::METRIC_COUNTER) {
        return abi::E_INVALID;
    }
    metric.value = sum;
    abi::OK
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

    /// A host, of an instance that is started, and what it says of a request.
    fn says(request: &abi::Publish) -> i32 {
        let host = Host::new();
        host.starting();
        published(&host, request)
    }

    #[test]
    fn text_that_mqtt_forbids_is_refused() {
        let says = |topic: &[u8]| {
            let topic = abi::Str { ptr: topic.as_ptr() as *const c_char, len: topic.len() };
            says(&abi::Publish { topic, ..request("") })
        };
        let wrong: [&[u8]; 10] = [
            b"",
            b"a/+",
            b"#",
            b"a\0b",
            b"a\xff",
            b"\xc0\xaf",
            b"\xed\xa0\x80",
            b"a/\xe2\x82",
            b"\xf4\x90\x80\x80",
            &[b'a'; 65_536],
        ];
        for topic in wrong {
            assert_eq!(says(topic), abi::E_INVALID, "{:?}", &topic[..topic.len().min(10)]);
        }
        for topic in ["é/€/😀", "\u{1}", &"a".repeat(65_535)] {
            assert_eq!(says(topic.as_bytes()), abi::OK);
        }
    }

    #[test]
    fn publishes_that_are_not_filled_in_are_refused() {
        let nothing = abi::Bytes { ptr: std::ptr::null(), len: 1 };
        let too_much = abi::Bytes { ptr: b"x".as_ptr(), len: 268_435_455 };
        let long = "a".repeat(1_025);
        for wrong in [
            abi::Publish { struct_size: 0, ..request("a") },
            abi::Publish { flags: 2, ..request("a") },
            abi::Publish { qos: 3, ..request("a") },
            abi::Publish { payload: nothing, ..request("a") },
            abi::Publish { payload: too_much, ..request("a") },
            abi::Publish { alias: abi::Str::of(&long), ..request("a") },
            abi::Publish { property_count: 1, ..request("a") },
        ] {
            assert_eq!(says(&wrong), abi::E_INVALID);
        }
        assert_eq!(says(&abi::Publish { flags: abi::PUBLISH_RETAIN, ..request("a") }), abi::OK);
        let host = Host::new();
        host.starting();
        let short = abi::Result { struct_size: 0, ..abi::Result::empty() };
        for result in [std::ptr::null(), &short as *const abi::Result] {
            let code = unsafe { (host.table.complete)(host.table.ctx, 1, result) };
            assert_eq!(code, abi::E_INVALID);
        }
        assert_eq!(unsafe { (host.table.publish)(host.table.ctx, std::ptr::null()) }, -2);
    }

    fn property(id: u32, number: u64, name: &[u8], value: &[u8]) -> abi::Property {
        let name = abi::Str { ptr: name.as_ptr() as *const c_char, len: name.len() };
        abi::Property { id, reserved: 0, number, name, value: abi::Bytes::of(value) }
    }
    fn says_with(properties: &[abi::Property]) -> i32 {
        let (list, count) = (properties.as_ptr(), properties.len());
        says(&abi::Publish { properties: list, property_count: count, ..request("a") })
    }

    #[test]
    fn properties_that_a_client_may_not_publish_with_are_refused() {
        let long = vec![b'a'; 65_536];
        for wrong in [
            property(0x01, 2, b"", b""),
            property(0x02, 1 << 32, b"", b""),
            property(0x03, 0, b"", b"a\0"),
            property(0x03, 0, b"", b"\xff"),
            property(0x03, 0, b"", &long),
            property(0x08, 0, b"", b"a/+"),
            property(0x08, 0, b"", b""),
            property(0x09, 0, b"", &long),
            property(0x0b, 1, b"", b""), // a subscription identifier comes from the server
            property(0x11, 1, b"", b""), // of CONNECT
            property(0x23, 1, b"", b""), // a topic alias is the client's own
            property(0, 1, b"", b""),    // none of MQTT 5
            property(1000, 1, b"", b""),
            property(0x26, 0, b"a", b"a\0"),
            property(0x26, 0, b"\xff", b"a"),
        ] {
            assert_eq!(says_with(&[wrong]), abi::E_INVALID, "{}", wrong.id);
        }
        let right = [
            property(0x01, 1, b"", b""),
            property(0x02, 0xffff_ffff, b"", b""),
            property(0x03, 0, b"", b"text"),
            property(0x08, 0, b"", b"text"),
            property(0x09, 0, b"", b"\xff"),
            property(0x26, 0, b"text", b"text"),
        ];
        for one in right {
            assert_eq!(says_with(&[one]), abi::OK, "{}", one.id);
            let twice = if one.id == 0x26 { abi::OK } else { abi::E_INVALID };
            assert_eq!(says_with(&[one, one]), twice, "{}", one.id);
        }
        assert_eq!(says_with(&right), abi::OK);
    }

    #[test]
    fn what_is_wrong_is_invalid_whatever_else_is_refused() {
        let host = Host::new();
        host.starting();
        host.refuse_publishes(abi::E_FULL);
        assert_eq!(published(&host, &request("a/+")), abi::E_INVALID);
        assert_eq!(published(&host, &request("a")), abi::E_FULL);
    }

    #[test]
    fn metrics_that_the_runtime_refuses_are_refused() {
        let host = Host::new();
        let (long, longest) = ("a".repeat(101), "a".repeat(100));
        let (long_help, longest_help) = ("h".repeat(1_025), "h".repeat(1_024));
        let mut id = 0;
        let mut define = |name: &str, kind, help: &str| unsafe {
            let (name, help) = (abi::Str::of(name), abi::Str::of(help));
            let code = (host.table.metric)(host.table.ctx, name, kind, help, &mut id);
            (code, id)
        };
        let add = |id, value| unsafe { (host.table.metric_add)(host.table.ctx, id, value) };
        for name in ["", "Seen", "1st", "a-b", "a.b", "café", "a\0", &long] {
            assert_eq!(define(name, abi::METRIC_GAUGE, "").0, abi::E_INVALID, "{}", name);
        }
        assert_eq!(define("a", 2, "").0, abi::E_INVALID);
        assert_eq!(define("a", abi::METRIC_GAUGE, &long_help).0, abi::E_INVALID);
        let (code, first) = define(&longest, abi::METRIC_GAUGE, &longest_help);
        assert_eq!(code, abi::OK);
        assert_ne!(first, 0, "0 is no metric, so one that was never defined is found");
        assert_eq!(add(0, 1.0), abi::E_INVALID);
        assert_eq!(add(first, 1.5e308), abi::OK);
        assert_eq!(add(first, 1.5e308), abi::E_INVALID, "the sum is infinite");
        for at in 1..64 {
            assert_eq!(define(&format!("_metric_{}", at), abi::METRIC_GAUGE, "").0, abi::OK);
        }
        assert_eq!(define("one_more", abi::METRIC_GAUGE, "").0, abi::E_FULL);
        assert_eq!(define(&longest, abi::METRIC_GAUGE, ""), (abi::OK, first));
    }

    /// The one that the entry function is given offers only logging.
    #[test]
    fn the_plugins_own_host_has_no_instance() {
        let host = Host::of_the_plugin();
        let mut id = 0;
        let (name, help) = (abi::Str::of("a"), abi::Str::of(""));
        let code = unsafe { (host.table.metric)(host.table.ctx, name, 0, help, &mut id) };
        assert_eq!(code, abi::E_STATE);
        assert_eq!(unsafe { (host.table.metric_add)(host.table.ctx, 1, 1.0) }, abi::E_STATE);
        assert_eq!(published(&host, &request("a")), abi::E_STATE);
    }
}
