//! An XML-RPC value as the importer sees it: which types it tells apart, and which it takes for one another.

use std::borrow::Cow;

/// A value; its text is borrowed from the document unless something in it was escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// `<value>text</value>`, also with `<string>`: a string, a reference, an enum, and also a number.
    Text(Cow<'a, str>),
    /// `<int>`, `<i4>` or `<i8>`, which the importer does not take for a string.
    Int(Cow<'a, str>),
    /// `<boolean>`: `1` is true, every other text is false.
    Boolean(bool),
    /// `<double>`, `<dateTime.iso8601>`, `<base64>` or `<nil>`, whose texts nothing here needs.
    Other,
    /// `<array>`.
    Array(Vec<Value<'a>>),
    /// `<struct>`: a record or a map, in the order of the document.
    Struct(Vec<(Cow<'a, str>, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// A string.
    pub(crate) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Value::Text(text.into())
    }

    /// A number as the importer takes it wherever it stands: without a type.
    pub(crate) fn number(number: impl Into<i128>) -> Self {
        Value::text(number.into().to_string())
    }

    /// What it holds if it is a string.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What it holds if it is a decimal number, with or without a type.
    pub(crate) fn as_integer(&self) -> Option<i64> {
        match self {
            Value::Text(text) | Value::Int(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The member `name` of a record. Of members with one name the importer takes the last.
    pub(crate) fn field(&self, name: &str) -> Option<&Value<'a>> {
        self.last_member(|key| key == name)
    }

    /// The member `name`, of which the importer ignores the case (those outside the records).
    pub(crate) fn member(&self, name: &str) -> Option<&Value<'a>> {
        self.last_member(|key| key.eq_ignore_ascii_case(name))
    }

    fn last_member(&self, is_it: impl Fn(&str) -> bool) -> Option<&Value<'a>> {
        match self {
            Value::Struct(members) => {
                members.iter().rev().find(|(key, _)| is_it(key)).map(|(_, value)| value)
            }
            _ => None,
        }
    }
}
