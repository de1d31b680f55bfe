//! A walk: the extents of a layer or chain, and at its end a second look at what it relied on, since images change while
//! they are read. A walk remembers what it has read, and compares.

use crate::extent::Extent;
use crate::failure::Failure;

/// The extents of a layer or chain, in guest order.
pub trait Walk: Iterator<Item = Result<Extent, Failure>> {
    /// To be called when the walk has ended: status 1 if what it has read is something else now.
    fn look_again(&mut self) -> Result<(), Failure>;

    /// Nobody needs what lies before guest offset `offset`, in bytes, any more: extents that end there or earlier may be left
    /// out, if it takes work to know them.
    fn skip_to(&mut self, _offset: u64) {}
}

/// A walk of whatever kind.
pub type Extents<'a> = Box<dyn Walk + 'a>;

/// Extents whose second look needs nothing that was seen on the way.
pub struct Checked<I, F> {
    extents: I,
    check: F,
}

impl<I, F> Checked<I, F>
where
    I: Iterator<Item = Result<Extent, Failure>>,
    F: FnMut() -> Result<(), Failure>,
{
    /// A walk over `extents` whose second look is `check`.
    pub fn new(extents: I, check: F) -> Self {
        Checked { extents, check }
    }
}

impl<I: Iterator, F> Iterator for Checked<I, F> {
    type Item = I::Item;

    fn next(&mut self) -> Option<Self::Item> {
        self.extents.next()
    }
}

impl<I, F> Walk for Checked<I, F>
where
    I: Iterator<Item = Result<Extent, Failure>>,
    F: FnMut() -> Result<(), Failure>,
{
    fn look_again(&mut self) -> Result<(), Failure> {
        (self.check)()
    }
}

/// The extents of a walk, and after the last of them the failure of its second look, if that fails. A consumer that stops
/// at the first failure thus never completes its output over an image that changed.
pub struct LookAgain<'a> {
    walk: Extents<'a>,
    looked: bool,
}

impl<'a> LookAgain<'a> {
    /// Looks again when `walk` has ended.
    pub fn after(walk: Extents<'a>) -> Self {
        LookAgain { walk, looked: false }
    }
}

impl Iterator for LookAgain<'_> {
    type Item = Result<Extent, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.walk.next();
        if next.is_none() && !std::mem::replace(&mut self.looked, true) {
            return self.walk.look_again().err().map(Err);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_check_comes_after_the_last_extent_and_once() {
        let none = std::iter::empty::<Result<Extent, Failure>>;
        assert_eq!(LookAgain::after(Box::new(Checked::new(none(), || Ok(())))).count(), 0);
        let failing = Checked::new(none(), || Err(Failure::system("x")));
        let extents: Vec<_> = LookAgain::after(Box::new(failing)).collect();
        assert_eq!(extents, [Err(Failure::system("x"))]);
    }
}
