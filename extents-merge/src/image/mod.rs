//! Files that users and images name.

pub mod confinement;
pub mod file;
pub mod holes;
pub mod second_look;
pub mod window;
