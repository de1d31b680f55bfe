//! A chain: an image, its parent, the parent's parent, and so on, found, checked against each other and laid on top of
//! one another.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use extents::extent::{Extents, Overlay};
use extents::failure::Failure;
use extents::image::confinement::Confinement;
use extents::image::file::ImageFile;
use extents::image::second_look::{self, Fingerprint, then_check};

use crate::footer_search;
use crate::layer::Layer;
use crate::parent_names::parent_names;
use crate::sparse::Granularity;

/// Most images in a chain. The limit of Xen's storage manager (sm, `MAX_CHAIN_SIZE`) is 30: with more than twice that,
/// no chain that ever ran is refused. The windows of all layers take less than 6 MiB, and a hostile chain ends soon.
pub const MAX_LAYERS: u16 = 64;

/// An image and its parents.
#[derive(Debug)]
pub struct Chain {
    /// The image itself first.
    layers: Vec<Layer>,
    /// For each layer but the last, a number for the names under which its parent was looked for, which may be long.
    parent_names: Vec<u64>,
    /// A number for the BAT of the first.
    table: Option<Fingerprint>,
}

impl Chain {
    /// Opens `image` and, when `parents` says where they may lie, all images below it.
    ///
    /// Status 1 for a parent that is not there, 3 for one that is another image or already in the chain, 4 for one
    /// that lies elsewhere and for more than [`MAX_LAYERS`] images.
    pub fn open(image: ImageFile, parents: Option<&Confinement>) -> Result<Chain, Failure> {
        let leaf = Layer::open(image)?;
        let table = leaf.table_fingerprint()?;
        let mut chain = Chain { layers: vec![leaf], parent_names: Vec::new(), table };
        if let Some(confinement) = parents {
            while let Some((names, parent)) = open_parent(&chain.layers, confinement)? {
                chain.parent_names.push(number(&names));
                chain.layers.push(parent);
            }
        }
        Ok(chain)
    }

    /// The images, the top one first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Bytes that the guest sees.
    pub fn virtual_size(&self) -> u64 {
        self.layers.first().map_or(0, Layer::virtual_size)
    }

    /// log2 of the smallest block in the chain.
    pub fn block_bits(&self) -> u32 {
        self.layers.iter().map(Layer::block_bits).min().unwrap_or(0)
    }

    /// Status 4 when a reader of the files would not find what the guest reads: the data of an image is encrypted.
    pub fn check_readable(&self) -> Result<(), Failure> {
        self.layers.iter().try_for_each(Layer::check_readable)
    }

    /// The walk over the whole chain. What no image holds stays absent, and reads as zeros.
    pub fn extents(&self, granularity: Granularity) -> Result<Extents<'_>, Failure> {
        let mut extents: Extents = Box::new(std::iter::empty());
        for (number, layer) in (0..MAX_LAYERS).zip(&self.layers).rev() {
            let above = layer.extents(number, granularity)?;
            let has_parent = usize::from(number) + 1 < self.layers.len();
            extents = if has_parent { Box::new(Overlay::new(above, extents)) } else { above };
        }
        Ok(then_check(extents, || self.check_unchanged()))
    }

    /// Status 1 when the images are no longer what they were when they were opened: see [`recheck`].
    ///
    /// Of the BATs only that of the image itself counts: in the others a coalesce may fill in what it hides.
    fn check_unchanged(&self) -> Result<(), Failure> {
        let Some(leaf) = self.layers.first() else { return Ok(()) };
        second_look::compare(leaf.file(), "the BAT", &self.table, leaf.table_fingerprint())?;
        self.layers.iter().try_for_each(Layer::check_unchanged)?;
        for (layer, was) in self.layers.iter().zip(&self.parent_names) {
            if let Some(header) = layer.parent() {
                let now = parent_names(header, layer.file()).map(|names| number(&names));
                second_look::compare(layer.file(), "the name of the parent", was, now)?;
            }
        }
        Ok(())
    }
}

fn number(names: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    names.hash(&mut hasher);
    hasher.finish()
}

/// The parent of the last of `layers`, if it has one, and the names under which it was looked for.
fn open_parent(
    layers: &[Layer],
    confinement: &Confinement,
) -> Result<Option<(Vec<PathBuf>, Layer)>, Failure> {
    let Some((child, header)) = layers.last().and_then(|child| Some((child, child.parent()?))) else {
        return Ok(None);
    };
    if layers.len() >= usize::from(MAX_LAYERS) {
        return Err(child.file().unsupported(format!(
            "the chain of parents is too long: found one more, expected at most {MAX_LAYERS} images"
        )));
    }
    let names = parent_names(header, child.file())?;
    if names.is_empty() {
        return Err(child
            .file()
            .damaged("the parent has no name: found no locator and no name, expected one"));
    }
    let expected = header.parent_id;
    let file = confinement.find(child.file(), &names, "parent", !expected.is_null())?;
    if layers.iter().any(|layer| layer.file().identity() == file.identity()) {
        return Err(child.file().damaged(format!(
            "the chain is a loop: found the parent {}, which is a child of this image, expected another file",
            file.path().display()
        )));
    }
    if expected.is_null() {
        return Ok(Some((names, open_raw(child, file)?)));
    }
    let parent = Layer::open(file)?;
    match parent.unique_id() {
        Some(found) if found != expected => Err(child.file().damaged(format!(
            "the parent {} is another image: found the unique id {found}, expected {expected}",
            parent.file().path().display()
        ))),
        _ => Ok(Some((names, parent))),
    }
}

/// A raw parent. One that is a VHD itself was meant to be read as one, by whatever forgot its id: status 4.
fn open_raw(child: &Layer, file: ImageFile) -> Result<Layer, Failure> {
    if footer_search::find(&file).is_ok() {
        return Err(child.file().unsupported(format!(
            "gives its parent no unique id, as if it were raw, but {} is a VHD",
            file.path().display()
        )));
    }
    Ok(Layer::raw(file))
}
