//! A key and its value, as people write them: `viridian=false`. The maps of a machine consist of them.

use std::collections::BTreeSet;

/// An entry of a map; neither side holds a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    key: String,
    value: String,
}

impl Setting {
    /// The entry `key` with `value`.
    ///
    /// Refused (with the sentence): control characters, and an empty key, at which xapi's parser fails.
    pub fn new(key: &str, value: &str) -> Result<Self, String> {
        if key.is_empty() {
            return Err(format!("the key before ={value:?} is empty"));
        }
        is_one_line(key)?;
        is_one_line(value)?;
        Ok(Setting { key: key.to_owned(), value: value.to_owned() })
    }

    /// Reads `KEY=VALUE`; the value is the rest of the text, and may be empty.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, such as viridian=false")?;
        Setting::new(key, value)
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn value(&self) -> &str {
        &self.value
    }
}

/// Refuses (with the sentence) a text with control characters, line ends among them.
pub(crate) fn is_one_line(text: &str) -> Result<(), String> {
    match text.chars().find(|c| c.is_control()) {
        Some(bad) => Err(format!("{text:?} has the control character U+{:04X}", u32::from(bad))),
        None => Ok(()),
    }
}

/// The first of `names` that was there before.
pub(crate) fn repeated<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = BTreeSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_the_rest_of_the_text() {
        for (text, key, value) in [("a=b", "a", "b"), ("a=", "a", ""), ("a=b=c, d", "a", "b=c, d")] {
            let setting = Setting::parse(text).unwrap();
            assert_eq!((setting.key(), setting.value()), (key, value));
        }
    }

    #[test]
    fn no_key_and_control_characters_are_refused() {
        for bad in ["", "a", "=b", "a\n=b", "a=b\n", "a=\u{1b}[2J", "a=\u{85}", "a=\0"] {
            assert!(Setting::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_there_twice_is_found() {
        assert_eq!(repeated(["a", "b", "b", "a"]), Some("b"));
        assert_eq!(repeated(["a", "b", "A"]), None);
    }
}
