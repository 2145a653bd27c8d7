//! What this crate needs of Unix: signals, the control socket with its peer's user, modes and owners.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

pub(crate) use tokio::net::{UnixListener as SocketListener, UnixStream as SocketStream};

/// The longest path a socket's address has room for, its closing zero left aside.
const MAX_SOCKET_PATH: usize = 107;
/// Only the owner speaks with the authority.
const SOCKET_MODE: u32 = 0o600;

/// The signals that ask the program to end.
pub(crate) struct Endings {
    terminate: Signal,
    interrupt: Signal,
}

impl Endings {
    /// Listens for them from now on.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one; its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// A path that reaches a socket however long its own path is.
struct SocketPath {
    path: PathBuf,
    /// Kept open while `path` goes through it.
    _directory: Option<OwnedFd>,
}

fn reach(path: &Path) -> io::Result<SocketPath> {
    if path.as_os_str().as_bytes().len() <= MAX_SOCKET_PATH {
        return Ok(SocketPath { path: path.to_owned(), _directory: None });
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let directory = OwnedFd::from(std::fs::File::open(parent)?);
    let path = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    Ok(SocketPath { path, _directory: Some(directory) })
}

/// Listens on a socket that only its owner can connect to, in place of one that a dead process left.
pub(crate) fn listen_on_socket(path: &Path) -> io::Result<SocketListener> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = SocketListener::bind(&reach(path)?.path)?;
    // The state directory lets nobody else in, so nobody can connect before this line.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    Ok(listener)
}

/// Connects to such a socket.
pub(crate) async fn connect_to_socket(path: &Path) -> io::Result<SocketStream> {
    SocketStream::connect(&reach(path)?.path).await
}

/// The user at the other end.
pub(crate) fn peer_user(stream: &SocketStream) -> io::Result<u32> {
    Ok(stream.peer_cred()?.uid())
}

/// How many file descriptors this process may open, after asking for as many as it is allowed.
pub(crate) fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        // No limit is a limit too high to count to.
        Ok(()) => limit.maximum.unwrap_or(u64::MAX),
        Err(error) => {
            tracing::debug!(%error, "the limit on file descriptors could not be raised");
            limit.current.unwrap_or(u64::MAX)
        }
    }
}

/// The user this program runs as.
pub(crate) fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The machine's name.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The permission bits and the owner of a file.
pub(crate) fn mode_and_owner(path: &Path) -> io::Result<(u32, u32)> {
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.mode() & 0o7777, metadata.uid()))
}

/// Takes from everybody but its owner the right to change a file, whatever the umask left.
pub(crate) fn forbid_writing(file: &std::fs::File) -> io::Result<()> {
    let mode = file.metadata()?.mode() & 0o7777;
    file.set_permissions(std::fs::Permissions::from_mode(mode & !0o022))
}

/// Opens a file for reading and writing, making it for its owner alone if it is not there.
pub(crate) fn open_private(path: &Path) -> io::Result<std::fs::File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}
