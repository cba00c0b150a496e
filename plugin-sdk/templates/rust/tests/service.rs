//! The plugin without a server.

use std::ffi::CStr;
use std::time::Duration;
use trigger_plugin::abi::{E_FULL, E_NOT_CONNECTED, OK, REJECT, UNAVAILABLE};
use trigger_plugin::testing::{Instance, Message, Plugin, Value};

fn plugin() -> Plugin {
    Plugin::of(@IDENT@::trigger_plugin_entry_v1)
}

fn run(settings: &[(&str, Value)]) -> Instance {
    plugin().run("sum", &[&[("topic", "sums".into())], settings].concat()).unwrap()
}

fn number(text: &str) -> Message {
    Message::new("n", text)
}

#[test]
fn adds_and_publishes() {
    let instance = run(&[("every", 2.into())]);
    assert_eq!(instance.send(number("20")).code(), OK);
    let second = instance.send(number("22"));
    assert!(second.is_pending(), "it waits for the server");
    let sum = &instance.publishes()[0];
    assert_eq!((sum.topic.as_str(), sum.payload.as_slice()), ("sums", b"42".as_slice()));
    instance.finish_publish(0);
    assert_eq!(second.code(), OK);
    assert_eq!(instance.metric("numbers_total"), Some(2.0));
    assert!(instance.violations().is_empty());
}

#[test]
fn what_goes_wrong_becomes_a_verdict() {
    let instance = run(&[("every", 1.into())]);
    assert_eq!(instance.send(number("many")).code(), REJECT);
    let failed = instance.send(number("1"));
    instance.fail_publish(0, E_NOT_CONNECTED, "cut off");
    assert_eq!(failed.code(), UNAVAILABLE);
    let slow = instance.send(number("1"));
    instance.advance(Duration::from_secs(30));
    assert_eq!(slow.reason(), "its deadline has passed");
    instance.refuse_publishes(E_FULL);
    assert_eq!(instance.send(number("1")).code(), UNAVAILABLE);
}

fn named(id: &str, text: &str) -> Message {
    Message { id: id.to_string(), ..number(text) }
}

#[test]
fn a_number_counts_once_however_often_it_comes() {
    let instance = run(&[("every", 2.into())]);
    instance.send(named("first", "20"));
    let failed = instance.send(named("second", "22"));
    instance.fail_publish(0, E_NOT_CONNECTED, "cut off");
    assert_eq!(failed.code(), UNAVAILABLE);
    assert_eq!(instance.metric("numbers_total"), Some(1.0), "only the first is counted");
    instance.refuse_publishes(E_FULL);
    assert_eq!(instance.send(named("second", "22")).code(), UNAVAILABLE);
    instance.refuse_publishes(OK);
    let again = instance.send(named("second", "22"));
    assert!(again.is_pending(), "what was not published is not ok");
    assert_eq!(instance.publishes()[1].payload, b"42", "the same sum as before");
    instance.finish_publish(1);
    assert_eq!(again.code(), OK);
    assert_eq!(instance.metric("numbers_total"), Some(2.0), "both are counted, once");
}

#[test]
fn an_answer_that_is_late_counts_nothing() {
    let instance = run(&[("every", 1.into())]);
    instance.send(named("first", "42"));
    instance.advance(Duration::from_secs(30)); // past its deadline
    let again = instance.send(named("first", "42"));
    assert_eq!(instance.publishes()[1].payload, b"42", "the first attempt is not in the sum");
    instance.finish_publish(0);
    assert_eq!(instance.metric("numbers_total"), Some(0.0));
    instance.finish_publish(1);
    assert_eq!(again.code(), OK);
    assert_eq!(instance.metric("numbers_total"), Some(1.0));
}

#[test]
fn sums_may_overlap() {
    let instance = run(&[("every", 1.into())]);
    instance.send(number("1"));
    instance.send(number("2"));
    assert_eq!(instance.publishes()[1].payload, b"3", "the sum has what is on its way");
    instance.finish_publish(1);
    instance.finish_publish(0);
    instance.send(number("3"));
    assert_eq!(instance.publishes()[2].payload, b"6", "and nothing twice");
}

#[test]
fn what_is_no_number_is_not_tried_again() {
    let instance = run(&[("every", 1.into())]);
    for payload in ["", "4 2", "0x2a", "1000000000000", "-1000000000000"] {
        assert_eq!(instance.send(number(payload)).code(), REJECT, "{}", payload);
    }
}

#[test]
fn a_batch_has_verdicts_of_its_own() {
    let instance = run(&[("every", 2.into())]);
    let attempts = instance.send_batch(vec![number("1"), number("x"), number("3")]);
    assert_eq!(attempts[0].code(), OK);
    assert_eq!(attempts[1].code(), REJECT);
    assert!(attempts[2].is_pending(), "the server does not have the sum yet");
    instance.finish_publish(0);
    assert_eq!(attempts[2].code(), OK);
}

#[test]
fn silence_is_noticed() {
    let instance = run(&[("quiet_seconds", 60.into())]);
    assert_eq!(instance.probe(), Ok(()));
    instance.advance(Duration::from_secs(61));
    assert_eq!(instance.probe(), Err("no number has come for a while".to_string()));
    instance.send(number("1"));
    assert_eq!(instance.probe(), Ok(()));
}

#[test]
fn the_successor_goes_on() {
    let before = run(&[]);
    before.send(number("40"));
    before.stop();
    let settings = [("topic", "sums".into()), ("every", 2.into())];
    let after = plugin().create("sum", &settings).unwrap();
    after.restore(before.service().state_version, &before.save().unwrap()).unwrap();
    after.start().unwrap();
    after.send(number("2"));
    assert_eq!(after.publishes()[0].payload, b"42");
}

#[test]
fn the_total_is_an_extension() {
    #[repr(C)]
    struct Total {
        struct_size: u32,
        reserved: u32,
        total: i64,
    }
    let instance = run(&[]);
    let id = |text: &'static [u8]| CStr::from_bytes_with_nul(text).unwrap();
    assert!(instance.extension(id(b"sum.total/2\0")).is_null());
    let shown = instance.extension(id(b"sum.total/1\0")) as *const Total;
    instance.send(number("42"));
    assert_eq!(unsafe { (*shown).total }, 42);
}

#[test]
fn wrong_settings_are_named() {
    let why = |settings: &[(&str, Value)]| plugin().create("sum", settings).err().unwrap();
    assert_eq!(why(&[]), "setting \"topic\" is missing; it must be a string");
    assert_eq!(
        why(&[("topic", "t".into()), ("every", 0.into())]),
        "setting \"every\" must be 1 or more"
    );
}
