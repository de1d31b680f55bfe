//! Under which names the parent of a differencing disk is looked for, best first.
//!
//! The locators in the order of their table, as libvhd does; then the parent name of the dynamic header, which libvhd
//! never uses; and last, for absolute names and those that lead to a Windows drive, the bare file name: images are moved
//! together. That is a guess, made only where the unique id of the parent would show that it is wrong.

use std::path::{Path, PathBuf};

use extents::failure::Failure;
use extents::image::file::ImageFile;

use crate::dynamic_header::DynamicHeader;
use crate::parent_locator::Name;

/// The names that `header`, read from `file`, gives its parent.
pub(crate) fn parent_names(header: &DynamicHeader, file: &ImageFile) -> Result<Vec<PathBuf>, Failure> {
    let mut names = Names::default();
    for locator in &header.locators {
        match locator.read(file)? {
            Some(Name::Unix(path)) => names.add_unix(&path),
            Some(Name::Windows(path)) => names.add_windows(&path),
            None => {}
        }
    }
    names.add_windows(&header.parent_name);
    if !header.parent_id.is_null() {
        let own = file.path().file_name();
        for guess in std::mem::take(&mut names.guessed) {
            if Some(guess.as_os_str()) != own {
                names.add(guess);
            }
        }
    }
    Ok(names.certain)
}

#[derive(Default)]
struct Names {
    certain: Vec<PathBuf>,
    guessed: Vec<PathBuf>,
}

impl Names {
    fn add(&mut self, path: impl Into<PathBuf>) {
        let path = path.into();
        let path = path.strip_prefix(".").map(Path::to_path_buf).unwrap_or(path);
        if !path.as_os_str().is_empty() && !self.certain.contains(&path) {
            self.certain.push(path);
        }
    }

    /// An absolute path is tried as it is and, as libvhd does, below the directory of the child.
    fn add_unix(&mut self, path: &Path) {
        self.add(path);
        if let Ok(relative) = path.strip_prefix("/") {
            self.add(relative);
            self.guessed.extend(path.file_name().map(PathBuf::from));
        }
    }

    /// Backslashes become slashes. There are no drives here: a path on one is tried below the directory of the child.
    fn add_windows(&mut self, path: &str) {
        let slashed = path.replace('\\', "/");
        let on_drive = slashed.as_bytes().get(1) == Some(&b':');
        let below = if on_drive { slashed.get(2..).unwrap_or_default() } else { slashed.as_str() };
        if on_drive || path.starts_with('\\') {
            self.add(below.trim_start_matches('/'));
            self.guessed.extend(below.rsplit('/').next().map(PathBuf::from));
        } else {
            self.add_unix(Path::new(below));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(path: &str) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let mut names = Names::default();
        names.add_windows(path);
        (names.certain, names.guessed)
    }

    #[test]
    fn a_windows_path_becomes_one_below_the_child() {
        assert_eq!(windows(".\\a\\b.vhd"), (vec!["a/b.vhd".into()], vec![]));
        assert_eq!(windows("C:\\vm\\p.vhd"), (vec!["vm/p.vhd".into()], vec!["p.vhd".into()]));
        assert_eq!(windows("\\\\srv\\vm\\p.vhd"), (vec!["srv/vm/p.vhd".into()], vec!["p.vhd".into()]));
        assert_eq!(
            windows("/srv/p.vhd"),
            (vec!["/srv/p.vhd".into(), "srv/p.vhd".into()], vec!["p.vhd".into()])
        );
        assert_eq!(windows("C:"), (vec![], vec!["".into()]));
        assert_eq!(windows(""), (vec![], vec![]));
    }
}
