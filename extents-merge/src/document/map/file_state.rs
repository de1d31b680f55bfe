//! In which state a map describes a file: its offsets lead to other bytes in any other state.

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The state of a file that a map names.
///
/// In a map an object whose keys are those of `stat` in Python, and whose values are decimal numbers in strings: JSON
/// readers that take all numbers for floating-point ones, such as JavaScript and jq 1.6, would round an inode above
/// 2^53 and all nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub enum FileState {
    /// Of a file in a file system.
    File {
        /// Bytes: `st_size`.
        size: u64,
        /// Number of the file system: `st_dev`.
        device: u64,
        /// Number of the file in it: `st_ino`.
        inode: u64,
        /// When its content changed last, in seconds and nanoseconds since 1970: `st_mtime_ns`, all in nanoseconds.
        modified: (i64, i64),
        /// When its inode changed last, likewise: `st_ctime_ns`.
        changed: (i64, i64),
    },
    /// Of a block device, whose number and times say nothing about its content.
    Device {
        /// Bytes: `device_size`.
        size: u64,
    },
}

/// The object, as it stands in a map. What else is in it says nothing to us.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, expecting = "the state of a file")]
struct Keys {
    #[serde(skip_serializing_if = "Option::is_none")]
    st_size: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    st_dev: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    st_ino: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    st_mtime_ns: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    st_ctime_ns: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_size: Option<String>,
}

const SECOND: i128 = 1_000_000_000;

impl From<FileState> for Keys {
    fn from(state: FileState) -> Self {
        let number = |number: &dyn Display| Some(number.to_string());
        let time = |(seconds, nanoseconds)| number(&(i128::from(seconds) * SECOND + i128::from(nanoseconds)));
        match state {
            FileState::File { size, device, inode, modified, changed } => Keys {
                st_size: number(&size),
                st_dev: number(&device),
                st_ino: number(&inode),
                st_mtime_ns: time(modified),
                st_ctime_ns: time(changed),
                device_size: None,
            },
            FileState::Device { size } => Keys { device_size: number(&size), ..Keys::default() },
        }
    }
}

impl TryFrom<Keys> for FileState {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let Keys { st_size, st_dev, st_ino, st_mtime_ns, st_ctime_ns, device_size } = keys;
        let all = (st_size, st_dev, st_ino, st_mtime_ns, st_ctime_ns, device_size);
        match all {
            (Some(size), Some(device), Some(inode), Some(modified), Some(changed), None) => {
                Ok(FileState::File {
                    size: number("st_size", &size)?,
                    device: number("st_dev", &device)?,
                    inode: number("st_ino", &inode)?,
                    modified: time("st_mtime_ns", &modified)?,
                    changed: time("st_ctime_ns", &changed)?,
                })
            }
            (None, None, None, None, None, Some(size)) => {
                Ok(FileState::Device { size: number("device_size", &size)? })
            }
            _ => {
                Err("the state of its file is incomplete: expected st_size, st_dev, st_ino, st_mtime_ns and \
                      st_ctime_ns, or device_size alone"
                    .to_owned())
            }
        }
    }
}

fn number<N: FromStr>(key: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("wrong {key}: found {value:?}, expected a number in a string"))
}

/// Nanoseconds since 1970 as seconds and what is left, which is not negative.
fn time(key: &str, value: &str) -> Result<(i64, i64), String> {
    let nanoseconds: i128 = number(key, value)?;
    match (i64::try_from(nanoseconds.div_euclid(SECOND)), i64::try_from(nanoseconds.rem_euclid(SECOND))) {
        (Ok(seconds), Ok(rest)) => Ok((seconds, rest)),
        _ => Err(format!("wrong {key}: found {value}, expected nanoseconds since 1970")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_str, to_string};

    #[test]
    fn numbers_of_64_bits_and_times_before_1970_are_written_and_read_back() {
        for (state, json) in [
            (
                FileState::File {
                    size: u64::MAX,
                    device: u64::MAX,
                    inode: (1 << 53) + 1,
                    modified: (-2, 999_999_999),
                    changed: (1_700_000_000, 5),
                },
                r#"{"st_size":"18446744073709551615","st_dev":"18446744073709551615","st_ino":"9007199254740993","st_mtime_ns":"-1000000001","st_ctime_ns":"1700000000000000005"}"#,
            ),
            (
                FileState::File {
                    size: 0,
                    device: 0,
                    inode: 0,
                    modified: (i64::MIN, 0),
                    changed: (i64::MAX, 999_999_999),
                },
                r#"{"st_size":"0","st_dev":"0","st_ino":"0","st_mtime_ns":"-9223372036854775808000000000","st_ctime_ns":"9223372036854775807999999999"}"#,
            ),
            (FileState::Device { size: 512 }, r#"{"device_size":"512"}"#),
        ] {
            assert_eq!(to_string(&state).unwrap(), json);
            assert_eq!(from_str::<FileState>(json).unwrap(), state);
        }
    }

    #[test]
    fn what_is_incomplete_or_of_another_type_is_no_state() {
        let whole =
            r#"{"st_size":"1","st_dev":"2","st_ino":"3","st_mtime_ns":"4","st_ctime_ns":"5","st_mode":[6]}"#;
        from_str::<FileState>(whole).unwrap();
        for key in ["st_size", "st_dev", "st_ino", "st_mtime_ns", "st_ctime_ns"] {
            assert!(from_str::<FileState>(&whole.replace(key, "other")).is_err(), "{key}");
        }
        for (is, wrong) in [
            (r#""1""#, "1"),
            (r#""2""#, "null"),
            (r#""3""#, r#""""#),
            (r#""3""#, r#""-3""#),
            (r#""3""#, r#""18446744073709551616""#),
            (r#""4""#, r#""4.0""#),
            (r#""5""#, r#""9223372036854775808000000000""#),
            (r#""5""#, r#""5","st_ino":"3""#),
            (r#""5""#, r#""5","device_size":"512""#),
        ] {
            assert!(from_str::<FileState>(&whole.replace(is, wrong)).is_err(), "{is} -> {wrong}");
        }
        for json in ["{}", "null", "1", r#""1""#, r#"{"device_size":512}"#] {
            assert!(from_str::<FileState>(json).is_err(), "{json}");
        }
    }
}
