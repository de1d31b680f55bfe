//! What was collected from documents so far: readers of every dialect add to it, range by range.

use crate::extent::rescale::{bytes_of, touched, units};
use crate::extent::unit_set::UnitSet;
use crate::failure::Failure;

/// The data of a disk, in units.
#[derive(Debug)]
pub(crate) struct Collected {
    /// log2 of the bytes of a unit.
    pub(crate) unit_bits: u32,
    /// The units that may hold data.
    pub(crate) data: UnitSet,
    /// A failure that ended the reading and is no damage, which serde's errors cannot carry.
    pub(crate) no_damage: Option<Failure>,
}

impl Collected {
    /// Nothing in it yet, and units of 2^`unit_bits` bytes.
    pub(crate) fn new(unit_bits: u32) -> Self {
        Collected { unit_bits, data: UnitSet::new(), no_damage: None }
    }

    /// Fails when a disk of `size` bytes has more units than the set holds.
    pub(crate) fn check_size(&mut self, size: u64) -> Result<(), String> {
        if units(size, self.unit_bits) <= UnitSet::MAX_UNITS {
            return Ok(());
        }
        Err(self.refuse(format!(
            "a disk of {size} bytes has too many units of 2^{} bytes: expected at most 2^{}",
            self.unit_bits,
            UnitSet::MAX_UNITS.ilog2()
        )))
    }

    /// Ends the reading with status 4, when the caller passes the sentence on as its error.
    pub(crate) fn refuse(&mut self, sentence: String) -> String {
        self.pass_on(Failure::unsupported(sentence))
    }

    /// Ends the reading with `failure`, when the caller passes the sentence on as its error.
    pub(crate) fn pass_on(&mut self, failure: Failure) -> String {
        self.no_damage.insert(failure).to_string()
    }

    /// Adds the guest bytes `[start, end)`, rounded outwards.
    pub(crate) fn add_bytes(&mut self, start: u64, end: u64) -> Result<(), String> {
        if let Some((first, last)) = touched(start, end, self.unit_bits) {
            self.data.insert(first, last).map_err(|failure| self.pass_on(failure))?;
        }
        Ok(())
    }

    /// Adds the clusters `first..=last`, cut at the end of the disk.
    pub(crate) fn add_clusters(&mut self, run: (u64, u64), bits: u32, size: u64) -> Result<(), String> {
        let (first, last) = run;
        if first > last {
            return Err(format!("a run ends before it begins: found [{first},{last}]"));
        }
        let Some((start, end)) = bytes_of(first, last, bits, size) else {
            let clusters = units(size, bits);
            return Err(format!(
                "a run starts past the disk: found cluster {first}, expected less than {clusters}"
            ));
        };
        self.add_bytes(start, end)
    }
}
