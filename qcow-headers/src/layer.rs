//! One image of a chain, opened and checked: a QCOW2, or the raw file at its end.

use extents::extent::Extent;
use extents::extent::walk::{Checked, Extents};
use extents::failure::Failure;
use extents::image::confinement::{Confinement, Found};
use extents::image::file::ImageFile;
use extents::image::second_look;

use crate::cluster_set::Budget;
use crate::format::Format;
use crate::named_files::{open_backing_file, open_data_file};
use crate::table_walk::TableWalk;
use crate::tables::Tables;

/// An image of a chain.
#[derive(Debug)]
pub struct Layer {
    file: ImageFile,
    virtual_size: u64,
    /// None for a raw image.
    tables: Option<Tables>,
    notes: Vec<String>,
    warnings: Vec<String>,
}

impl Layer {
    /// A raw image: the last backing file of a chain.
    pub(crate) fn raw(file: ImageFile) -> Layer {
        let virtual_size = file.size();
        let notes = vec![format!("{}: raw backing file, {virtual_size} bytes", file.path().display())];
        Layer { file, virtual_size, tables: None, notes, warnings: Vec::new() }
    }

    /// Opens a QCOW2 and checks its header and its L1 table; with a `confinement` also the external data file, if it has
    /// one.
    pub(crate) fn open(file: ImageFile, confinement: Option<&Confinement>) -> Result<Layer, Failure> {
        let mut tables = Tables::open(&file).map_err(|failure| file.judge(failure))?;
        let mut notes = tables.notes(file.path());
        let mut warnings = Vec::new();
        if let Some(confinement) = confinement.filter(|_| tables.geometry().external_data_file) {
            let found = open_data_file(&file, &tables.first_cluster, confinement)?;
            warnings.extend(moved_warning(&file, &found, "external data file"));
            let data = found.file;
            notes.push(format!("{}: external data file, {} bytes", data.path().display(), data.size()));
            tables.data_file = Some(data);
        }
        let virtual_size = tables.geometry().virtual_size;
        Ok(Layer { file, virtual_size, tables: Some(tables), notes, warnings })
    }

    /// Opens its backing file, if it has one, and says of which format that is: `default_format` if the image does not say.
    pub(crate) fn open_backing_file(
        &mut self,
        confinement: &Confinement,
        default_format: Option<Format>,
    ) -> Result<Option<(ImageFile, Format)>, Failure> {
        let Some(tables) = &self.tables else { return Ok(None) };
        let found = open_backing_file(&self.file, &tables.first_cluster, confinement, default_format)?;
        Ok(found.map(|(found, format)| {
            self.warnings.extend(moved_warning(&self.file, &found, "backing file"));
            (found.file, format)
        }))
    }

    /// The file of the image.
    pub fn file(&self) -> &ImageFile {
        &self.file
    }

    /// The file that holds the data. Status 1 if that is an external data file which was not to be opened.
    pub(crate) fn data(&self) -> Result<&ImageFile, Failure> {
        match &self.tables {
            Some(tables) if tables.geometry().external_data_file => {
                tables.data_file.as_ref().ok_or_else(|| {
                    Failure::system("the external data file is not open").in_file(self.file.path())
                })
            }
            _ => Ok(&self.file),
        }
    }

    /// Bytes of its disk.
    pub(crate) fn virtual_size(&self) -> u64 {
        self.virtual_size
    }

    /// log2 of the smallest unit that its tables know; `u32::MAX` for a raw image, which has no unit.
    pub fn cluster_bits(&self) -> u32 {
        self.tables.as_ref().map_or(u32::MAX, |tables| tables.geometry().unit_bits())
    }

    /// What was found and decided, for people who ask.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What a user should know although it was done.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Status 4 when its data is encrypted: where it lies is known, but not what it is.
    pub(crate) fn check_readable(&self) -> Result<(), Failure> {
        match &self.tables {
            Some(tables) if tables.first_cluster.is_encrypted() => Err(self.file.unsupported(
                "is encrypted: a map would lead to ciphertext, and holes would not be zeros for the guest; without \
                 --skip-holes, intervals and lists can be had, for a device that shows it decrypted (--device of export-xva)",
            )),
            _ => Ok(()),
        }
    }

    /// The walk over this image alone, as layer number `number` in a chain of `layers`, which share `budget`.
    pub(crate) fn extents(&self, number: u16, layers: usize, budget: &Budget) -> Extents<'_> {
        match &self.tables {
            Some(tables) => Box::new(TableWalk::new(&self.file, tables, number, layers, budget)),
            None => {
                Box::new(Checked::new(Extent::whole(number, self.virtual_size).map(Ok).into_iter(), || {
                    self.check_raw()
                }))
            }
        }
    }

    /// A raw file has no tables: its size and times tell whether it was written to.
    fn check_raw(&self) -> Result<(), Failure> {
        second_look::check_name(&self.file)?;
        if self.file.has_changed() { Err(self.file.changed("it was written to")) } else { Ok(()) }
    }
}

/// A QCOW2 does not say how its backing or data file is to be recognised, but by its name.
fn moved_warning(by: &ImageFile, found: &Found, what: &str) -> Option<String> {
    found.moved.then(|| {
        format!(
            "{}: the {what} is not where the image says; {}, the only one of its name, is taken for it",
            by.path().display(),
            found.file.path().display()
        )
    })
}
