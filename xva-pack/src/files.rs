//! The files that blocks are read from.

use std::sync::Arc;

use extents::failure::Failure;
use extents::image_file::ImageFile;

/// Which file of a [`Files`] table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileNumber(u32);

/// A table of files, shared by the planner and the workers.
#[derive(Debug)]
pub struct Files {
    disk: Option<Arc<ImageFile>>,
}

impl Files {
    /// The table of one raw disk.
    pub fn of_disk(disk: ImageFile) -> (Arc<Self>, FileNumber) {
        (Arc::new(Files { disk: Some(Arc::new(disk)) }), FileNumber(0))
    }

    /// No file: what is packed comes through a pipe.
    pub fn none() -> Arc<Self> {
        Arc::new(Files { disk: None })
    }

    /// The open file.
    pub fn get(&self, _: FileNumber) -> Result<Arc<ImageFile>, Failure> {
        self.disk.clone().ok_or_else(|| Failure::system("no such file in the table"))
    }

    /// Fails with status 1 if a file has another size than when it was opened.
    pub fn check_unchanged(&self) -> Result<(), Failure> {
        let Some(file) = &self.disk else { return Ok(()) };
        if file.is_block_device() {
            return Ok(());
        }
        let metadata = file.as_file().metadata().map_err(|e| Failure::io(file.path(), "cannot stat", &e))?;
        if metadata.len() != file.size() {
            return Err(Failure::system(format!(
                "changed while it was read: found {} bytes, expected {}",
                metadata.len(),
                file.size()
            ))
            .in_file(file.path()));
        }
        Ok(())
    }
}
