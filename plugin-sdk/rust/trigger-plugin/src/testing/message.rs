use crate::abi;
use std::time::Duration;

/// An MQTT 5 property of a message under test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnedProperty {
    pub id: u32,
    pub number: u64,
    pub name: String,
    pub value: Vec<u8>,
}

/// A message as a test describes it: `Message::new("a/b", "21.5")`, and what else matters with
/// `Message { qos: 2, ..Message::new("a/b", "21.5") }`.
#[derive(Clone, Debug)]
pub struct Message {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u32,
    pub retain: bool,
    pub duplicate: bool,
    pub attempt: u32,
    /// Empty: it gets an id of its own.
    pub id: String,
    pub properties: Vec<OwnedProperty>,
    /// Until its deadline; `advance` moves the time.
    pub timeout: Duration,
}

impl Message {
    pub fn new(topic: &str, payload: impl AsRef<[u8]>) -> Message {
        Message {
            topic: topic.to_string(),
            payload: payload.as_ref().to_vec(),
            qos: 1,
            retain: false,
            duplicate: false,
            attempt: 1,
            id: String::new(),
            properties: Vec::new(),
            timeout: Duration::from_secs(30),
        }
    }
}

/// The value of a setting: `80.into()`, `2.5.into()`, `true.into()`, `"a/b".into()`.
#[derive(Clone, Debug)]
pub struct Value {
    pub(super) text: String,
    pub(super) kind: u32,
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value { text: text.to_string(), kind: abi::SETTING_STRING }
    }
}
impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value { text: number.to_string(), kind: abi::SETTING_INTEGER }
    }
}
impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value { text: format!("{:?}", number), kind: abi::SETTING_FLOAT }
    }
}
impl From<bool> for Value {
    fn from(on: bool) -> Value {
        Value { text: on.to_string(), kind: abi::SETTING_BOOL }
    }
}

/// A `trigger_message` and everything it points to. It must not move: the service has its address.
pub(super) struct MessageMemory {
    pub raw: abi::Message,
    _content: Box<(Message, String)>,
    _properties: Vec<abi::Property>,
}

impl MessageMemory {
    pub fn new(
        content: Message,
        trigger: &str,
        token: u64,
        unix_ns: i64,
        mono_ns: u64,
    ) -> Box<MessageMemory> {
        let kept = Box::new((content, trigger.to_string()));
        let (content, trigger) = &*kept;
        let property = |property: &OwnedProperty| abi::Property {
            id: property.id,
            reserved: 0,
            number: property.number,
            name: abi::Str::of(&property.name),
            value: abi::Bytes::of(&property.value),
        };
        let properties: Vec<abi::Property> = content.properties.iter().map(property).collect();
        let flag = |on: bool, flag: u32| if on { flag } else { 0 };
        let raw = abi::Message {
            struct_size: std::mem::size_of::<abi::Message>() as u32,
            flags: flag(content.retain, abi::MESSAGE_RETAIN)
                | flag(content.duplicate, abi::MESSAGE_DUP)
                | flag(!properties.is_empty(), abi::MESSAGE_MQTT5),
            token,
            id: abi::Str::of(&content.id),
            topic: abi::Str::of(&content.topic),
            trigger: abi::Str::of(trigger),
            payload: abi::Bytes::of(&content.payload),
            received_unix_ns: unix_ns,
            deadline_mono_ns: mono_ns + content.timeout.as_nanos() as u64,
            properties: properties.as_ptr(),
            property_count: properties.len(),
            attempt: content.attempt,
            qos: content.qos,
        };
        Box::new(MessageMemory { raw, _content: kept, _properties: properties })
    }
}

/// The settings as one JSON object, nested by the dots of their keys.
pub(super) fn to_json(settings: &[(&str, Value)]) -> String {
    let rows: Vec<(&str, &Value)> = settings.iter().map(|(key, value)| (*key, value)).collect();
    object(&rows)
}

fn object(rows: &[(&str, &Value)]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (key, _) in rows {
        let name = key.split('.').next().unwrap_or("");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let is_array = names.iter().enumerate().all(|(at, name)| *name == at.to_string());
    let member = |name: &&str| {
        let below: Vec<(&str, &Value)> = rows
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(*name)?.strip_prefix('.')?, *value)))
            .collect();
        let leaf = rows.iter().find(|(key, _)| key == name).map(|(_, value)| json_of(value));
        leaf.unwrap_or_else(|| object(&below))
    };
    if is_array && !names.is_empty() {
        return format!("[{}]", names.iter().map(member).collect::<Vec<_>>().join(","));
    }
    let pair = |name: &&str| format!("{}:{}", quoted(name), member(name));
    format!("{{{}}}", names.iter().map(pair).collect::<Vec<_>>().join(","))
}

fn json_of(value: &Value) -> String {
    if value.kind == abi::SETTING_STRING {
        quoted(&value.text)
    } else {
        value.text.clone()
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_become_json() {
        let settings: [(&str, Value); 6] = [
            ("limits.high", 2.5.into()),
            ("on", true.into()),
            ("limits.low", (-1).into()),
            ("sensors.0.name", "a\"\n".into()),
            ("sensors.1.name", "b".into()),
            ("limits.high-er", 1.0.into()),
        ];
        assert_eq!(
            to_json(&settings),
            "{\"limits\":{\"high\":2.5,\"low\":-1,\"high-er\":1.0},\"on\":true,\
             \"sensors\":[{\"name\":\"a\\\"\\u000a\"},{\"name\":\"b\"}]}"
        );
        assert_eq!(to_json(&[]), "{}");
    }
}
