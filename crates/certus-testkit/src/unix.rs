//! What only Unix has.

use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Child;

use rustix::process::{Pid, Signal, geteuid, getpid, kill_process};

/// Whether this process is root's.
#[must_use]
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Gives a file or directory to another user.
///
/// # Errors
///
/// What the system says.
pub fn give(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    chown(path, Some(uid), Some(gid))
}

/// Makes a file its owner's alone.
///
/// # Errors
///
/// What the system says.
pub fn make_private(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

/// Asks a child to end at once without tidying up (`SIGQUIT`, which is how PostgreSQL takes it).
///
/// # Errors
///
/// What the system says.
pub fn quit(child: &Child) -> io::Result<()> {
    Ok(kill_process(Pid::from_child(child), Signal::QUIT)?)
}

/// Ends this process as `kill -9` does: nothing is flushed, closed or unwound. Returns only when that failed.
pub fn kill_this_process() -> io::Error {
    match kill_process(getpid(), Signal::KILL) {
        // The signal is on its way; this thread must do nothing more.
        Ok(()) => loop {
            std::thread::park();
        },
        Err(error) => error.into(),
    }
}
