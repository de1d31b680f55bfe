//! An image with its backing files, laid over one another. A chain is no union: where an upper layer says zero, what
//! lies below is hidden.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use extents::extent::rescale::touched;
use extents::extent::{Content, Extent, Extents, Overlay};
use extents::failure::Failure;
use extents::image::confinement::Confinement;
use extents::image::file::ImageFile;
use extents::image::holes::{HOLE_BITS, SkipHoles};
use extents::image::second_look::then_check;

use crate::layer::Layer;

/// The longest chain that is followed. Each layer may keep two files open, and the usual limit is 1024 descriptors;
/// nobody is known to run chains of more than some dozens.
pub const MAX_LAYERS: usize = 256;

/// Format of a backing file.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// QCOW2 with its own backing file
    Qcow2,
    /// The bytes that the guest sees
    Raw,
}

/// How much of a chain is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether backing files are followed.
    pub backing: bool,
    /// Format of the backing files whose format their image does not say. A guess could be wrong on purpose: a guest
    /// can write a QCOW2 header into a raw image, which names any file of the host.
    pub backing_format: Option<Format>,
    /// Whether the data itself matters, and not only where it is: external data files are opened.
    pub data: bool,
}

/// An open chain, the image that the user named first.
#[derive(Debug)]
pub struct Chain {
    images: Vec<Layer>,
    /// The raw file at the end.
    raw: Option<ImageFile>,
}

impl Chain {
    /// Opens `image` and the files that it and its backing files name, if `confinement` allows them.
    pub fn open(image: ImageFile, confinement: &Confinement, options: Options) -> Result<Self, Failure> {
        let mut chain = Chain { images: Vec::new(), raw: None };
        let mut next = Some((image, Format::Qcow2));
        while let Some((file, format)) = next {
            chain.check_link(&file)?;
            next = match format {
                Format::Raw => {
                    chain.raw = Some(file);
                    None
                }
                Format::Qcow2 => {
                    let mut layer = Layer::open(file)?;
                    if options.data && layer.geometry().external_data_file {
                        layer.data_file = Some(open_data_file(&layer, confinement)?);
                    }
                    let below =
                        if options.backing { open_backing_file(&layer, confinement, options)? } else { None };
                    chain.images.push(layer);
                    below
                }
            };
        }
        Ok(chain)
    }

    /// Refuses a file that is in the chain already, and chains that are too long.
    fn check_link(&self, file: &ImageFile) -> Result<(), Failure> {
        let Some(above) = self.images.last() else { return Ok(()) };
        if let Some(twin) = self.images.iter().find(|layer| layer.file.identity() == file.identity()) {
            return Err(above.file.damaged(format!(
                "the backing files form a loop: found {} again, expected a file that is not above it",
                twin.file.path().display()
            )));
        }
        if self.images.len() == MAX_LAYERS {
            return Err(above.file.unsupported(format!(
                "the backing chain is too long: expected at most {MAX_LAYERS} layers"
            )));
        }
        Ok(())
    }

    /// The QCOW2 images, from the one that the user named down.
    pub fn images(&self) -> &[Layer] {
        &self.images
    }

    /// The raw backing file at the end of the chain.
    pub fn raw(&self) -> Option<&ImageFile> {
        self.raw.as_ref()
    }

    /// Bytes that the guest sees.
    pub fn virtual_size(&self) -> u64 {
        self.images.first().map_or(0, |layer| layer.geometry().virtual_size)
    }

    /// log2 of the smallest unit that the tables of the chain know, so that nothing is rounded away. A raw file has
    /// no unit; without its holes all of it is data.
    pub fn cluster_bits(&self, skip_holes: bool) -> u32 {
        let units = self.images.iter().map(|layer| layer.geometry().unit_bits());
        units.chain(skip_holes.then_some(HOLE_BITS)).min().unwrap_or(HOLE_BITS)
    }

    /// For each layer the file that its data lies in, as far as it is open.
    pub fn data_files(&self) -> impl Iterator<Item = &ImageFile> {
        self.images.iter().filter_map(Layer::data).chain(self.raw())
    }

    /// The names of [`Chain::data_files`].
    pub fn data_paths(&self) -> Vec<PathBuf> {
        self.data_files().map(|file| file.path().to_path_buf()).collect()
    }

    /// Fails with status 4 if a layer is encrypted: `wanted` says what needs the bytes of the guest.
    pub fn refuse_ciphertext(&self, wanted: &str) -> Result<(), Failure> {
        match self.images.iter().find(|layer| layer.first_cluster.is_encrypted()) {
            Some(layer) => Err(layer.file.unsupported(format!("is encrypted: {wanted}"))),
            None => Ok(()),
        }
    }

    /// The whole chain in guest order, and a failure behind it when a file changed since it was opened. Every layer counts:
    /// a commit moves clusters down and empties the layer above, and who saw the one before and the other after has
    /// seen neither.
    pub fn extents(&self) -> Extents<'_> {
        let count = self.images.len();
        let mut extents: Option<Extents<'_>> = self.raw().map(|file| raw_extents(file, count));
        let mut walked = Vec::with_capacity(count);
        for (number, layer) in self.images.iter().enumerate().rev() {
            let above = Box::new(layer.extents(layer_number(number), count));
            walked.push((layer, above.seen()));
            extents = Some(match extents {
                Some(below) => Box::new(Overlay::new(above, below)),
                None => above,
            });
        }
        let extents = extents.unwrap_or_else(|| Box::new(std::iter::empty()));
        then_check(extents, move || {
            walked.iter().rev().try_for_each(|(layer, seen)| layer.check_unchanged(seen.get()))?;
            self.raw().map_or(Ok(()), check_raw)
        })
    }

    /// The whole chain, with the holes of its files as zeros. Every data file must be open.
    pub fn extents_without_holes(&self) -> Extents<'_> {
        Box::new(SkipHoles::new(self.extents(), self.data_files()))
    }
}

/// At most [`MAX_LAYERS`].
fn layer_number(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// A raw file has no tables: its size and time tell whether it was written to.
fn check_raw(file: &ImageFile) -> Result<(), Failure> {
    if file.has_changed() { Err(file.changed("it was written to")) } else { Ok(()) }
}

/// All of a raw file is data.
fn raw_extents(file: &ImageFile, number: usize) -> Extents<'_> {
    let extent = touched(0, file.size(), 0).map(|_| Extent {
        start: 0,
        length: file.size(),
        layer: layer_number(number),
        content: Content::Data { offset: 0 },
    });
    Box::new(extent.map(Ok).into_iter())
}

fn open_backing_file(
    layer: &Layer,
    confinement: &Confinement,
    options: Options,
) -> Result<Option<(ImageFile, Format)>, Failure> {
    let Some(name) = &layer.first_cluster.backing_name else { return Ok(None) };
    let format = match layer.first_cluster.extensions.backing_format.as_deref() {
        Some(b"qcow2") => Format::Qcow2,
        Some(b"raw") => Format::Raw,
        Some(other) => {
            return Err(layer.file.unsupported(format!(
                "the backing file {} has a format that this program does not read: found {}, expected qcow2 or raw",
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(other)
            )));
        }
        None => options.backing_format.ok_or_else(|| {
            layer.file.unsupported(format!(
                "does not say which format the backing file {} has: --backing-format qcow2 or raw says it",
                String::from_utf8_lossy(name)
            ))
        })?,
    };
    Ok(Some((open_named(layer, confinement, name, "backing file")?, format)))
}

fn open_data_file(layer: &Layer, confinement: &Confinement) -> Result<ImageFile, Failure> {
    let Some(name) = layer.first_cluster.extensions.data_file.as_deref().filter(|name| !name.is_empty())
    else {
        return Err(layer.file.unsupported("has an external data file, but does not say its name"));
    };
    open_named(layer, confinement, name, "external data file")
}

fn open_named(
    layer: &Layer,
    confinement: &Confinement,
    name: &[u8],
    what: &str,
) -> Result<ImageFile, Failure> {
    // QEMU's rule: what ends with a colon before the first slash is no path but a protocol, `json:` included.
    if name.iter().find(|byte| matches!(byte, b':' | b'/')) == Some(&b':') {
        return Err(layer.file.unsupported(format!(
            "the {what} is no file but a QEMU protocol: found {}",
            String::from_utf8_lossy(name)
        )));
    }
    confinement.open(&layer.file, Path::new(OsStr::from_bytes(name)), what)
}
