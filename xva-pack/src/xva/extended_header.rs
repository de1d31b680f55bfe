//! Members that say something about the member that follows them: a long name (old GNU) or attributes (pax).
//!
//! Source: POSIX.1-2017, pax, "pax Extended Header"; GNU tar manual, "Extensions". Only a name and a size matter here.

use crate::xva::tar_header::until_nul;

/// What was said in place of the header's own fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Overrides {
    /// Name of the member.
    pub(crate) name: Option<Vec<u8>>,
    /// Bytes of its data.
    pub(crate) size: Option<u64>,
}

impl Overrides {
    /// The data of a GNU long-name member: the name, ended with a NUL.
    pub(crate) fn long_name(&mut self, data: &[u8]) {
        self.name = Some(until_nul(data).to_vec());
    }

    /// The data of a pax header: records `length key=value\n`, the length in decimal and of the whole record.
    ///
    /// Refused: records that are not of that form, and sparse members of GNU tar, whose data is not what it seems.
    pub(crate) fn pax(&mut self, mut data: &[u8]) -> Result<(), String> {
        while !data.is_empty() {
            let (key, value, rest) = record(data).ok_or("the pax header is damaged")?;
            match key {
                b"path" => self.name = Some(value.to_vec()),
                b"size" => {
                    let size = decimal(value).ok_or("the size in the pax header is not a number")?;
                    self.size = Some(size);
                }
                _ if key.starts_with(b"GNU.sparse.") => {
                    return Err("is stored sparse: expected an archive made without tar --sparse".to_owned());
                }
                _ => {}
            }
            data = rest;
        }
        Ok(())
    }
}

/// Splits the first record off: key, value and what follows.
fn record(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = data.iter().position(|&byte| byte == b' ')?;
    let length = usize::try_from(decimal(data.get(..space)?)?).ok()?;
    let rest = data.get(length..)?;
    let record = data.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    Some((record.get(..equals)?, record.get(equals + 1..)?, rest))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pax_records_are_cut_by_their_length_not_by_newlines() {
        let mut said = Overrides::default();
        said.pax(b"16 comment=a=b\n\n15 path=x/y=\nz\n20 size=00000000512\n").unwrap();
        assert_eq!(said, Overrides { name: Some(b"x/y=\nz".to_vec()), size: Some(512) });
    }

    #[test]
    fn damaged_pax_records_are_refused() {
        for bad in [
            &b"5 a=b"[..],
            b"99 a=b\n",
            b"0 a=b\n",
            b"x a=b\n",
            b"6 abc\n",
            b"+6 a=b\n",
            b"\0",
            b"10 size=x\n",
            b"3",
        ] {
            assert!(Overrides::default().pax(bad).is_err(), "{}", bad.escape_ascii());
        }
        assert!(Overrides::default().pax(b"22 GNU.sparse.major=1\n").unwrap_err().contains("--sparse"));
    }
}
