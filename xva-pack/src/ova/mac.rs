//! The MAC address of a network card, as people write it: `00:16:3e:5a:01:02`.
//!
//! Source: xapi's `Helpers.is_valid_MAC`; IEEE 802, the bit that tells a group from one card.

use std::fmt::{self, Display, Formatter};

/// An address that one card can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mac([u8; 6]);

impl Mac {
    /// Reads six pairs of hexadecimal digits, in either case, with colons between them.
    ///
    /// Refused (with the sentence): anything else, the address of a group (multicast, broadcast), and all zeros.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = |expected| Err(format!("found the MAC address {text:?}, expected {expected}"));
        let mut bytes = [0; 6];
        let mut pairs = text.split(':');
        for byte in &mut bytes {
            let pair = pairs.next().filter(|pair| pair.len() == 2 && !pair.starts_with('+'));
            match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
                Some(read) => *byte = read,
                None => return refused("one such as 00:16:3e:5a:01:02"),
            }
        }
        if pairs.next().is_some() {
            return refused("one such as 00:16:3e:5a:01:02");
        }
        if bytes[0] & 1 == 1 || bytes == [0; 6] {
            return refused("that of one card: an even first pair, and not all zeros");
        }
        Ok(Mac(bytes))
    }
}

impl Display for Mac {
    /// In lower case, as xapi shows it.
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.map(|byte| format!("{byte:02x}")).join(":"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_in_lower_case() {
        for (text, shown) in [
            ("00:16:3E:5a:01:02", "00:16:3e:5a:01:02"),
            ("fe:ff:ff:ff:ff:ff", "fe:ff:ff:ff:ff:ff"),
            ("00:00:00:00:00:01", "00:00:00:00:00:01"),
        ] {
            assert_eq!(Mac::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_no_single_card_has_is_refused() {
        for bad in [
            "",
            "00:16:3e:5a:01",
            "00:16:3e:5a:01:02:03",
            "00:16:3e:5a:01:02:",
            "00:16:3e:5a:01:2",
            "00:16:3e:5a:01:002",
            "00-16-3e-5a-01-02",
            "00163e5a0102",
            "00:16:3e:5a:01:0g",
            "00:16:3e:5a:01:+2",
            " 00:16:3e:5a:01:02",
            "00:16:3e:5a:01:é",
            "01:00:5e:00:00:01",
            "ff:ff:ff:ff:ff:ff",
            "00:00:00:00:00:00",
        ] {
            assert!(Mac::parse(bad).is_err(), "{bad:?}");
        }
    }
}
