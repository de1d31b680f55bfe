//! The XML of `ova.xml` as tags and texts: entities resolved, what is no tag and no text left out.

use std::borrow::Cow;

use extents::failure::Failure;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

/// Every tag of XML-RPC values.
const TAGS: [&str; 15] = [
    "value",
    "struct",
    "member",
    "name",
    "array",
    "data",
    "string",
    "int",
    "i4",
    "i8",
    "boolean",
    "double",
    "dateTime.iso8601",
    "base64",
    "nil",
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    Open(&'static str),
    Close,
    Text(Cow<'a, str>),
    End,
}

impl Token<'_> {
    fn describe(&self) -> String {
        match self {
            Token::Open(tag) => format!("<{tag}>"),
            Token::Close => "a closing tag".to_owned(),
            Token::Text(text) => format!("the text {:?}", text.chars().take(20).collect::<String>()),
            Token::End => "the end of the document".to_owned(),
        }
    }
}

/// Reads tokens.
pub(crate) struct Tokens<'a> {
    reader: NsReader<&'a [u8]>,
    /// Read already, after a text.
    ahead: Option<Token<'a>>,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut reader = NsReader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        reader.config_mut().check_comments = true;
        Tokens { reader, ahead: None }
    }

    /// Takes the tag that must come next.
    pub(crate) fn expect(&mut self, expected: &Token<'static>) -> Result<(), Failure> {
        let token = self.next_tag()?;
        if token == *expected { Ok(()) } else { Err(self.unexpected(&token, &expected.describe())) }
    }

    /// The next tag; blanks before it are skipped.
    pub(crate) fn next_tag(&mut self) -> Result<Token<'a>, Failure> {
        match self.next()? {
            Token::Text(text) if is_blank(&text) => self.next(),
            token => Ok(token),
        }
    }

    /// The next tag, or all the text before it.
    pub(crate) fn next(&mut self) -> Result<Token<'a>, Failure> {
        if let Some(token) = self.ahead.take() {
            return Ok(token);
        }
        let mut text = Cow::Borrowed("");
        loop {
            let event = self.reader.read_event().map_err(|e| self.damaged(&format!("is not XML: {e}")))?;
            let token = match event {
                Event::Text(part) => {
                    self.join(&mut text, part.xml10_content())?;
                    continue;
                }
                Event::CData(part) => {
                    self.join(&mut text, part.xml10_content())?;
                    continue;
                }
                Event::GeneralRef(entity) => {
                    let character = match entity.resolve_char_ref() {
                        Ok(Some(character)) => Some(character.to_string()),
                        _ => resolve_predefined_entity(&entity).map(str::to_owned),
                    };
                    let Some(character) = character else {
                        return Err(self.damaged(&format!("unknown entity &{};", &*entity)));
                    };
                    self.join(&mut text, Cow::Owned(character))?;
                    continue;
                }
                Event::Start(tag) => {
                    self.check(&tag)?;
                    let name = tag.local_name();
                    match TAGS.iter().find(|known| **known == name.as_ref()) {
                        Some(known) => Token::Open(known),
                        None => return Err(self.damaged(&format!("unknown tag <{}>", name.as_ref()))),
                    }
                }
                Event::End(_) => Token::Close,
                Event::Eof => Token::End,
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {
                    continue;
                }
            };
            if text.is_empty() {
                return Ok(token);
            }
            self.ahead = Some(token);
            return Ok(Token::Text(text));
        }
    }

    /// Refuses attributes that are none, and a name space that was not declared.
    fn check(&self, tag: &BytesStart<'_>) -> Result<(), Failure> {
        let resolver = self.reader.resolver();
        let (mut name_space, _) = resolver.resolve_element(tag.name());
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| self.damaged(&format!("is not XML: {error}")))?;
            if let (unknown @ ResolveResult::Unknown(_), _) = resolver.resolve_attribute(attribute.key) {
                name_space = unknown;
            }
        }
        match name_space {
            ResolveResult::Unknown(prefix) => {
                Err(self.damaged(&format!("the name space {prefix} is not declared")))
            }
            _ => Ok(()),
        }
    }

    fn join(&self, text: &mut Cow<'a, str>, part: Cow<'a, str>) -> Result<(), Failure> {
        if let Some(bad) = part.chars().find(|c| !is_xml(*c)) {
            return Err(self.damaged(&format!("character U+{:04X} cannot stand in XML", u32::from(bad))));
        }
        if text.is_empty() {
            *text = part;
        } else {
            text.to_mut().push_str(&part);
        }
        Ok(())
    }

    /// Status 3, for what is not XML-RPC.
    pub(crate) fn unexpected(&self, found: &Token<'_>, expected: &str) -> Failure {
        self.damaged(&format!("is not an XML-RPC value: found {}, expected {expected}", found.describe()))
    }

    /// Status 3, with the byte.
    pub(crate) fn damaged(&self, sentence: &str) -> Failure {
        Failure::damaged(format!("{sentence}, at byte {}", self.reader.buffer_position()))
    }
}

/// What the importer's parser skips between tags.
pub(crate) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n'))
}

/// The characters of XML 1.0.
pub(crate) fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}
