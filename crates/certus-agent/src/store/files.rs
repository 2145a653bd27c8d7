//! Files and folders that are there whole, or not at all, also after the power went.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::{StoreError, io};

/// A folder for its owner alone, with those above it.
pub(super) fn make_directory(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io(path))
}

/// Has what was done in a folder (files made, renamed) on the disk.
pub(super) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(io(path))
}

/// Writes a file that is not there yet, and has it on the disk.
pub(super) fn write_new(path: &Path, mode: u32, contents: &[u8]) -> Result<(), StoreError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(contents)?;
        file.sync_all()
    };
    write().map_err(io(path))
}

/// Puts a file in place of whatever is there, in one step.
pub(super) fn replace(path: &Path, mode: u32, contents: &[u8]) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let fresh = path.with_extension("new");
    remove(&fresh)?;
    write_new(&fresh, mode, contents)?;
    fs::rename(&fresh, path).map_err(io(path))?;
    sync_directory(folder)
}

/// Removes what was left behind; that it is not there is as good.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
