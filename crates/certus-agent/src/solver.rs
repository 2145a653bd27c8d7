//! Meeting challenges: making ready what the authority will look for, and taking it away again.

pub mod http_01;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use async_trait::async_trait;
use certus_acme::{ChallengeType, KeyAuthorization};

use crate::flow::Presentation;

/// Why a challenge cannot be met.
#[derive(Debug, thiserror::Error)]
pub enum SolverError {
    /// Nobody can listen there.
    #[error("cannot listen on {address}: {source}{}", mend(source))]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

fn mend(source: &io::Error) -> &'static str {
    if source.kind() == ErrorKind::PermissionDenied {
        "; ports below 1024 need root or CAP_NET_BIND_SERVICE"
    } else if source.kind() == ErrorKind::AddrInUse {
        "; end what listens there while this runs, or listen where requests for port 80 are forwarded to"
    } else {
        ""
    }
}

/// A way to meet challenges of one method.
#[async_trait]
pub trait Solver: Send + Sync {
    /// Which.
    fn method(&self) -> ChallengeType;

    /// Makes ready what the authority will look for.
    ///
    /// # Errors
    ///
    /// [`SolverError`] when that cannot be done.
    async fn present(&self, wanted: &Presentation, answer: &KeyAuthorization) -> Result<(), SolverError>;

    /// Takes it away. Done for whatever was presented, whatever became of the order.
    async fn clean_up(&self, wanted: &Presentation);
}
