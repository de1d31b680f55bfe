//! What a file keeps when another one takes its place: owner and mode, the access control list, and what users and `SELinux`
//! have noted on it. A disk that only its owner could read must not become readable for others.

use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use rustix::fs::{XattrFlags, fremovexattr, fsetxattr, getxattr, listxattr};
use rustix::io::Errno;

/// The access control list.
const ACL: &str = "system.posix_acl_access";
/// Other attributes that are copied, where that is possible.
const NOTES: [&str; 2] = ["user.", "security.selinux"];
/// Bytes of all names, and of one value: the kernel's own limits.
const MAX_BYTES: usize = 64 << 10;

/// Gives `new` what the file `old` at `path` has. Fails if that cannot be its owner, group, mode and access control list.
pub(crate) fn copy(path: &Path, old: &Metadata, new: &File) -> io::Result<()> {
    let now = new.metadata()?;
    if (old.uid(), old.gid()) != (now.uid(), now.gid()) {
        fchown(new, Some(old.uid()), Some(old.gid()))?;
    }
    copy_list(path, new)?;
    copy_notes(path, new);
    // Last, as both others may change it.
    let mode = old.mode() & 0o7777;
    if new.metadata()?.mode() & 0o7777 != mode {
        new.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// A new file may have got a list from its folder.
fn copy_list(path: &Path, new: &File) -> io::Result<()> {
    let mut value = vec![0; MAX_BYTES];
    let done = match getxattr(path, ACL, &mut value[..]) {
        Ok(length) => fsetxattr(new, ACL, &value[..length], XattrFlags::empty()),
        Err(_) => fremovexattr(new, ACL),
    };
    match done {
        Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn copy_notes(path: &Path, new: &File) {
    let (mut names, mut value) = (vec![0; MAX_BYTES], vec![0; MAX_BYTES]);
    let length = listxattr(path, &mut names[..]).unwrap_or(0);
    let copied = |name: &&[u8]| NOTES.iter().any(|note| name.starts_with(note.as_bytes()));
    for name in names[..length].split(|&byte| byte == 0).filter(copied) {
        if let Ok(length) = getxattr(path, name, &mut value[..]) {
            let _ = fsetxattr(new, name, &value[..length], XattrFlags::empty());
        }
    }
}
