//! An image with its backing files, laid over one another. A chain is no union: where an upper layer says zero, what
//! lies below is hidden.

use extents::extent::Extent;
use extents::extent::overlay::stack;
use extents::extent::walk::LookAgain;
use extents::failure::Failure;
use extents::image::confinement::Confinement;
use extents::image::file::ImageFile;

use crate::cluster_set::Budget;
use crate::format::Format;
use crate::layer::Layer;

/// The longest chain that is followed. Each layer may keep two files open, and the usual limit is 1024 descriptors;
/// nobody is known to run chains of more than some dozens.
pub const MAX_LAYERS: u16 = 256;

/// Bytes for the sets of clusters that are taken, of all layers together. In the worst order, 2^25 clusters fit: 2 TiB of
/// clusters of 64 KiB. What lies together takes nearly nothing.
const OCCUPIED_BYTES: usize = 4 << 20;

/// How much of a chain is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether backing files are followed.
    pub backing: bool,
    /// Format of the backing files whose format their image does not say.
    pub backing_format: Option<Format>,
    /// Whether the data itself matters, and not only where it is: external data files are opened.
    pub data: bool,
}

/// An image and its backing files.
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
    /// Status 1 for a backing file that is not there, 3 for one that is already in the chain, 4 for one that lies
    /// elsewhere or is of another format, and for more than [`MAX_LAYERS`] images.
    pub fn open(image: ImageFile, confinement: &Confinement, options: Options) -> Result<Self, Failure> {
        let leaf = Layer::open(image, options.data.then_some(confinement))?;
        let (virtual_size, cluster_bits) = (leaf.virtual_size(), leaf.cluster_bits());
        let mut chain = Chain { layers: Vec::new(), virtual_size, cluster_bits };
        let mut next = Some(leaf);
        while let Some(mut layer) = next {
            next = if options.backing { chain.open_backing(&mut layer, confinement, options)? } else { None };
            chain.cluster_bits = chain.cluster_bits.min(layer.cluster_bits());
            chain.layers.push(layer);
        }
        Ok(chain)
    }

    /// The backing file of `above`, which comes next in this chain, if it has one.
    fn open_backing(
        &self,
        above: &mut Layer,
        confinement: &Confinement,
        options: Options,
    ) -> Result<Option<Layer>, Failure> {
        let Some((file, format)) = above.open_backing_file(confinement, options.backing_format)? else {
            return Ok(None);
        };
        let mut seen = self.layers.iter().map(Layer::file).chain([above.file()]);
        if let Some(twin) = seen.find(|seen| seen.identity() == file.identity()) {
            return Err(file.judge(above.file().damaged(format!(
                "the backing files form a loop: found {} again, expected a file that is not above it",
                twin.path().display()
            ))));
        }
        if self.layers.len() + 1 >= usize::from(MAX_LAYERS) {
            return Err(above.file().unsupported(format!(
                "the backing chain is too long: expected at most {MAX_LAYERS} layers"
            )));
        }
        match format {
            Format::Raw => Ok(Some(Layer::raw(file))),
            Format::Qcow2 => Layer::open(file, options.data.then_some(confinement)).map(Some),
        }
    }

    /// The images, the one that the user named first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Bytes that the guest sees.
    pub fn virtual_size(&self) -> u64 {
        self.virtual_size
    }

    /// log2 of the smallest unit that the tables of the chain know, so that nothing is rounded away. A raw file has
    /// no unit; without its holes all of it is data.
    pub fn cluster_bits(&self) -> u32 {
        self.cluster_bits
    }

    /// For each layer the file that its data lies in. Status 1 without [`Options::data`] if that is an external data file.
    pub fn data_files(&self) -> Result<Vec<&ImageFile>, Failure> {
        self.layers.iter().map(Layer::data).collect()
    }

    /// Status 4 when a reader of the files would not find what the guest reads: the data of an image is encrypted.
    pub fn check_readable(&self) -> Result<(), Failure> {
        self.layers.iter().try_for_each(Layer::check_readable)
    }

    /// The whole chain in guest order, and after it a failure if an image changed since it was opened. What no image holds
    /// stays absent, and reads as zeros.
    pub fn extents(&self) -> impl Iterator<Item = Result<Extent, Failure>> {
        let numbered = (0..MAX_LAYERS).zip(&self.layers);
        let budget = Budget::new(OCCUPIED_BYTES);
        let layers = numbered.map(|(number, layer)| layer.extents(number, self.layers.len(), &budget));
        LookAgain::after(stack(layers.collect()))
    }
}
