//! Reads a configuration from its three layers and finds every fault in one go. The default file is the
//! schema: it names every setting, with an empty string where there is no sensible default, so a key it
//! does not name is a mistyped one. It must not print what stands in a setting that may be a secret.

use std::path::Path;

use figment::error::{Error, Kind};
use figment::providers::Serialized;
use figment::{Figment, Profile};
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::faults::{CONFIG_FAULTS_MAX, ConfigFaults, Faults, Validate};

/// The largest configuration file that is read, in bytes.
const CONFIG_FILE_BYTES_MAX: u64 = 1_048_576;

/// Loads a configuration: `defaults`, overlaid by `file`, overlaid by environment variables named
/// `PREFIX_SECTION__KEY` (`GATE_SERVER__LISTEN` sets `server.listen` where the prefix is `GATE`).
///
/// Variables with the prefix but without `__` belong to other tools (`GATE_DATABASE_URL`) and are left
/// alone, unless they name a setting that stands outside any section.
///
/// # Errors
///
/// All faults of all layers at once: unreadable file, unknown keys with the nearest known one, values of
/// the wrong kind, and what the sections' own [`Validate`] says.
pub fn load<T: DeserializeOwned + Validate>(
    defaults: &'static str,
    file: Option<&Path>,
    env_prefix: &str,
) -> Result<T, ConfigFaults> {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        Some((
            name.into_string().ok()?,
            value.to_string_lossy().into_owned(),
        ))
    });
    load_with(defaults, file, env_prefix, variables)
}

/// As [`load`], with the environment given: for tests, and for whoever starts children.
///
/// # Errors
///
/// As [`load`].
pub fn load_with<T: DeserializeOwned + Validate>(
    defaults: &str,
    file: Option<&Path>,
    env_prefix: &str,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<T, ConfigFaults> {
    let mut faults = Faults::default();
    let defaults = parse("config.default.toml", defaults, &mut faults).unwrap_or_default();
    let mut settings = defaults.clone();
    if let Some(file) = file
        && let Some(table) = read(file, &mut faults)
    {
        overlay(&mut settings, &table, &defaults, "", &mut faults);
    }
    let mut variables: Vec<_> = variables.into_iter().collect();
    variables.sort();
    for (name, text) in &variables {
        if let Some(key) = name
            .strip_prefix(env_prefix)
            .and_then(|rest| rest.strip_prefix('_'))
        {
            set_from_variable(
                &mut settings,
                &defaults,
                env_prefix,
                name,
                key,
                text,
                &mut faults,
            );
        }
    }
    let Some(config) = deserialize::<T>(settings, &defaults, &mut faults) else {
        faults.into_result()?;
        return Err(ConfigFaults(Vec::new()));
    };
    config.faults(&mut faults);
    faults.into_result().map(|()| config)
}

fn read(file: &Path, faults: &mut Faults) -> Option<Table> {
    let name = file.display().to_string();
    let length = match std::fs::metadata(file) {
        Ok(metadata) => metadata.len(),
        Err(error) => {
            faults.add(
                &name,
                format!(
                    "cannot be read ({}), check the path and its permissions",
                    error.kind()
                ),
            );
            return None;
        }
    };
    if length > CONFIG_FILE_BYTES_MAX {
        faults.add(
            &name,
            format!("has {length} bytes, a configuration has at most {CONFIG_FILE_BYTES_MAX}"),
        );
        return None;
    }
    match std::fs::read_to_string(file) {
        Ok(text) => parse(&name, &text, faults),
        Err(error) => {
            faults.add(
                &name,
                format!("cannot be read ({}), write it as UTF-8 text", error.kind()),
            );
            None
        }
    }
}

/// Parses TOML; a fault names the line but does not repeat it, for a secret may stand there.
fn parse(name: &str, text: &str, faults: &mut Faults) -> Option<Table> {
    match text.parse::<Table>() {
        Ok(table) => Some(table),
        Err(error) => {
            let before = error
                .span()
                .and_then(|span| text.get(..span.start))
                .unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            faults.add(name, format!("line {line} is not TOML, correct it"));
            None
        }
    }
}

/// Lays `over` onto `settings`, leaving out what the defaults do not know or know as another kind.
fn overlay(
    settings: &mut Table,
    over: &Table,
    defaults: &Table,
    section: &str,
    faults: &mut Faults,
) {
    for (key, value) in over {
        let path = joined(section, key);
        let Some(default) = defaults.get(key) else {
            // An empty table among the defaults is a map with keys of the operator's own.
            if defaults.is_empty() && !section.is_empty() {
                settings.insert(key.clone(), value.clone());
            } else {
                faults.add(
                    &path,
                    unknown("key", key, defaults.keys().map(String::as_str)),
                );
            }
            continue;
        };
        match (default, value) {
            (Value::Table(default), Value::Table(value)) => {
                if let Some(Value::Table(settings)) = settings.get_mut(key) {
                    overlay(settings, value, default, &path, faults);
                }
            }
            _ if default.same_type(value) => {
                settings.insert(key.clone(), value.clone());
            }
            _ => faults.add(
                &path,
                format!("is {}, write {}", kind(value), kind(default)),
            ),
        }
    }
}

/// Applies one environment variable; its text is read as the kind that the default has, so that a
/// password of digits stays text.
fn set_from_variable(
    settings: &mut Table,
    defaults: &Table,
    env_prefix: &str,
    name: &str,
    key: &str,
    text: &str,
    faults: &mut Faults,
) {
    let path: Vec<String> = key.split("__").map(str::to_lowercase).collect();
    let Some(default) = at(defaults, &path) else {
        if path.len() > 1 {
            let known = variable_names(defaults, env_prefix);
            faults.add(
                name,
                unknown("variable", name, known.iter().map(String::as_str)),
            );
        }
        return;
    };
    let value = match default {
        Value::String(_) => Some(Value::String(text.to_owned())),
        _ => format!("value = {text}")
            .parse::<Table>()
            .ok()
            .and_then(|mut table| table.remove("value")),
    };
    match value {
        Some(value) if value.same_type(default) => {
            put(settings, &path, Some(value));
        }
        _ => faults.add(name, format!("cannot be read, write {}", kind(default))),
    }
}

/// Makes the typed configuration. Serde stops at its first fault, so each is noted, the setting put back
/// to its default, and the whole tried again, until it succeeds or nothing is left to put back.
fn deserialize<T: DeserializeOwned>(
    mut settings: Table,
    defaults: &Table,
    faults: &mut Faults,
) -> Option<T> {
    for _ in 0..CONFIG_FAULTS_MAX {
        let error =
            match Figment::from(Serialized::from(&settings, Profile::Default)).extract::<T>() {
                Ok(config) => return Some(config),
                Err(error) => error,
            };
        let path = fault_path(&error);
        let repeated = faults.has(&path.join("."));
        faults.add(
            path.join("."),
            explain(&error, path.last().map_or("", String::as_str)),
        );
        if !repair(&mut settings, defaults, &path, repeated) {
            return None;
        }
    }
    None
}

/// Where the fault is; figment gives the parent of a missing or unknown field.
fn fault_path(error: &Error) -> Vec<String> {
    let mut path = error.path.clone();
    let named = match &error.kind {
        Kind::UnknownField(field, _) => Some(field.as_str()),
        Kind::MissingField(field) => Some(field.as_ref()),
        _ => None,
    };
    if let Some(field) = named
        && path.last().map(String::as_str) != Some(field)
    {
        path.push(field.to_owned());
    }
    path
}

/// Takes the faulty value out: back to the default where there is one, else (within a list) the entry's
/// field, else the whole list. False where nothing changes any more.
fn repair(settings: &mut Table, defaults: &Table, path: &[String], repeated: bool) -> bool {
    if !repeated && at(defaults, path).is_none() && put(settings, path, None) {
        return true;
    }
    for length in (1..=path.len()).rev() {
        let (Some(ancestor), Some(before)) = (
            path.get(..length),
            path.get(..length).and_then(|path| at(settings, path)),
        ) else {
            continue;
        };
        if let Some(default) = at(defaults, ancestor) {
            return before != default && put(settings, ancestor, Some(default.clone()));
        }
    }
    false
}

/// What is wrong, in an operator's words; never the value of a setting whose name suggests a secret.
fn explain(error: &Error, key: &str) -> String {
    let secret = ["secret", "password", "token", "key", "url"]
        .iter()
        .any(|word| key.contains(word));
    match &error.kind {
        Kind::UnknownField(field, known) => unknown("key", field, known.iter().copied()),
        Kind::MissingField(_) => "is missing, set it".to_owned(),
        Kind::UnknownVariant(_, known) => format!("is not known, set one of {}", known.join(", ")),
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) if secret => {
            format!("cannot be read, write {expected}")
        }
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            format!("is {actual}, write {expected}")
        }
        _ if secret => "cannot be read, correct it".to_owned(),
        other => other.to_string(),
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    match known.min_by_key(|candidate| distance(name, candidate)) {
        Some(nearest) => format!("there is no such {what}, did you mean {nearest}?"),
        None => format!("there is no such {what}, remove it"),
    }
}

/// The number of letters to change, insert or drop to make one word of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, candidate) in row.iter_mut().skip(1).zip(other.chars()) {
            let replaced = diagonal + usize::from(letter != candidate);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

fn variable_names(defaults: &Table, env_prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (key, value) in defaults {
        let name = format!("{env_prefix}_{}", key.to_uppercase());
        match value {
            Value::Table(table) if !table.is_empty() => {
                let inner = variable_names(table, &name);
                names.extend(
                    inner
                        .iter()
                        .map(|inner| inner.replacen(&format!("{name}_"), &format!("{name}__"), 1)),
                );
            }
            _ => names.push(name),
        }
    }
    names
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text in quotes",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a decimal number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}

fn joined(section: &str, key: &str) -> String {
    if section.is_empty() {
        key.to_owned()
    } else {
        format!("{section}.{key}")
    }
}

fn at<'a>(table: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(table.get(first)?, |value, key| match value {
            Value::Table(table) => table.get(key),
            Value::Array(entries) => entries.get(key.parse::<usize>().ok()?),
            _ => None,
        })
}

/// Sets, or with `None` removes, the value at a path; false where the path leads nowhere.
fn put(table: &mut Table, path: &[String], value: Option<Value>) -> bool {
    let Some((last, parents)) = path.split_last() else {
        return false;
    };
    let mut current = table;
    let mut keys = parents.iter();
    while let Some(key) = keys.next() {
        let next = match current.get_mut(key) {
            Some(Value::Array(entries)) => {
                let index = keys.next().and_then(|index| index.parse::<usize>().ok());
                index.and_then(|index| entries.get_mut(index))
            }
            other => other,
        };
        let Some(Value::Table(next)) = next else {
            return false;
        };
        current = next;
    }
    match value {
        Some(value) => {
            current.insert(last.clone(), value);
            true
        }
        None => current.remove(last).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_two_words_is_the_letters_to_change() {
        assert_eq!(distance("listen", "listen"), 0);
        assert_eq!(distance("lisen", "listen"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn every_setting_has_its_variable() {
        let defaults: Table = "[a]\nb_c = 1\n[a.d]\ne = 2".parse().unwrap();
        assert_eq!(
            variable_names(&defaults, "GATE"),
            ["GATE_A__B_C", "GATE_A__D__E"]
        );
    }
}
