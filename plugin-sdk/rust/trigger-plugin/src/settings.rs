use crate::abi;
use std::fmt;

/// A setting that a service cannot work with. Returned from `create`, it makes the trigger's
/// configuration an error. Do not quote the value in it: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError(String);

impl SettingError {
    /// `what` continues `setting "KEY" `: "must be even".
    pub fn new(key: &str, what: &str) -> SettingError {
        SettingError(format!("setting \"{}\" {}", key, what))
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
impl std::error::Error for SettingError {}

#[derive(Clone, Debug)]
struct Leaf {
    key: String,
    value: String,
    kind: u32,
}

/// Everything under `[triggers.settings]`, by dotted key: `limits.high`, `sensors.0.name`.
///
/// Each getter comes twice: one for a required setting, which fails if that is missing, and one
/// with a default. Both fail if the setting has another type.
#[derive(Clone, Debug)]
pub struct Settings {
    json: String,
    leaves: Vec<Leaf>,
}

type Found<T> = Result<T, SettingError>;

impl Settings {
    pub fn text(&self, key: &str) -> Found<String> {
        self.required(self.find_text(key)?, key, "a string")
    }
    pub fn text_or(&self, key: &str, absent: &str) -> Found<String> {
        Ok(self.find_text(key)?.unwrap_or_else(|| absent.to_string()))
    }

    /// Accepts an integer, too, but not infinity or NaN.
    pub fn number(&self, key: &str) -> Found<f64> {
        self.required(self.find_number(key)?, key, "a number")
    }
    pub fn number_or(&self, key: &str, absent: f64) -> Found<f64> {
        Ok(self.find_number(key)?.unwrap_or(absent))
    }

    pub fn integer(&self, key: &str) -> Found<i64> {
        self.required(self.find_integer(key)?, key, "an integer")
    }
    pub fn integer_or(&self, key: &str, absent: i64) -> Found<i64> {
        Ok(self.find_integer(key)?.unwrap_or(absent))
    }

    pub fn boolean(&self, key: &str) -> Found<bool> {
        self.required(self.find_boolean(key)?, key, "true or false")
    }
    pub fn boolean_or(&self, key: &str, absent: bool) -> Found<bool> {
        Ok(self.find_boolean(key)?.unwrap_or(absent))
    }

    /// Whether `key` is there, as a leaf or as a table or array with leaves in it.
    pub fn has(&self, key: &str) -> bool {
        self.leaves.iter().any(|leaf| covers(key, &leaf.key))
    }

    /// Fails for the first setting that is neither one of `known` nor below one, so that a misspelt
    /// key is an error and not a default. If one of `known` is close, the error says so.
    pub fn require_known(&self, known: &[&str]) -> Found<()> {
        match self.leaves.iter().find(|leaf| !known.iter().any(|key| covers(key, &leaf.key))) {
            None => Ok(()),
            Some(leaf) if known.is_empty() => {
                Err(SettingError::new(&leaf.key, "is unknown; this service takes no settings"))
            }
            Some(leaf) => {
                let meant = closest(&leaf.key, known.iter().copied());
                let meant = meant.map(|key| format!("; did you mean \"{}\"?", key));
                let what = format!(
                    "is unknown; this service knows {}{}",
                    known.join(", "),
                    meant.unwrap_or_default()
                );
                Err(SettingError::new(&leaf.key, &what))
            }
        }
    }

    /// All settings as one JSON object.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// # Safety
    /// `config` points to a `trigger_instance_config` that is valid for this call.
    pub(crate) unsafe fn copy(config: *const abi::InstanceConfig) -> Settings {
        let leaves = (0..(*config).setting_count).map(|at| {
            let setting = *(*config).settings.add(at);
            Leaf {
                key: setting.key.as_str().to_string(),
                value: setting.value.as_str().to_string(),
                kind: setting.kind,
            }
        });
        Settings { json: (*config).settings_json.as_str().to_string(), leaves: leaves.collect() }
    }

    fn find(&self, key: &str, kinds: &[u32], wanted: &str) -> Found<Option<&Leaf>> {
        match self.leaves.iter().find(|leaf| leaf.key == key) {
            Some(leaf) if kinds.contains(&leaf.kind) => Ok(Some(leaf)),
            Some(leaf) => Err(not_of_type(key, wanted, type_name(leaf.kind))),
            None if self.has(key) => Err(not_of_type(key, wanted, "a table or an array")),
            None => Ok(None),
        }
    }

    /// If it is missing, the error suggests the key that may have been misspelt.
    fn required<T>(&self, value: Option<T>, key: &str, wanted: &str) -> Found<T> {
        value.ok_or_else(|| {
            let misspelt = closest(key, self.leaves.iter().map(|leaf| leaf.key.as_str()));
            let misspelt = misspelt.map(|key| format!("; is it \"{}\"?", key));
            let what =
                format!("is missing; it must be {}{}", wanted, misspelt.unwrap_or_default());
            SettingError::new(key, &what)
        })
    }

    fn find_text(&self, key: &str) -> Found<Option<String>> {
        let leaf = self.find(key, &[abi::SETTING_STRING], "a string")?;
        Ok(leaf.map(|leaf| leaf.value.clone()))
    }
    fn find_number(&self, key: &str) -> Found<Option<f64>> {
        let kinds = [abi::SETTING_INTEGER, abi::SETTING_FLOAT];
        let leaf = self.find(key, &kinds, "a number")?;
        let parse = |leaf: &Leaf| match leaf.value.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(SettingError::new(key, "must be a finite number")),
        };
        leaf.map(parse).transpose()
    }
    fn find_integer(&self, key: &str) -> Found<Option<i64>> {
        let leaf = self.find(key, &[abi::SETTING_INTEGER], "an integer")?;
        let parse = |leaf: &Leaf| {
            let wrong = |_| SettingError::new(key, "must be a 64-bit integer");
            leaf.value.parse::<i64>().map_err(wrong)
        };
        leaf.map(parse).transpose()
    }
    fn find_boolean(&self, key: &str) -> Found<Option<bool>> {
        let leaf = self.find(key, &[abi::SETTING_BOOL], "true or false")?;
        Ok(leaf.map(|leaf| leaf.value == "true"))
    }
}

fn not_of_type(key: &str, wanted: &str, is: &str) -> SettingError {
    SettingError::new(key, &format!("must be {}, not {}", wanted, is))
}

fn type_name(kind: u32) -> &'static str {
    match kind {
        abi::SETTING_STRING => "a string",
        abi::SETTING_INTEGER => "an integer",
        abi::SETTING_FLOAT => "a number",
        abi::SETTING_BOOL => "true or false",
        _ => "of a type that this SDK does not know",
    }
}

/// How many characters must be added, removed or replaced to turn one into the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.chars().enumerate() {
            let above = row[j + 1];
            let replaced = diagonal + usize::from(from != to);
            row[j + 1] = replaced.min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.chars().count()]
}

/// The word that may have been meant: up to a third of it may be wrong.
fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    let most = (word.len() / 3).max(1);
    candidates
        .filter(|candidate| word.len() <= LONGEST && candidate.len() <= LONGEST)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(far, _)| *far <= most)
        .min_by_key(|(far, _)| *far)
        .map(|(_, candidate)| candidate)
}

/// Whether `path` is `key` or lies below it.
fn covers(key: &str, path: &str) -> bool {
    path.strip_prefix(key).map_or(false, |rest| rest.is_empty() || rest.starts_with('.'))
}
