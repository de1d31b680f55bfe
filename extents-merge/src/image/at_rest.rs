//! A file whose times will tell every write from here on. The clock of file systems goes in steps of some milliseconds: of two
//! writes in one step the second one changes no time, and a state that was taken between them is that of both.

use std::thread::sleep;
use std::time::{Duration, SystemTime};

use crate::failure::Failure;
use crate::image::file::ImageFile;
use crate::image::identity::{Identity, State};

/// More than a step of the kernel's clock, which has at most 10 ms.
const STEP: Duration = Duration::from_millis(20);

/// More than a step of a file system that keeps no fractions of seconds, such as ext3; FAT counts by two seconds.
const LONG_STEP: Duration = Duration::from_millis(2100);

/// States that are looked at before a file counts as one that is never at rest.
const TRIES: u32 = 10;

/// Waits until the last change of `file` is a step of the clock ago, and takes its state anew. Of a block device no writes
/// are known.
///
/// Status 1 for a file that changes all the time.
pub fn at_rest(file: ImageFile) -> Result<ImageFile, Failure> {
    at_rest_after(sleep, file)
}

fn at_rest_after(mut pause: impl FnMut(Duration), file: ImageFile) -> Result<ImageFile, Failure> {
    let mut file = file.anew()?;
    for _ in 0..TRIES {
        let wait = time_left(&file.state(), SystemTime::now());
        if wait.is_zero() {
            return Ok(file);
        }
        pause(wait);
        let before = file.state();
        file = file.anew()?;
        if file.state() == before {
            return Ok(file);
        }
    }
    Err(file.changed("it is written to all the time"))
}

/// How long a file in `state` must still stay in it, at `now`, to be at rest. One that was changed later than now, by
/// the clock of another machine perhaps, must do so for a whole step.
fn time_left(state: &State, now: SystemTime) -> Duration {
    let (seconds, nanoseconds) = state.changed;
    let step = if nanoseconds == 0 { LONG_STEP } else { STEP };
    let (Ok(since_1970), Identity::File { .. }) =
        (now.duration_since(SystemTime::UNIX_EPOCH), state.identity)
    else {
        return Duration::ZERO;
    };
    let since_1970 = i128::from(since_1970.as_secs()) * 1_000_000_000 + i128::from(since_1970.subsec_nanos());
    let age = since_1970 - (i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds));
    step.saturating_sub(Duration::from_nanos(u64::try_from(age.max(0)).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn state(changed: (i64, i64)) -> State {
        let identity = Identity::File { device: 1, inode: 2 };
        State { identity, size: 0, modified: (0, 0), changed }
    }

    #[test]
    fn what_changed_a_step_ago_is_at_rest_and_what_is_to_change_later_needs_a_whole_one() {
        let now = SystemTime::UNIX_EPOCH + Duration::new(100, 5_000_000);
        let left = |seconds, nanoseconds| time_left(&state((seconds, nanoseconds)), now);
        assert_eq!(left(100, 4_000_000), Duration::from_millis(19));
        assert_eq!(left(99, 985_000_000), Duration::ZERO);
        assert_eq!(left(-1, 985_000_000), Duration::ZERO);
        assert_eq!(left(100, 6_000_000), STEP);
        assert_eq!(left(i64::MAX, 1), STEP);
        assert_eq!(left(i64::MIN, 1), Duration::ZERO);
        // Whole seconds: all of that second, and one more.
        assert_eq!(left(100, 0), Duration::from_millis(2095));
        assert_eq!(left(98, 0), Duration::from_millis(95));
        let device = State { identity: Identity::Device(1), ..state((100, 5)) };
        assert_eq!(time_left(&device, now), Duration::ZERO);
    }

    #[test]
    fn every_write_to_a_file_at_rest_is_seen() {
        for _ in 0..20 {
            let mut writer = tempfile::NamedTempFile::new().unwrap();
            writer.write_all(b"x").unwrap();
            let file = at_rest(ImageFile::open(writer.path()).unwrap()).unwrap();
            writer.as_file_mut().write_all(b"y").unwrap();
            assert!(file.has_changed());
            let file = at_rest(file).unwrap();
            assert_eq!((file.size(), file.has_changed(), file.has_name()), (2, false, true));
        }
    }

    #[test]
    fn a_file_that_never_rests_is_given_up() {
        let mut writer = tempfile::NamedTempFile::new().unwrap();
        let file = ImageFile::open(writer.path()).unwrap();
        let write_on = |wait| {
            sleep(wait);
            writer.write_all(b"x").unwrap();
        };
        assert_eq!(at_rest_after(write_on, file).unwrap_err().status() as u8, 1);
        assert_eq!(writer.as_file().metadata().unwrap().len(), u64::from(TRIES));
    }
}
