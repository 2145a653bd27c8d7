//! What is particular to Unix: who may read a file.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The mode of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode()
}
