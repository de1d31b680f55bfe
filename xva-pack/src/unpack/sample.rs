//! Which blocks of an archive are looked at where not all of them are.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::str::FromStr;

use twox_hash::XxHash64;

/// A share in 10^8.
const WHOLE: u64 = 100_000_000;

/// Digits behind the point of a number of percent.
const DECIMALS: usize = 6;

/// How many blocks are looked at, of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u64);

impl FromStr for Share {
    type Err = String;

    /// Reads `1%` or `0.05%`: more than nothing, and at most `100%`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("found {text}, expected a share of all blocks, such as 1%");
        let number = text.strip_suffix('%').ok_or_else(wrong)?;
        let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{rest:0<DECIMALS$}");
        if rest.len() > DECIMALS || whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        digits.parse().ok().filter(|share| (1..=WHOLE).contains(share)).map(Share).ok_or_else(wrong)
    }
}

/// Blocks that are chosen at random, the same ones for the same seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    share: Share,
    seed: u64,
}

impl Sample {
    /// So many of the blocks, those of `seed`; of any seed if there is none.
    pub fn new(share: Share, seed: Option<u64>) -> Self {
        Sample { share, seed: seed.unwrap_or_else(|| RandomState::new().build_hasher().finish()) }
    }

    /// Which blocks they are.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether the block with this name is one of them.
    pub(crate) fn takes(&self, name: &str) -> bool {
        let scaled = u128::from(XxHash64::oneshot(self.seed, name.as_bytes())) * u128::from(WHOLE);
        scaled >> u64::BITS < u128::from(self.share.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_number_of_percent() {
        for (text, share) in
            [("1%", 1_000_000), ("100%", WHOLE), ("0.05%", 50_000), ("0.000001%", 1), ("12.5%", 12_500_000)]
        {
            assert_eq!(text.parse(), Ok(Share(share)), "{text}");
        }
        for text in
            ["", "%", "1", "0%", "0.0000001%", "100.000001%", "-1%", "+1%", ".5%", "1e2%", "1,5%", "٣%"]
        {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_seed_takes_the_same_blocks_again_and_about_as_many_as_were_asked_for() {
        let taken = |share: &str, seed| {
            let sample = Sample::new(share.parse().unwrap(), Some(seed));
            (0..100_000).filter(|n| sample.takes(&format!("Ref:0/{n:08}"))).collect::<Vec<u32>>()
        };
        assert_eq!(taken("1%", 1), taken("1%", 1));
        assert_ne!(taken("1%", 1), taken("1%", 2));
        assert!((800..1200).contains(&taken("1%", 3).len()));
        assert_eq!(taken("100%", 4).len(), 100_000);
        let share = "1%".parse().unwrap();
        assert_ne!(Sample::new(share, None).seed(), Sample::new(share, None).seed());
    }
}
