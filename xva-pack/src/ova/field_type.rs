//! The types of fields, and which values the importer's parser takes for each: it guesses no type from a text.

use crate::ova::value::Value;

/// What the importer can make a field of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldType {
    /// A string, a reference or an enum: text without a type, or `<string>`.
    Text,
    /// A number, with or without a type.
    Int,
    /// Only `<boolean>`.
    Bool,
    /// A time: text with or without a type.
    Time,
    /// A struct.
    Map,
    /// An array.
    Set,
}

use FieldType::{Bool, Int, Map, Set, Text, Time};

impl FieldType {
    /// Whether the importer's parser takes `value` for it.
    pub(crate) fn fits(self, value: &Value<'_>) -> bool {
        match self {
            Text => value.as_text().is_some(),
            Int => value.as_integer().is_some(),
            Bool => matches!(value, Value::Boolean(_)),
            Time => matches!(value, Value::Text(_) | Value::Other),
            Map => matches!(value, Value::Struct(_)),
            Set => matches!(value, Value::Array(_)),
        }
    }

    /// What it must be, for a sentence.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Text => "a string",
            Int => "a number",
            Bool => "<boolean>",
            Time => "<dateTime.iso8601>",
            Map => "<struct>",
            Set => "<array>",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boolean_without_its_type_is_no_boolean() {
        assert!(!Bool.fits(&Value::text("1")));
        assert!(
            Int.fits(&Value::text("1")) && Int.fits(&Value::Int("1".into())) && !Int.fits(&Value::text(""))
        );
        assert!(!Text.fits(&Value::Int("1".into())));
    }
}
