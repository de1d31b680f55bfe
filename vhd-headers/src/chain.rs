//! A chain: an image, its parent, the parent's parent, and so on, found, checked against each other and laid on top of
//! one another.

use extents::extent::Extent;
use extents::extent::overlay::stack;
use extents::extent::walk::LookAgain;
use extents::failure::Failure;
use extents::image::confinement::Confinement;
use extents::image::file::ImageFile;

use crate::footer_search;
use crate::granularity::Granularity;
use crate::layer::Layer;

/// Most images in a chain. The limit of Xen's storage manager (sm, `MAX_CHAIN_SIZE`) is 30: with more than twice that,
/// no chain that ever ran is refused. The windows of all layers take less than 6 MiB, and a hostile chain ends soon.
pub const MAX_LAYERS: u16 = 64;

/// How much of a chain is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether parents are followed.
    pub parents: bool,
}

/// An image and its parents.
#[derive(Debug)]
pub struct Chain {
    /// The image itself first.
    layers: Vec<Layer>,
    virtual_size: u64,
    cluster_bits: u32,
}

impl Chain {
    /// Opens `image` and the images below it, if `confinement` allows them.
    ///
    /// Status 1 for a parent that is not there, 3 for one that is another image or already in the chain, 4 for one
    /// that lies elsewhere and for more than [`MAX_LAYERS`] images.
    pub fn open(image: ImageFile, confinement: &Confinement, options: Options) -> Result<Self, Failure> {
        let mut leaf = Layer::open(image)?;
        leaf.remember_table()?;
        let (virtual_size, cluster_bits) = (leaf.virtual_size(), leaf.cluster_bits());
        let mut chain = Chain { layers: Vec::new(), virtual_size, cluster_bits };
        let mut next = Some(leaf);
        while let Some(mut layer) = next {
            next = if options.parents { chain.open_parent(&mut layer, confinement)? } else { None };
            chain.cluster_bits = chain.cluster_bits.min(layer.cluster_bits());
            chain.layers.push(layer);
        }
        Ok(chain)
    }

    /// The parent of `child`, which comes next in this chain, if it has one.
    fn open_parent(&self, child: &mut Layer, confinement: &Confinement) -> Result<Option<Layer>, Failure> {
        let Some(names) = child.remember_parent_names()? else { return Ok(None) };
        if self.layers.len() + 1 >= usize::from(MAX_LAYERS) {
            return Err(child.file().unsupported(format!(
                "the chain of parents is too long: found one more, expected at most {MAX_LAYERS} images"
            )));
        }
        if names.is_empty() {
            return Err(child
                .file()
                .damaged("the parent has no name: found no locator and no name, expected one"));
        }
        // Without an id a wrong parent would not be noticed.
        let file = confinement.find(child.file(), &names, "parent", child.parent_id().is_some())?;
        let above = self.layers.iter().map(Layer::file).chain([child.file()]);
        if above.into_iter().any(|above| above.identity() == file.identity()) {
            return Err(file.judge(child.file().damaged(format!(
                "the chain is a loop: found the parent {}, which is a child of this image, expected another file",
                file.path().display()
            ))));
        }
        let Some(expected) = child.parent_id() else { return open_raw(child, file).map(Some) };
        let parent = Layer::open(file)?;
        if parent.unique_id() != Some(expected) {
            let found = parent.unique_id().map_or_else(|| "none".to_owned(), |id| id.to_string());
            return Err(parent.file().judge(child.file().damaged(format!(
                "the parent {} is another image: found the unique id {found}, expected {expected}",
                parent.file().path().display()
            ))));
        }
        Ok(Some(parent))
    }

    /// The images, the one that the user named first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Bytes that the guest sees.
    pub fn virtual_size(&self) -> u64 {
        self.virtual_size
    }

    /// log2 of the smallest block in the chain.
    pub fn cluster_bits(&self) -> u32 {
        self.cluster_bits
    }

    /// For each layer the file that its data lies in.
    pub fn data_files(&self) -> Vec<&ImageFile> {
        self.layers.iter().map(Layer::file).collect()
    }

    /// Status 4 when a reader of the files would not find what the guest reads: the data of an image is encrypted.
    pub fn check_readable(&self) -> Result<(), Failure> {
        self.layers.iter().try_for_each(Layer::check_readable)
    }

    /// The whole chain in guest order, and after it a failure if an image changed since it was opened. What no image holds
    /// stays absent, and reads as zeros.
    ///
    /// Status 4 when the bitmaps are asked for and are those of an early tapdisk.
    pub fn extents(
        &self,
        granularity: Granularity,
    ) -> Result<impl Iterator<Item = Result<Extent, Failure>>, Failure> {
        let numbered = (0..MAX_LAYERS).zip(&self.layers);
        let layers = numbered.map(|(number, layer)| layer.extents(number, granularity));
        Ok(LookAgain::after(stack(layers.collect::<Result<_, _>>()?)))
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
