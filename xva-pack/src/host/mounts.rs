//! Why a block device is busy, for the sentence that refuses to write to it: the kernel says no more than that it is.

use std::fs::{metadata, read_dir, read_to_string};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{major, minor};

/// Who uses the device `path`: where it, or a part of it, is mounted, as far as this process sees it.
pub(crate) fn user_of(path: &Path) -> String {
    let number = metadata(path).map(|found| format!("{}:{}", major(found.rdev()), minor(found.rdev())));
    let mounts = read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let place = number.ok().and_then(|number| {
        let parts = parts_of(&number);
        std::iter::once(number).chain(parts).find_map(|number| mounted_at(&mounts, &number))
    });
    match place {
        Some(place) => format!("it is mounted at {place}"),
        None => "it is in use: mounted elsewhere, or by LVM, RAID, swap or another program".to_owned(),
    }
}

/// The partitions of a device, as `MAJOR:MINOR`.
fn parts_of(number: &str) -> Vec<String> {
    let folder = read_dir(format!("/sys/dev/block/{number}"));
    let numbers = folder.into_iter().flatten().flatten();
    let numbers = numbers.filter(|part| part.path().join("partition").exists());
    numbers.filter_map(|part| Some(read_to_string(part.path().join("dev")).ok()?.trim().to_owned())).collect()
}

/// Where the device `number` is mounted, in the lines of `mountinfo`: the third field is the number, the fifth the place.
fn mounted_at(mounts: &str, number: &str) -> Option<String> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(2);
        let found = fields.next()? == number;
        found.then(|| fields.nth(1).map(str::to_owned))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_found_by_its_number_and_no_other_is() {
        let mounts =
            "22 1 254:0 / / rw - ext4 /dev/vda rw\n36 22 7:1 / /mnt/a\\040b ro - ext4 /dev/loop1 ro\n";
        assert_eq!(mounted_at(mounts, "7:1").as_deref(), Some("/mnt/a\\040b"));
        assert_eq!(mounted_at(mounts, "7:10"), None);
        assert_eq!(mounted_at("", "7:1"), None);
    }
}
