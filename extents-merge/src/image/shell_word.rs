//! The name of a file in a command that a sentence recommends: to be pasted as it is.

use std::path::Path;

/// `path` as one word of a shell, in quotes only where it needs them.
pub fn shell_word(path: &Path) -> String {
    let name = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "%+,-./:=@_".contains(c);
    // What begins like an option is none after a dot and a slash.
    let name = if name.starts_with('-') { format!("./{name}") } else { name };
    if !name.is_empty() && name.chars().all(is_plain) {
        name
    } else {
        format!("'{}'", name.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_whatever_is_in_it() {
        for (name, word) in [
            ("/backup/web-1.xva", "/backup/web-1.xva"),
            ("my disk.xva", "'my disk.xva'"),
            ("it's", r"'it'\''s'"),
            ("$(reboot).xva", "'$(reboot).xva'"),
            ("-rf", "./-rf"),
            ("~", "'~'"),
        ] {
            assert_eq!(shell_word(Path::new(name)), word);
        }
    }
}
