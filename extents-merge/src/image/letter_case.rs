//! Names from systems in which `Disk.vhd` and `disk.vhd` are one file.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The file `path`, which is not there under this name, under the only one that differs from it in nothing but the case of
/// letters. Only the part below `directory` may differ, which `path` must begin with.
pub(crate) fn in_other_case(directory: &Path, path: &Path) -> Option<PathBuf> {
    path.strip_prefix(directory).ok()?.iter().try_fold(directory.to_path_buf(), |found, name| {
        let as_named = found.join(name);
        if as_named.symlink_metadata().is_ok() { Some(as_named) } else { only_entry(&found, name) }
    })
}

/// The only entry of `directory` that is `name` in whatever case.
fn only_entry(directory: &Path, name: &OsStr) -> Option<PathBuf> {
    let folded = |name: &OsStr| name.to_str().map(str::to_lowercase);
    let wanted = folded(name)?;
    let entries = directory.read_dir().ok()?.map_while(Result::ok);
    let mut alike = entries.filter(|entry| folded(&entry.file_name()).as_ref() == Some(&wanted));
    alike.next().filter(|_| alike.next().is_none()).map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_name_may_differ_in_case_if_it_is_the_only_one() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let touch = |name: &str| std::fs::write(root.join(name), []).unwrap();
        std::fs::create_dir(root.join("VM")).unwrap();
        touch("VM/Größe.VHD");
        touch("VM/other.vhd");
        let found = |name: &str| in_other_case(root, &root.join(name));
        assert_eq!(found("vm/gRÖSSE.vhd"), None);
        assert_eq!(found("vm/gRÖße.vhd"), Some(root.join("VM/Größe.VHD")));
        assert_eq!(found("VM/Größe.VHD"), Some(root.join("VM/Größe.VHD")));
        assert_eq!(found("vm/missing.vhd"), None);
        assert_eq!(in_other_case(&root.join("VM"), &root.join("vm/other.vhd")), None);
        touch("VM/GRÖSSE.vhd");
        assert_eq!(found("vm/größe.vhd"), Some(root.join("VM/Größe.VHD")));
        touch("VM/größe.vhd");
        assert_eq!(found("vm/GRÖße.vhd"), None);
        // As it is named, it is there.
        assert_eq!(found("vm/größe.vhd"), Some(root.join("VM/größe.vhd")));
    }
}
