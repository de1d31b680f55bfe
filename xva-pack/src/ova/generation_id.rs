//! The generation ID of a machine, by which Windows learns that it was copied or went back in time.
//!
//! Source: xapi's `import.ml` and `Xapi_vm_helpers.fresh_genid`.

/// What `generation_id` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationId(String);

impl Default for GenerationId {
    /// The one that every importer and every clone replaces by a new one.
    fn default() -> Self {
        GenerationId("0:0".to_owned())
    }
}

impl GenerationId {
    /// Reads two numbers with a colon between them, or `none`: an empty one, which nothing ever replaces.
    ///
    /// Refused (with the sentence): numbers that do not fit xapi's signed 64 bits.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(GenerationId(String::new()));
        }
        let number =
            |digits: &str| digits.parse::<i64>().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
        match text.split_once(':').map(|(high, low)| (number(high), number(low))) {
            Some((Some(high), Some(low))) => Ok(GenerationId(format!("{high}:{low}"))),
            _ => {
                Err(format!("found {text:?}, expected none, or two numbers up to {}, such as 0:0", i64::MAX))
            }
        }
    }

    /// As it stands in the record.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_or_none() {
        for (text, record) in [
            ("0:0", "0:0"),
            ("none", ""),
            ("1:9223372036854775807", "1:9223372036854775807"),
            ("007:1", "7:1"),
        ] {
            assert_eq!(GenerationId::parse(text).unwrap().as_str(), record);
        }
        for bad in
            ["", "0", ":", "0:", ":0", "0:0:0", "-1:0", "+1:0", "0x1:0", "1:9223372036854775808", "None"]
        {
            assert!(GenerationId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
