//! What this crate needs of Unix: modes, and links.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

pub(crate) use std::os::unix::fs::symlink;

/// Makes a folder for its owner alone, with those above it; that it is there is as good.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Opens a file that is not there yet, with that mode.
pub(crate) fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// Opens a file that is there for its being there, for its owner alone.
pub(crate) fn open_marker(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// What is wrong with a folder that keys are to be kept in; nothing, also where there is none yet.
pub(crate) fn fault_of_directory(path: &Path) -> io::Result<Option<&'static str>> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let owner = found.uid();
    Ok(if !found.is_dir() {
        Some("is no folder")
    } else if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        Some("belongs to another user")
    } else if found.mode() & 0o022 != 0 {
        Some("may be written to by others")
    } else {
        None
    })
}
