use crate::abi;
use crate::link::Link;
use crate::Verdict;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Ids of properties that a message may have (MQTT 5.0, section 3.3.2.3), each with the member of
/// [`Property`] that holds its value. Those marked * may also be set on a message that is
/// published.
pub mod property {
    /// * `number`: 1 says that the payload is UTF-8.
    pub const PAYLOAD_FORMAT: u32 = 0x01;
    /// * `number`: seconds that were left on arrival.
    pub const MESSAGE_EXPIRY: u32 = 0x02;
    /// * `value`.
    pub const CONTENT_TYPE: u32 = 0x03;
    /// * `value`.
    pub const RESPONSE_TOPIC: u32 = 0x08;
    /// * `value`, any bytes.
    pub const CORRELATION_DATA: u32 = 0x09;
    /// `number`; one for each subscription that matches.
    pub const SUBSCRIPTION_ID: u32 = 0x0b;
    /// * `name` and `value`; any number of them.
    pub const USER: u32 = 0x26;
}

/// An MQTT 5 property. `id` is the specification's identifier, one of [`property`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Property<'a> {
    pub id: u32,
    pub number: u64,
    pub name: &'a str,
    pub value: &'a [u8],
}

/// A received message: a view, valid until `handle` or `handle_batch` returns. Copy what is needed
/// longer, as after [`Verdict::pending`].
#[derive(Clone, Copy)]
pub struct Message<'a> {
    raw: *const abi::Message,
    attempt: &'a Arc<Attempt>,
    life: PhantomData<&'a abi::Message>,
}

impl<'a> Message<'a> {
    /// # Safety
    /// `raw` points to a `trigger_message` that stays as it is for `'a`.
    pub(crate) unsafe fn new(raw: *const abi::Message, attempt: &'a Arc<Attempt>) -> Message<'a> {
        Message { raw, attempt, life: PhantomData }
    }

    pub fn topic(&self) -> &'a str {
        unsafe { (*self.raw).topic.as_str() }
    }
    /// The payload's bytes, whatever they are.
    pub fn payload(&self) -> &'a [u8] {
        unsafe { (*self.raw).payload.as_slice() }
    }
    /// The payload as text, if it is UTF-8.
    pub fn text(&self) -> Result<&'a str, std::str::Utf8Error> {
        std::str::from_utf8(self.payload())
    }
    /// The name of the trigger.
    pub fn trigger(&self) -> &'a str {
        unsafe { (*self.raw).trigger.as_str() }
    }
    /// The same in all attempts, unique across runtimes.
    pub fn id(&self) -> &'a str {
        unsafe { (*self.raw).id.as_str() }
    }
    /// 1 for the first.
    pub fn attempt(&self) -> u32 {
        unsafe { (*self.raw).attempt }
    }
    pub fn qos(&self) -> u32 {
        unsafe { (*self.raw).qos }
    }
    pub fn retained(&self) -> bool {
        self.has_flag(abi::MESSAGE_RETAIN)
    }
    pub fn duplicate(&self) -> bool {
        self.has_flag(abi::MESSAGE_DUP)
    }
    /// When the runtime received it.
    pub fn received(&self) -> SystemTime {
        time_at(unsafe { (*self.raw).received_unix_ns })
    }
    /// The deadline of this attempt as it began, on the clock of
    /// [`Context::monotonic`](crate::Context::monotonic); `extend` does not change it.
    pub fn deadline(&self) -> Duration {
        Duration::from_nanos(unsafe { (*self.raw).deadline_mono_ns })
    }
    /// The MQTT 5 properties, in the order of the sender; none for a message over MQTT 3.1.1.
    pub fn properties(&self) -> impl Iterator<Item = Property<'a>> + 'a {
        let raw = self.raw;
        let count = unsafe { (*raw).property_count };
        (0..count).map(move |at| unsafe {
            let property = *(*raw).properties.add(at);
            Property {
                id: property.id,
                number: property.number,
                name: property.name.as_str(),
                value: property.value.as_slice(),
            }
        })
    }

    /// The first property with this id, one of [`property`](crate::property).
    pub fn property(&self, id: u32) -> Option<Property<'a>> {
        self.properties().find(|property| property.id == id)
    }
    /// A message that has it is a request: see [`Context::reply`](crate::Context::reply).
    pub fn response_topic(&self) -> Option<&'a str> {
        let property = self.property(property::RESPONSE_TOPIC)?;
        std::str::from_utf8(property.value).ok()
    }
    pub fn correlation_data(&self) -> Option<&'a [u8]> {
        Some(self.property(property::CORRELATION_DATA)?.value)
    }
    pub fn content_type(&self) -> Option<&'a str> {
        std::str::from_utf8(self.property(property::CONTENT_TYPE)?.value).ok()
    }
    /// The value of the first user property called `name`.
    pub fn user_property(&self, name: &str) -> Option<&'a str> {
        let is_it =
            |property: &Property<'_>| property.id == property::USER && property.name == name;
        std::str::from_utf8(self.properties().find(is_it)?.value).ok()
    }

    /// Takes the right to give the verdict, for a service that is about to return
    /// [`Verdict::pending`]. There is only one: a second call panics. If `handle` then returns
    /// something else before the Completion has given a verdict, that counts, and the Completion
    /// has no effect.
    pub fn completion(&self) -> Completion {
        self.attempt.take();
        Completion { attempt: Some(self.attempt.clone()) }
    }

    /// Moves the deadline of this attempt to `from_now` after now. False: the attempt is over.
    pub fn extend(&self, from_now: Duration) -> bool {
        self.attempt.extend(from_now)
    }

    fn has_flag(&self, flag: u32) -> bool {
        unsafe { (*self.raw).flags & flag != 0 }
    }
}

pub(crate) fn time_at(unix_ns: i64) -> SystemTime {
    let distance = Duration::from_nanos(unix_ns.unsigned_abs());
    if unix_ns >= 0 {
        SystemTime::UNIX_EPOCH + distance
    } else {
        SystemTime::UNIX_EPOCH - distance
    }
}

/// The right to give the verdict on one pending message, once, from any thread. Dropped without
/// having given one, it gives retry, so that no message is forgotten; after stop it does nothing.
/// [any]
#[must_use]
pub struct Completion {
    attempt: Option<Arc<Attempt>>,
}

impl Completion {
    /// Gives the verdict: ok, retry, unavailable or reject. False: the attempt was over already
    /// (past its deadline, revoked because the instance stops), and the verdict does not count.
    /// `Verdict::pending()` is no verdict: the message is retried, and false returned.
    pub fn complete(mut self, verdict: Verdict) -> bool {
        match self.attempt.take() {
            Some(attempt) if verdict.is_pending() => {
                attempt.give_up();
                false
            }
            Some(attempt) => attempt.complete(&verdict),
            None => false,
        }
    }

    /// Moves the deadline of the attempt to `from_now` after now. False: the attempt is over.
    pub fn extend(&self, from_now: Duration) -> bool {
        self.attempt.as_ref().map_or(false, |attempt| attempt.extend(from_now))
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            attempt.give_up();
        }
    }
}

const HANDLING: u8 = 0;
const PENDING: u8 = 1;
const GIVEN_UP: u8 = 2;
const OVER: u8 = 3;

/// One attempt at a message: makes sure that it gets one verdict, from `handle` or from a
/// Completion, and that a Completion dropped without one gives one. Any thread.
pub(crate) struct Attempt {
    link: Arc<Link>,
    token: u64,
    stage: AtomicU8,
    taken: AtomicBool,
}

impl Attempt {
    pub fn new(link: Arc<Link>, token: u64) -> Arc<Attempt> {
        let taken = AtomicBool::new(false);
        Arc::new(Attempt { link, token, stage: AtomicU8::new(HANDLING), taken })
    }

    fn take(&self) {
        if self.taken.swap(true, Ordering::SeqCst) {
            panic!("the message's Completion was taken before: there is only one");
        }
    }

    fn complete(&self, verdict: &Verdict) -> bool {
        self.stage.swap(OVER, Ordering::SeqCst) != OVER && self.tell(verdict)
    }

    fn give_up(&self) {
        if self.change(HANDLING, GIVEN_UP).is_err() && self.change(PENDING, OVER).is_ok() {
            self.tell(&forgotten());
        }
    }

    /// What to return to the host after the service's `handle` has returned `verdict`. If the
    /// Completion was first, its verdict counts.
    pub fn settle(&self, verdict: Verdict) -> Verdict {
        if !verdict.is_pending() {
            let before = self.stage.swap(OVER, Ordering::SeqCst);
            if before == OVER {
                return Verdict::pending();
            }
            let minor = self.link.call(abi::ABI_MINOR, |host| unsafe { (*host).abi_minor });
            return verdict.known_to(minor);
        }
        if !self.taken.load(Ordering::SeqCst) {
            return Verdict::retry("the service returned pending but took no Completion");
        }
        match self.change(HANDLING, PENDING) {
            Err(GIVEN_UP) => forgotten(),
            _ => verdict,
        }
    }

    fn extend(&self, from_now: Duration) -> bool {
        let ms = from_now.as_millis().min(u128::from(u32::MAX)) as u32;
        self.link.call_started(false, |host| unsafe {
            ((*host).extend)((*host).ctx, self.token, ms) == abi::OK
        })
    }

    fn tell(&self, verdict: &Verdict) -> bool {
        self.link.call_started(false, |host| unsafe {
            let mut result = abi::Result::empty();
            verdict.clone().known_to((*host).abi_minor).write_to(&mut result);
            ((*host).complete)((*host).ctx, self.token, &result) == abi::OK
        })
    }

    fn change(&self, from: u8, to: u8) -> Result<u8, u8> {
        self.stage.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst)
    }
}

fn forgotten() -> Verdict {
    Verdict::retry("the service dropped the message without a verdict")
}
