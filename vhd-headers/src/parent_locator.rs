//! Parent locators: the table in the dynamic header that says, for each platform, where the parent is.
//!
//! Source: Virtual Hard Disk Image Format Specification 1.0, "Parent Locator Entry", and what libvhd makes of it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use extents::extent::length::in_memory;
use extents::failure::Failure;
use extents::image::file::ImageFile;
use nom::IResult;
use nom::number::complete::{be_u32, be_u64};

/// Longest name that is read: 16 times the longest path that Linux opens.
const MAX_LENGTH: u32 = 64 << 10;

/// One entry of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Locator {
    /// How the name is written, as four characters.
    code: u32,
    /// Room for the name, by the specification in sectors. libvhd and Microsoft write bytes.
    data_space: u32,
    /// Bytes of the name, without a terminator.
    data_length: u32,
    /// File offset of the name in bytes.
    data_offset: u64,
}

/// The name in a locator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// `MacX`: a path of this system.
    Unix(PathBuf),
    /// `W2ku`, `W2ru`: a path as Windows writes it.
    Windows(String),
}

/// The 24 bytes of an entry.
pub(crate) fn locator(i: &[u8]) -> IResult<&[u8], Locator> {
    let (i, code) = be_u32(i)?;
    let (i, data_space) = be_u32(i)?;
    let (i, data_length) = be_u32(i)?;
    let (i, _reserved) = be_u32(i)?;
    let (i, data_offset) = be_u64(i)?;
    Ok((i, Locator { code, data_space, data_length, data_offset }))
}

impl Locator {
    /// The name that this entry leads to. `None` for an unused entry, and for a platform that is deprecated or unknown:
    /// another entry or the header has a name too.
    ///
    /// Status 3 when the name lies outside the file, does not fit into its own space, or is longer than 64 KiB.
    pub(crate) fn read(&self, file: &ImageFile) -> Result<Option<Name>, Failure> {
        let code = self.code.to_be_bytes();
        if !matches!(&code, b"MacX" | b"W2ku" | b"W2ru") {
            return Ok(None);
        }
        let what = format!("parent locator {}", String::from_utf8_lossy(&code));
        file.check_range(self.data_offset, u64::from(self.data_length), &what)?;
        let space = self.space();
        if u64::from(self.data_length) > space || self.data_length > MAX_LENGTH {
            return Err(file.damaged(format!(
                "{what}: impossible length: found {} bytes, expected at most {}",
                self.data_length,
                space.min(u64::from(MAX_LENGTH))
            )));
        }
        let mut bytes = vec![0; in_memory(u64::from(self.data_length))];
        file.read_exact_at(&mut bytes, self.data_offset, &what)?;
        Ok(Some(if &code == b"MacX" { Name::Unix(url_path(&bytes)) } else { Name::Windows(utf16le(&bytes)) }))
    }

    /// Room for the name in bytes: a number below 512 counts sectors.
    fn space(&self) -> u64 {
        let space = u64::from(self.data_space);
        if space < 512 { space * 512 } else { space }
    }
}

/// The path of a `file://` URL, percent signs and all: its writers do not encode.
fn url_path(bytes: &[u8]) -> PathBuf {
    let url = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    let path = url.strip_prefix(b"file://").unwrap_or(url);
    PathBuf::from(OsString::from_vec(path.to_vec()))
}

/// The text of a name up to its first zero. What is not UTF-16 becomes a character that no file name has.
pub(crate) fn utf16_name(units: impl IntoIterator<Item = u16>) -> String {
    let name = units.into_iter().take_while(|&unit| unit != 0);
    char::decode_utf16(name).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn utf16le(bytes: &[u8]) -> String {
    utf16_name(bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn percent_signs_of_a_url_stay() {
        assert_eq!(url_path(b"file://./a%20b.vhd\0\0"), Path::new("./a%20b.vhd"));
        assert_eq!(url_path(b"file:///srv/x.vhd"), Path::new("/srv/x.vhd"));
        assert_eq!(url_path(b"x.vhd"), Path::new("x.vhd"));
    }

    #[test]
    fn a_windows_name_ends_at_its_first_zero() {
        assert_eq!(utf16le(b".\0\\\0x\0\0\0y\0"), ".\\x");
        assert_eq!(utf16le(b"x\0\x00\xd8"), "x\u{fffd}");
    }

    #[test]
    fn small_spaces_count_sectors() {
        let locator = |data_space| Locator { code: 0, data_space, data_length: 0, data_offset: 0 };
        assert_eq!([1, 511, 512, 4096].map(|space| locator(space).space()), [512, 261_632, 512, 4096]);
    }
}
