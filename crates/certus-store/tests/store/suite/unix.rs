//! What is particular to Unix: who may read a file.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The mode of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode()
}

/// Sets the mode of a file.
pub(crate) fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
