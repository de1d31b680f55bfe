//! A [`Value`] as the text of `ova.xml`, the way xapi writes it: no declaration, no blanks, strings and numbers without
//! a type.

use extents::failure::Failure;
use quick_xml::Writer;
use quick_xml::escape::escape;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

use crate::ova::tokens::is_xml;
use crate::ova::value::Value;

/// The document that consists of `value`, with a newline at its end.
///
/// Refused (status 2): characters that XML cannot say, such as U+0000, wherever they stand.
pub(crate) fn write(value: &Value<'_>) -> Result<Vec<u8>, Failure> {
    let mut out = Out(Writer::new(Vec::new()));
    out.value(value)?;
    let mut bytes = out.0.into_inner();
    bytes.push(b'\n');
    Ok(bytes)
}

struct Out(Writer<Vec<u8>>);

impl Out {
    fn value(&mut self, value: &Value<'_>) -> Result<(), Failure> {
        self.element("value", |out| match value {
            Value::Text(text) => out.text(text),
            Value::Int(text) => out.element("int", |out| out.text(text)),
            Value::Boolean(yes) => out.element("boolean", |out| out.text(if *yes { "1" } else { "0" })),
            Value::Other => out.element("nil", |_| Ok(())),
            Value::Array(elements) => out.element("array", |out| {
                out.element("data", |out| elements.iter().try_for_each(|element| out.value(element)))
            }),
            Value::Struct(members) => out.element("struct", |out| {
                members.iter().try_for_each(|(name, value)| {
                    out.element("member", |out| {
                        out.element("name", |out| out.text(name))?;
                        out.value(value)
                    })
                })
            }),
        })
    }

    fn element(
        &mut self,
        tag: &str,
        content: impl FnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.event(Event::Start(BytesStart::new(tag)))?;
        content(self)?;
        self.event(Event::End(BytesEnd::new(tag)))
    }

    fn text(&mut self, text: &str) -> Result<(), Failure> {
        if let Some(bad) = text.chars().find(|c| !is_xml(*c)) {
            return Err(Failure::usage(format!(
                "{text:?} cannot be written: found U+{:04X}, expected a character of XML",
                u32::from(bad)
            )));
        }
        // A carriage return as it is would be read as a newline; xapi leaves an apostrophe as it is.
        let escaped = escape(text).replace('\r', "&#13;").replace("&apos;", "'");
        self.event(Event::Text(BytesText::from_escaped(escaped)))
    }

    fn event(&mut self, event: Event<'_>) -> Result<(), Failure> {
        self.0.write_event(event).map_err(|error| Failure::system(format!("cannot write XML: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ova::parser::parse;
    use proptest::prelude::*;

    #[test]
    fn values_are_written_as_xapi_writes_them() {
        let value = Value::Struct(vec![
            ("a<b".into(), Value::text("\"x\" & 'y'\r\n")),
            ("n".into(), Value::number(-1)),
            ("list".into(), Value::Array(vec![Value::Boolean(true), Value::Struct(vec![])])),
        ]);
        let text = String::from_utf8(write(&value).unwrap()).unwrap();
        assert_eq!(
            text,
            "<value><struct><member><name>a&lt;b</name><value>&quot;x&quot; &amp; 'y'&#13;\n</value></member>\
             <member><name>n</name><value>-1</value></member><member><name>list</name><value><array><data>\
             <value><boolean>1</boolean></value><value><struct></struct></value></data></array></value></member>\
             </struct></value>\n"
        );
        assert_eq!(parse(&text).unwrap(), value);
    }

    #[test]
    fn what_xml_cannot_say_is_refused() {
        for bad in ["\0", "a\u{1b}[2J", "\u{ffff}"] {
            assert_eq!(write(&Value::text(bad)).unwrap_err().status() as u8, 2, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_string_comes_back_or_is_refused(text in any::<String>()) {
            match write(&Value::text(text.as_str())) {
                Ok(bytes) => {
                    let document = String::from_utf8(bytes).unwrap();
                    prop_assert_eq!(parse(&document).unwrap(), Value::text(text));
                }
                Err(_) => prop_assert!(text.chars().any(|c| !is_xml(c))),
            }
        }
    }
}
