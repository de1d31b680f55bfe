//! Files that users and images name: which may be opened, how they are read, and whether they are still what they were.
//!
//! An [`ImageFile`](file::ImageFile) is read at offsets, through a [window] where a table could be large. What an image
//! names is opened within its [confinement]. Whether two names lead to one file is a matter of their [identity]; what the
//! file system reports as a hole can count as [zeros](holes). What a file is that is not the one that was expected, its
//! [magic] tells. None of them may be an output, which would [overwrite] it. Where its state must tell of every
//! write, it is opened [at rest](at_rest). At the end of a walk comes a [second look](second_look).

pub mod at_rest;
mod candidates;
pub mod changed;
pub mod confinement;
pub mod file;
pub mod holes;
pub mod identity;
mod letter_case;
pub mod magic;
mod normal_path;
pub mod overwrite;
pub mod second_look;
pub mod shell_word;
pub mod window;
