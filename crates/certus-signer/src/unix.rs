//! What this crate needs of Unix: modes of files and directories.
//!
//! Nothing else in the crate knows what a mode is.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

/// Files of secrets are read and written by their owner alone.
const PRIVATE_FILE: u32 = 0o600;
/// And so are the directories they lie in.
const PRIVATE_DIRECTORY: u32 = 0o700;
/// The bits that let a group or everybody in.
const OTHERS: u32 = 0o077;
/// No file of a secret is longer: the largest RSA key in PEM has under 4 KiB.
const MAX_SECRET: u64 = 64 * 1024;

/// What was read of a file of secrets, or that others could have read it too.
pub(crate) enum Private {
    /// Its bytes.
    Bytes(Zeroizing<Vec<u8>>),
    /// Others than its owner have access.
    Exposed {
        /// The permission bits it has.
        mode: u32,
    },
    /// It is longer than any secret.
    TooLong,
}

/// Reads a file of secrets, unless others than its owner can read or write it.
pub(crate) fn read_private(path: &Path) -> io::Result<Private> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mode = metadata.mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Ok(Private::Exposed { mode });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len().min(MAX_SECRET)).unwrap_or(0)));
    file.take(MAX_SECRET + 1).read_to_end(&mut bytes)?;
    let too_long = u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_SECRET;
    Ok(if too_long { Private::TooLong } else { Private::Bytes(bytes) })
}

/// Writes a new file that its owner alone can read; durable, with its directory entry, when this returns.
///
/// # Errors
///
/// What the file system says; `AlreadyExists` if there is a file of that name, which is left as it is.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Makes a directory that its owner alone can enter.
///
/// # Errors
///
/// What the file system says; `AlreadyExists` if there is something of that name.
pub fn create_private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(PRIVATE_DIRECTORY).create(path)
}

/// Makes the entries of a directory durable.
///
/// # Errors
///
/// What the file system says.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    // A bare file name has the empty path for its parent.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}
