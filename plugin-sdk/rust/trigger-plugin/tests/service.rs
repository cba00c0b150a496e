//! From create to destroy: what a type implements reaches the table, what it returns becomes a
//! verdict, and no panic comes out.

use std::ffi::{c_void, CStr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trigger_plugin::testing::{Instance, Message, Options, OwnedProperty, Plugin};
use trigger_plugin::{
    abi, export_plugin, property, Batch, Completion, Context, Error, Extension, HandleBatch, Probe,
    Property, Publish, Service, State, Verdict,
};

/// Does what the topics of its messages say.
struct Scripted {
    context: Context,
    kept: Mutex<Vec<Completion>>,
    cancelled: Arc<Mutex<Vec<bool>>>, // whether a verdict still counted, each time it was given
}

impl Scripted {
    fn act(&self, message: trigger_plugin::Message<'_>) -> Result<Verdict, Error> {
        let publish = Publish::new("copy", message.payload());
        Ok(match message.topic() {
            "ok" => Verdict::ok(),
            "retry" => Verdict::retry_after(Duration::from_millis(1500), "later"),
            "retry long" => Verdict::retry_after(Duration::from_secs(1 << 40), ""),
            "reject" => Verdict::reject(message.text()?),
            "panic" => panic!("no such sensor: {}", message.topic()),
            "pending" => {
                self.kept.lock().unwrap().push(message.completion());
                Verdict::pending()
            }
            "pending without" => Verdict::pending(),
            "pending twice" => {
                let _kept = (message.completion(), message.completion());
                Verdict::pending()
            }
            "dropped in handle" => {
                drop(message.completion());
                Verdict::pending()
            }
            "completed in handle" => {
                assert!(message.completion().complete(Verdict::reject("at once")));
                Verdict::ok()
            }
            "answered all the same" => {
                self.kept.lock().unwrap().push(message.completion());
                Verdict::ok()
            }
            "completed with pending" => {
                assert!(!message.completion().complete(Verdict::pending()));
                Verdict::pending()
            }
            "extend" => {
                assert!(message.extend(Duration::from_secs(90)));
                Verdict::ok()
            }
            "copy" => Verdict::from_publish(self.context.publish(&publish)),
            "copy and wait" => {
                let completion = message.completion();
                self.context.publish_then(&publish, move |outcome| {
                    completion.complete(Verdict::from_publish(outcome));
                })?;
                Verdict::pending()
            }
            "copy and tell" => {
                let (completion, counted) = (message.completion(), self.cancelled.clone());
                self.context.publish_then(&publish, move |outcome| {
                    let verdict = Verdict::from_publish(outcome);
                    counted.lock().unwrap().push(completion.complete(verdict));
                })?;
                Verdict::pending()
            }
            "panic in done" => {
                self.context.publish_then(&publish, |_| panic!("in done"))?;
                Verdict::ok()
            }
            "publish all" => {
                let properties =
                    [Property { id: 38, name: "a", value: b"b", ..Property::default() }];
                let all = publish.qos(2).retain().alias("cloud").properties(&properties);
                Verdict::from_publish(self.context.publish(&all))
            }
            "inspect" => {
                let properties: Vec<_> = message.properties().collect();
                let line = format!(
                    "{} {} {} {} {} {} {} {:?}",
                    message.id(),
                    message.trigger(),
                    message.qos(),
                    message.attempt(),
                    message.retained(),
                    message.duplicate(),
                    message.received() == self.context.now(),
                    properties
                );
                self.context.info(&line);
                Verdict::ok()
            }
            "answer" => Verdict::from_publish(self.context.reply(&message, b"42")),
            "answer and wait" => {
                let completion = message.completion();
                self.context.reply_then(&message, b"42", move |outcome| {
                    completion.complete(Verdict::from_publish(outcome));
                })?;
                Verdict::pending()
            }
            "metrics" => {
                self.context.counter("seen_total", "What was seen")?.increment();
                let level = self.context.gauge("level", "How full it is")?;
                assert!(level.add(2.5) && level.add(-1.0));
                assert!(!self.context.counter("seen_total", "")?.add(-1.0));
                assert!(!level.add(f64::NAN));
                self.context.gauge("seen_total", "")?;
                Verdict::ok()
            }
            other => Verdict::reject(format!("unknown: {}", other)),
        })
    }
}

impl Service for Scripted {
    fn create(context: Context) -> Result<Self, Error> {
        context.settings().require_known(&["limit", "panic"])?;
        if context.settings().has("panic") {
            panic!("in create");
        }
        context.settings().integer_or("limit", 1)?;
        Ok(Scripted { context, kept: Mutex::default(), cancelled: Arc::default() })
    }
    fn handle(&self, message: trigger_plugin::Message<'_>) -> Verdict {
        self.act(message).unwrap_or_else(|error| Verdict::retry(error.to_string()))
    }
    fn stop(&self) {
        let refused = self.context.publish(&Publish::new("last/words", b"")).unwrap_err();
        self.context.info(&format!("stop {}", refused.code()));
        for counted in self.cancelled.lock().unwrap().drain(..) {
            self.context.info(&format!("cancelled, counted: {}", counted));
        }
        for completion in self.kept.lock().unwrap().drain(..) {
            let extended = completion.extend(Duration::from_secs(60));
            let counted = completion.complete(Verdict::ok());
            self.context.info(&format!("extended: {}, counted: {}", extended, counted));
        }
    }
}

/// Has everything.
struct Full {
    context: Context,
    state: Mutex<Vec<u8>>,
}

impl Service for Full {
    const CONCURRENT: bool = true;
    const BRIEF: bool = true;
    fn create(context: Context) -> Result<Self, Error> {
        context.settings().require_known(&[])?;
        let line = format!("{} {} {}", context.trigger(), context.alias(), context.concurrency());
        context.info(&line);
        Ok(Full { context, state: Mutex::default() })
    }
    fn start(&self) -> Result<(), Error> {
        let first = self.state.lock().unwrap().first().copied();
        match first {
            Some(b'!') => Err("no database".into()),
            Some(b'?') => panic!("in start"),
            _ => Ok(()),
        }
    }
    fn handle(&self, _: trigger_plugin::Message<'_>) -> Verdict {
        Verdict::ok()
    }
    fn stop(&self) {
        panic!("in stop");
    }
}
impl HandleBatch for Full {
    fn handle_batch(&self, batch: &mut Batch<'_>) {
        for at in 0..batch.len() {
            match batch.message(at).topic() {
                "leave out" => continue,
                "panic" => panic!("half way"),
                _ => batch.answer(at, Verdict::ok()),
            }
            batch.answer(at, Verdict::reject("the first counts"));
        }
    }
}
impl Probe for Full {
    fn probe(&self) -> Result<(), Error> {
        Err("the database is away".into())
    }
}
impl State for Full {
    const VERSION: u32 = 7;
    fn save(&self) -> Result<Vec<u8>, Error> {
        Ok(self.state.lock().unwrap().clone())
    }
    fn restore(&self, version: u32, state: &[u8]) -> Result<(), Error> {
        if version != Self::VERSION {
            return Err(format!("state of version {}", version).into());
        }
        *self.state.lock().unwrap() = state.to_vec();
        Ok(())
    }
}
impl Extension for Full {
    fn extension(&self, id: &CStr) -> *const c_void {
        match id.to_bytes() {
            b"test.context/1" => &self.context as *const Context as *const c_void,
            _ => std::ptr::null(),
        }
    }
}
impl Drop for Full {
    fn drop(&mut self) {
        self.context.info("dropped");
    }
}

export_plugin! {
    name: "tested",
    version: "1.2.3",
    services: { "scripted" => Scripted, "full" => Full },
}

fn plugin() -> Plugin {
    Plugin::of(trigger_plugin_entry_v1)
}
fn scripted() -> Instance {
    plugin().run("scripted", &[]).unwrap()
}
fn answer(instance: &Instance, topic: &str) -> (i32, String) {
    let attempt = instance.send(Message::new(topic, "21.5"));
    (attempt.code(), attempt.reason())
}
fn text(instance: &Instance) -> Vec<String> {
    instance.log_lines().into_iter().map(|line| line.text).collect()
}

#[test]
fn the_table_has_what_a_type_implements() {
    let plugin = plugin();
    assert_eq!((plugin.name(), plugin.version()), ("tested", "1.2.3"));
    let plain = plugin.service("scripted");
    assert_eq!((plain.flags, plain.state_version), (0, 0));
    assert!(plain.handle_batch.is_none() && plain.probe.is_none() && plain.extension.is_none());
    assert!(plain.save.is_none() && plain.restore.is_none());
    let full = plugin.service("full");
    assert_eq!(full.flags, abi::SERVICE_CONCURRENT | abi::SERVICE_BRIEF);
    assert_eq!(full.state_version, 7);
    assert!(full.handle_batch.is_some() && full.probe.is_some() && full.extension.is_some());
    assert!(full.save.is_some() && full.restore.is_some());
}

#[test]
fn verdicts_are_said() {
    let instance = scripted();
    assert_eq!(answer(&instance, "ok"), (abi::OK, String::new()));
    assert_eq!(answer(&instance, "reject"), (abi::REJECT, "21.5".into()));
    let later = instance.send(Message::new("retry", "")).answer();
    assert_eq!((later.code, later.retry_after_ms, later.reason.as_str()), (2, 1500, "later"));
    let never = instance.send(Message::new("retry long", "")).answer();
    assert_eq!(never.retry_after_ms, u32::MAX);
    assert_eq!(answer(&instance, &"x".repeat(400)).1, format!("unknown: {}", "x".repeat(246)));
    assert_eq!(answer(&instance, &"é".repeat(400)).1, format!("unknown: {}", "é".repeat(123)));
}

#[test]
fn panics_stay_inside() {
    let instance = scripted();
    let (code, reason) = answer(&instance, "panic");
    assert_eq!(code, abi::RETRY);
    assert!(reason.starts_with("no such sensor: panic (tests/service.rs:"), "{}", reason);
    assert!(answer(&instance, "pending twice").1.starts_with("the message's Completion was taken"));
    assert_eq!(answer(&instance, "ok").0, abi::OK, "the worker lives on");
    instance.send(Message::new("panic in done", ""));
    instance.finish_publish(0);
    assert!(text(&instance)[0].starts_with("a publish callback panicked: in done (tests/"));

    let reason = plugin().create("scripted", &[("panic", true.into())]).err().unwrap();
    assert!(reason.starts_with("in create (tests/service.rs:"), "{}", reason);
}

#[test]
fn settings_are_refused_by_name() {
    let why = |key: &str, value| plugin().create("scripted", &[(key, value)]).err().unwrap();
    assert_eq!(why("limit", "x".into()), "setting \"limit\" must be an integer, not a string");
    assert_eq!(
        why("limit.x", 1.into()),
        "setting \"limit\" must be an integer, not a table or an array"
    );
    assert_eq!(
        why("limits", 1.into()),
        "setting \"limits\" is unknown; this service knows limit, panic; did you mean \"limit\"?"
    );
    assert_eq!(
        why("other", 1.into()),
        "setting \"other\" is unknown; this service knows limit, panic"
    );
    assert!(plugin().create("scripted", &[("limit", 3.into())]).is_ok());
    assert_eq!(
        plugin().create("full", &[("limit", 1.into())]).err().unwrap(),
        "setting \"limit\" is unknown; this service takes no settings"
    );
}

#[test]
fn a_completion_speaks_once() {
    let instance = scripted();
    let retry = |reason: &str| (abi::RETRY, reason.to_string());
    let dropped = "the service dropped the message without a verdict";
    assert_eq!(answer(&instance, "dropped in handle"), retry(dropped));
    assert_eq!(answer(&instance, "completed with pending"), retry(dropped));
    assert_eq!(
        answer(&instance, "pending without"),
        retry("the service returned pending but took no Completion")
    );
    assert_eq!(answer(&instance, "completed in handle"), (abi::REJECT, "at once".into()));
    assert_eq!(answer(&instance, "answered all the same"), (abi::OK, String::new()));
    assert!(instance.violations().is_empty(), "{:?}", instance.violations());
}

#[test]
fn pending_messages_end_with_publish_deadline_or_stop() {
    let instance = scripted();
    let published = instance.send(Message::new("copy and wait", "x"));
    assert!(published.is_pending());
    instance.finish_publish(0);
    assert_eq!(published.wait().code, abi::OK);

    let failed = instance.send(Message::new("copy and wait", "x"));
    instance.fail_publish(1, abi::E_NOT_CONNECTED, "cut off");
    assert_eq!(
        (failed.code(), failed.reason()),
        (abi::UNAVAILABLE, "not published: cut off".into())
    );

    let short = Duration::from_secs(10);
    let late = instance.send(Message { timeout: short, ..Message::new("pending", "x") });
    instance.advance(short - Duration::from_nanos(1));
    assert!(late.is_pending());
    instance.advance(Duration::from_nanos(1));
    assert_eq!(late.reason(), "its deadline has passed");

    let revoked = instance.send(Message::new("pending", "x"));
    let cancelled = instance.send(Message::new("copy and tell", "x"));
    instance.stop();
    // As the runtime does: what is pending is revoked, then publishes are cancelled, then stop is
    // called.
    for attempt in [revoked, cancelled] {
        assert_eq!(
            (attempt.code(), attempt.reason().as_str()),
            (2, "revoked: the instance stopped")
        );
    }
    assert_eq!(
        text(&instance),
        [
            "stop -7",
            "cancelled, counted: false",
            "extended: false, counted: false",
            "extended: false, counted: false"
        ]
    );
    assert_eq!(instance.publishes().len(), 3);
    instance.start().unwrap();
    assert_eq!(answer(&instance, "ok").0, abi::OK);
    assert!(instance.violations().is_empty(), "{:?}", instance.violations());
}

#[test]
fn publishes_carry_everything_and_refusals_are_verdicts() {
    let instance = scripted();
    assert_eq!(answer(&instance, "publish all").0, abi::OK);
    let published = instance.publishes().remove(0);
    let property = OwnedProperty { id: 38, number: 0, name: "a".into(), value: b"b".to_vec() };
    assert_eq!(published.properties, [property]);
    assert_eq!((published.alias.as_str(), published.qos, published.retain), ("cloud", 2, true));
    assert!(!published.wants_result);
    for (code, verdict, reason) in [
        (abi::E_FULL, abi::UNAVAILABLE, "not published: too much is in flight"),
        (abi::E_NOT_CONNECTED, abi::UNAVAILABLE, "not published: the alias has no connection now"),
        (abi::E_STATE, abi::RETRY, "not published: the instance is not started"),
        (abi::E_NOT_FOUND, abi::REJECT, "not published: there is no alias of that name"),
    ] {
        instance.refuse_publishes(code);
        assert_eq!(answer(&instance, "copy"), (verdict, reason.into()));
    }
    assert_eq!(answer(&instance, "copy and wait").0, abi::RETRY);
}

#[test]
fn a_message_shows_all_it_has() {
    let instance = scripted();
    let attempt = instance.send(Message {
        id: "id-1".into(),
        qos: 2,
        attempt: 3,
        retain: true,
        duplicate: true,
        properties: vec![OwnedProperty { id: 2, number: 60, ..OwnedProperty::default() }],
        ..Message::new("inspect", "")
    });
    assert_eq!(attempt.code(), abi::OK);
    assert_eq!(
        text(&instance),
        ["id-1 test-trigger 2 3 true true true [Property { id: 2, number: 60, name: \"\", value: [] }]"]
    );
    let extended = instance.send(Message::new("extend", ""));
    assert_eq!(extended.extended(), Some(Duration::from_secs(90)));
}

#[test]
fn requests_are_answered() {
    let instance = scripted();
    let no_request = answer(&instance, "answer");
    assert_eq!(no_request.0, abi::REJECT);
    assert_eq!(no_request.1, "not published: the message names no response topic");
    let bytes =
        |id, value: &[u8]| OwnedProperty { id, value: value.to_vec(), ..Default::default() };
    let properties = vec![
        bytes(property::RESPONSE_TOPIC, b"answers/1"),
        bytes(property::CORRELATION_DATA, b"\0\xff"),
    ];
    let request = |topic| Message { properties: properties.clone(), ..Message::new(topic, "") };
    assert_eq!(instance.send(request("answer")).code(), abi::OK);
    let waits = instance.send(request("answer and wait"));
    assert!(waits.is_pending());
    instance.finish_publish(1);
    assert_eq!(waits.code(), abi::OK);
    for published in instance.publishes() {
        assert_eq!(published.topic, "answers/1");
        assert_eq!(published.payload, b"42");
        assert_eq!(published.properties, properties[1..]);
    }
}

#[test]
fn metrics_are_counted() {
    let instance = scripted();
    let (code, reason) = answer(&instance, "metrics");
    assert_eq!(code, abi::RETRY);
    assert!(reason.starts_with("metric \"seen_total\" cannot be created: its name or kind"));
    assert_eq!(instance.metric("seen_total"), Some(1.0));
    assert_eq!(instance.metric("level"), Some(1.5));
    assert_eq!(instance.metric("other"), None);
}

#[test]
fn a_batch_is_answered_one_by_one() {
    let instance = plugin().run("full", &[]).unwrap();
    let batch = |topics: &[&str]| {
        let messages = topics.iter().map(|topic| Message::new(topic, "x")).collect();
        instance.send_batch(messages).iter().map(|attempt| attempt.code()).collect::<Vec<_>>()
    };
    assert_eq!(batch(&["a", "leave out", "b"]), [abi::OK, abi::RETRY, abi::OK]);
    assert_eq!(batch(&["a", "panic", "b"]), [abi::OK, abi::RETRY, abi::RETRY]);
}

#[test]
fn state_goes_to_the_successor() {
    let before = plugin().create("full", &[]).unwrap();
    before.restore(7, b"kept\0").unwrap();
    assert_eq!(before.save().unwrap(), b"kept\0");
    assert_eq!(before.restore(6, b"old").unwrap_err(), "state of version 6");
}

#[test]
fn errors_of_the_life_are_reported() {
    let options = Options { trigger: "north".into(), alias: "plant".into(), concurrency: 8 };
    let instance = plugin().create_with("full", &[], options).unwrap();
    instance.restore(7, b"!").unwrap();
    assert_eq!(instance.start().unwrap_err(), "no database");
    instance.restore(7, b"?").unwrap();
    assert!(instance.start().unwrap_err().starts_with("in start (tests/"));
    instance.restore(7, b"").unwrap();
    instance.start().unwrap();
    assert_eq!(instance.probe().unwrap_err(), "the database is away");
    instance.stop();
    let lines = text(&instance);
    assert_eq!(lines[0], "north plant 8");
    assert!(lines[1].starts_with("stop panicked: in stop (tests/"), "{}", lines[1]);
}

#[test]
fn a_context_outlives_its_instance() {
    let instance = plugin().create("full", &[]).unwrap();
    let id = |text: &'static [u8]| CStr::from_bytes_with_nul(text).unwrap();
    assert!(instance.extension(id(b"other/1\0")).is_null());
    let context = instance.extension(id(b"test.context/1\0")) as *const Context;
    let context = unsafe { &*context }.clone();
    drop(instance);
    context.info("anybody?");
    assert!(!context.log_enabled(trigger_plugin::Level::Error));
    let refused = context.publish(&Publish::new("a", b"b")).unwrap_err();
    assert_eq!(refused.code(), abi::E_STATE);
    assert!(context.counter("a", "").is_err());
}

#[test]
fn time_is_the_systems_where_the_host_has_none() {
    let instance = plugin().create("full", &[]).unwrap();
    let id = CStr::from_bytes_with_nul(b"test.context/1\0").unwrap();
    let context = unsafe { &*(instance.extension(id) as *const Context) };
    let still = context.monotonic();
    assert_eq!(still, context.monotonic());
    instance.advance(Duration::from_secs(5));
    assert_eq!(context.monotonic() - still, Duration::from_secs(5));
    instance.offer_extension("trigger.clock/1", std::ptr::null());
    let before = context.monotonic();
    while context.monotonic() == before {}
    assert!(context.now() >= std::time::UNIX_EPOCH + Duration::from_secs(1_600_000_000));
}
