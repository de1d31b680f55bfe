//! Tells the programs which commit they are built from, for `--version`: in a clone, and in what is built for release.
//! Debug builds do not say it, so that a commit alone does not compile everything anew.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Not a repository that the package merely was unpacked in.
    let in_clone = Path::new("../.git").exists();
    if !in_clone || env::var("PROFILE").as_deref() != Ok("release") {
        return;
    }
    // Of a fixed length: by default that depends on how much of the history is there.
    let Some(commit) = git(&["describe", "--tags", "--match=v[0-9]*", "--always", "--abbrev=12"]) else {
        return;
    };
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    println!("cargo::rustc-env=XVA_TOOLS_VERSION={version} ({commit})");
}

/// The one line that git answers; none where there is no git, or it fails.
fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
