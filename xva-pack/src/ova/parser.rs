//! Bytes to a [`Value`]: the XML is quick-xml's, the grammar of XML-RPC is here.
//!
//! Accepted as the importer's own parser does: a declaration, comments, a DTD, blanks between tags, name spaces.
//! Refused (status 3) with the byte where it was seen: whatever is not well formed, unknown tags and entities, and an
//! empty name in a struct, on which that parser fails.

use std::borrow::Cow;

use extents::failure::Failure;

use crate::ova::tokens::{Token, Tokens, is_blank};
use crate::ova::value::Value;

/// Values inside values. Real metadata has seven levels; the parser recurses, so that the stack needs a bound.
const MAX_DEPTH: u32 = 32;

/// Values in a document, for the memory they take: 2^18 take 20 MiB. A VM with thirty snapshots has 20,000.
const MAX_VALUES: u32 = 1 << 18;

/// Reads the one value that `text` consists of.
pub(crate) fn parse(text: &str) -> Result<Value<'_>, Failure> {
    let mut parser = Parser { tokens: Tokens::new(text), depth: 0, values: 0 };
    parser.tokens.expect(&Token::Open("value"))?;
    let value = parser.value()?;
    parser.tokens.expect(&Token::End)?;
    Ok(value)
}

struct Parser<'a> {
    tokens: Tokens<'a>,
    depth: u32,
    values: u32,
}

impl<'a> Parser<'a> {
    /// What stands between `<value>`, which was read, and its closing tag, which is read too.
    fn value(&mut self) -> Result<Value<'a>, Failure> {
        self.values += 1;
        self.depth += 1;
        if self.values > MAX_VALUES || self.depth > MAX_DEPTH {
            return Err(Failure::unsupported(format!(
                "too large: expected at most {MAX_VALUES} values, {MAX_DEPTH} inside one another"
            )));
        }
        let value = match self.tokens.next()? {
            Token::Close => Value::text(""),
            Token::Open(tag) => self.typed(tag)?,
            Token::Text(text) => match self.tokens.next()? {
                Token::Close => Value::Text(text),
                Token::Open(tag) if is_blank(&text) => self.typed(tag)?,
                token => return Err(self.tokens.unexpected(&token, "</value>")),
            },
            token @ Token::End => return Err(self.tokens.unexpected(&token, "</value>")),
        };
        self.depth -= 1;
        Ok(value)
    }

    /// What stands between `<tag>` and `</tag></value>`.
    fn typed(&mut self, tag: &'static str) -> Result<Value<'a>, Failure> {
        let value = match tag {
            "struct" => self.members()?,
            "array" => self.elements()?,
            "string" => Value::Text(self.text()?),
            "int" | "i4" | "i8" => Value::Int(self.text()?),
            "boolean" => Value::Boolean(self.text()? == "1"),
            "double" | "dateTime.iso8601" | "base64" | "nil" => {
                self.text()?;
                Value::Other
            }
            _ => return Err(self.tokens.unexpected(&Token::Open(tag), "the type of a value")),
        };
        self.tokens.expect(&Token::Close)?;
        Ok(value)
    }

    fn members(&mut self) -> Result<Value<'a>, Failure> {
        let mut members = Vec::new();
        loop {
            match self.tokens.next_tag()? {
                Token::Close => return Ok(Value::Struct(members)),
                Token::Open("member") => {}
                token => return Err(self.tokens.unexpected(&token, "<member>")),
            }
            self.tokens.expect(&Token::Open("name"))?;
            let name = self.text()?;
            if name.is_empty() {
                return Err(self
                    .tokens
                    .damaged("a struct has a member without a name, on which xapi's parser fails"));
            }
            self.tokens.expect(&Token::Open("value"))?;
            members.push((name, self.value()?));
            self.tokens.expect(&Token::Close)?;
        }
    }

    fn elements(&mut self) -> Result<Value<'a>, Failure> {
        let mut elements = Vec::new();
        match self.tokens.next_tag()? {
            Token::Close => return Ok(Value::Array(elements)),
            Token::Open("data") => {}
            token => return Err(self.tokens.unexpected(&token, "<data>")),
        }
        loop {
            match self.tokens.next_tag()? {
                Token::Close => break,
                Token::Open("value") => elements.push(self.value()?),
                token => return Err(self.tokens.unexpected(&token, "<value>")),
            }
        }
        self.tokens.expect(&Token::Close)?;
        Ok(Value::Array(elements))
    }

    /// The text up to the next closing tag, which is read too.
    fn text(&mut self) -> Result<Cow<'a, str>, Failure> {
        match self.tokens.next()? {
            Token::Close => Ok(Cow::Borrowed("")),
            Token::Text(text) => {
                self.tokens.expect(&Token::Close)?;
                Ok(text)
            }
            token => Err(self.tokens.unexpected(&token, "text")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(document: &str) -> Result<String, String> {
        match parse(document) {
            Ok(value) => Ok(value.as_text().unwrap_or_default().to_owned()),
            Err(failure) => Err(failure.to_string()),
        }
    }

    #[test]
    fn blanks_beside_text_belong_to_it_and_blanks_between_tags_do_not() {
        for (document, text) in [
            ("<value> </value>", " "),
            ("<value>a\r\nb</value>\n", "a\nb"),
            ("<?xml version='1.0'?>\n<!DOCTYPE x>\n<value>\n <string> a </string>\n</value>", " a "),
            ("<value>&lt;a&#x41;&amp;<![CDATA[<b>]]><!-- c -->d</value>", "<aA&<b>d"),
            ("<value/>", ""),
            ("<value><string/></value>", ""),
            ("<r:value xmlns:r='http://x/'>x</r:value>", "x"),
            ("<value xmlns:r='http://x/' r:a=\"1\"><!----><r:string a='-'>x</r:string></value>", "x"),
            ("<value xmlns='http://x/' xml:space='preserve'>x</value>", "x"),
        ] {
            assert_eq!(text_of(document).as_deref(), Ok(text), "{document}");
        }
    }

    #[test]
    fn a_document_has_a_bound_in_depth_and_in_values_and_may_reach_it() {
        let nested = |depth: u32| {
            let levels = usize::try_from(depth - 1).unwrap();
            let (open, close) =
                ("<value><array><data>".repeat(levels), "</data></array></value>".repeat(levels));
            format!("{open}<value/>{close}")
        };
        let wide = |values: u32| {
            let elements = "<value/>".repeat(usize::try_from(values - 1).unwrap());
            format!("<value><array><data>{elements}</data></array></value>")
        };
        for (document, status) in [
            (nested(MAX_DEPTH), None),
            (nested(MAX_DEPTH + 1), Some(4)),
            (wide(MAX_VALUES), None),
            (wide(MAX_VALUES + 1), Some(4)),
        ] {
            let found = parse(&document).err().map(|failure| failure.status() as u8);
            assert_eq!(found, status, "{} bytes", document.len());
        }
    }

    #[test]
    fn what_is_not_one_value_is_refused() {
        let deep = format!("{}1", "<value><array><data>".repeat(33));
        for (document, sentence) in [
            ("", "found the end of the document, expected <value>"),
            ("<value>a", "found the end of the document, expected </value>"),
            ("<value>a</value>b", "found the text \"b\", expected the end of the document"),
            ("<value>a<int>1</int></value>", "found <int>, expected </value>"),
            ("<value><struct><member><name></name><value/></member></struct></value>", "without a name"),
            ("<value><struct><member><value/></member></struct></value>", "found <value>, expected <name>"),
            ("<value>&nbsp;</value>", "unknown entity &nbsp;"),
            ("<value><float>1</float></value>", "unknown tag <float>, at byte 14"),
            ("<value>&#1;</value>", "U+0001 cannot stand in XML"),
            ("<value><int>1</value></int>", "is not XML"),
            ("<value><!-- a -- b -->1</value>", "is not XML"),
            ("<value a='1' a='2'>1</value>", "is not XML"),
            ("<value><int a=1>1</int></value>", "is not XML"),
            ("<value><int a>1</int></value>", "is not XML"),
            ("<value><nil a/></value>", "is not XML"),
            ("<r:value>x</r:value>", "the name space r is not declared"),
            ("<value r:a='1'>x</value>", "the name space r is not declared"),
            ("<value><array><data><value xmlns:r='x'/><r:value/></data></array></value>", "the name space r"),
            (&deep, "32 inside one another"),
        ] {
            let refused = text_of(document).expect_err(document);
            assert!(refused.contains(sentence), "{document}: {refused}");
        }
    }
}
