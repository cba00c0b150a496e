use crate::abi;
use crate::link::Link;
use crate::message::Property;
use crate::{guard, Level};
use std::ffi::c_void;
use std::fmt;
use std::sync::Arc;

/// A message to publish. It borrows what it refers to until the call of `publish` has returned.
#[derive(Clone, Copy, Debug)]
pub struct Publish<'a> {
    topic: &'a str,
    payload: &'a [u8],
    qos: u32,
    retain: bool,
    alias: &'a str,
    properties: &'a [Property<'a>],
}

impl<'a> Publish<'a> {
    /// With QoS 1, on the trigger's own alias. `topic` has no wildcards.
    pub fn new(topic: &'a str, payload: &'a [u8]) -> Publish<'a> {
        Publish { topic, payload, qos: 1, retain: false, alias: "", properties: &[] }
    }
    pub fn qos(self, qos: u32) -> Self {
        Publish { qos, ..self }
    }
    pub fn retain(self) -> Self {
        Publish { retain: true, ..self }
    }
    pub fn alias(self, alias: &'a str) -> Self {
        Publish { alias, ..self }
    }
    /// MQTT 5; none for an alias of MQTT 3.1.1.
    pub fn properties(self, properties: &'a [Property<'a>]) -> Self {
        Publish { properties, ..self }
    }
}

/// Why a message was not published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishError {
    code: i32,
    reason: String,
}

impl PublishError {
    /// One of `trigger_plugin::abi::E_...`.
    pub fn code(&self) -> i32 {
        self.code
    }
    /// Whether another attempt would end the same way: no such alias, an argument that is wrong, or
    /// something that this runtime cannot do.
    pub fn is_hopeless(&self) -> bool {
        matches!(self.code, abi::E_INVALID | abi::E_NOT_FOUND | abi::E_UNSUPPORTED)
    }

    pub(crate) fn no_request() -> PublishError {
        let reason = "the message names no response topic".to_string();
        PublishError { code: abi::E_INVALID, reason }
    }

    fn describe(code: i32) -> &'static str {
        match code {
            abi::E_INVALID => "an argument is wrong",
            abi::E_FULL => "too much is in flight",
            abi::E_NOT_CONNECTED => "the alias has no connection now",
            abi::E_NOT_FOUND => "there is no alias of that name",
            abi::E_STATE => "the instance is not started",
            abi::E_CANCELLED => "the instance stopped before the answer came",
            abi::E_UNSUPPORTED => "this runtime cannot do that",
            _ => "it failed",
        }
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.reason.is_empty() { Self::describe(self.code) } else { &self.reason };
        write!(out, "not published: {}", text)
    }
}
impl std::error::Error for PublishError {}

fn outcome(code: i32, reason: String) -> Result<(), PublishError> {
    match code {
        abi::OK => Ok(()),
        code => Err(PublishError { code, reason }),
    }
}

pub(crate) fn publish(link: &Link, message: &Publish<'_>) -> Result<(), PublishError> {
    outcome(call(link, message, None, std::ptr::null_mut()), String::new())
}

pub(crate) fn publish_then<Done>(
    link: &Arc<Link>,
    message: &Publish<'_>,
    done: Done,
) -> Result<(), PublishError>
where
    Done: FnOnce(Result<(), PublishError>) + Send + 'static,
{
    // Owned by the callback from here on: it may be freed before the host's publish has returned.
    let callback = Box::into_raw(Box::new(Callback { link: link.clone(), done }));
    let code = call(link, message, Some(told::<Done>), callback as *mut c_void);
    if code != abi::OK {
        drop(unsafe { Box::from_raw(callback) });
    }
    outcome(code, String::new())
}

struct Callback<Done> {
    link: Arc<Link>,
    done: Done,
}

unsafe extern "C" fn told<Done>(user: *mut c_void, code: i32, reason: abi::Str)
where
    Done: FnOnce(Result<(), PublishError>) + Send + 'static,
{
    let Callback { link, done } = *Box::from_raw(user as *mut Callback<Done>);
    let outcome = outcome(code, reason.as_str().to_string());
    if let Err(panic) = guard::catch(move || done(outcome)) {
        link.log(Level::Error, &format!("a publish callback panicked: {}", panic));
    }
}

fn call(
    link: &Link,
    message: &Publish<'_>,
    done: Option<abi::PublishDone>,
    user: *mut c_void,
) -> i32 {
    let raw = |property: &Property<'_>| abi::Property {
        id: property.id,
        reserved: 0,
        number: property.number,
        name: abi::Str::of(property.name),
        value: abi::Bytes::of(property.value),
    };
    let properties: Vec<abi::Property> = message.properties.iter().map(raw).collect();
    let request = abi::Publish {
        struct_size: std::mem::size_of::<abi::Publish>() as u32,
        flags: if message.retain { abi::PUBLISH_RETAIN } else { 0 },
        alias: abi::Str::of(message.alias),
        topic: abi::Str::of(message.topic),
        payload: abi::Bytes::of(message.payload),
        properties: properties.as_ptr(),
        property_count: properties.len(),
        qos: message.qos,
        reserved: 0,
        done,
        user,
    };
    link.call_started(abi::E_STATE, |host| unsafe { ((*host).publish)((*host).ctx, &request) })
}
