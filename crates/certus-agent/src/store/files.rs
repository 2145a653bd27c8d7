//! Files and folders that are there whole, or not at all, also after the power went.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use super::{StoreError, io};
use crate::unix;

/// A folder for its owner alone, with those above it, each on the disk in the one above it. One that is there must be of
/// this process's user or root, and nobody else's to write to: whoever could put files into it would put his keys there.
pub(super) fn make_directory(path: &Path) -> Result<(), StoreError> {
    if let Some(fault) = unix::fault_of_directory(path).map_err(io(path))? {
        return Err(StoreError::Unsafe { path: path.to_owned(), fault });
    }
    let missing: Vec<&Path> = path.ancestors().take_while(|one| !one.as_os_str().is_empty() && !one.exists()).collect();
    unix::make_directory(path).map_err(io(path))?;
    for parent in missing.into_iter().filter_map(Path::parent) {
        // Of a relative path's first part: the folder one is in.
        sync_directory(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
    }
    Ok(())
}

/// Has what was done in a folder (files made, renamed) on the disk.
pub(super) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(io(path))
}

/// Writes a file that is not there yet, and has it on the disk.
pub(super) fn write_new(path: &Path, mode: u32, contents: &[u8]) -> Result<(), StoreError> {
    let write = || {
        let mut file = unix::create_new(path, mode)?;
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
