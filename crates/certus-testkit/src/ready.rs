//! Waiting for a program under test to say that it serves.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, interval};

/// Time between looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What `certus up --ready-file` writes, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadyFile {
    /// The directory's URL.
    pub directory_url: String,
    /// The root certificate's path (PEM).
    pub root_path: String,
    /// The process.
    pub pid: u32,
}

/// Waits until the file is there and reads it. It is written by rename, so a file that cannot be read whole is an error.
///
/// # Errors
///
/// [`io::ErrorKind::TimedOut`] when it is not there in time; [`io::ErrorKind::InvalidData`] when it is not as it should
/// be.
pub async fn wait_for_ready_file(path: &Path, within: Duration) -> io::Result<ReadyFile> {
    let deadline = Instant::now() + within;
    let mut looks = interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        match tokio::fs::read(path).await {
            Ok(text) => {
                return serde_json::from_slice(&text)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && Instant::now() < deadline => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let message = format!("{} is not there after {within:?}", path.display());
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
            Err(error) => return Err(error),
        }
    }
}
