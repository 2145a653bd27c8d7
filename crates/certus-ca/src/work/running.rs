//! Which leases this process uses.
//!
//! The store knows what it has leased to this process; only the process knows what it works on. They differ after a
//! write of unknown outcome and after a panic, and what is leased but not worked on would wait until the process ends.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::job::Lease;

/// The leases in use. Nothing awaits under the lock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running(Arc<Mutex<HashSet<Lease>>>);

/// A lease in use; no longer when dropped.
#[derive(Debug)]
pub(crate) struct InUse {
    running: Running,
    lease: Lease,
}

impl Running {
    /// Takes a lease into use. For a new job this comes before it is kept, so that no lease is in the store unused that
    /// will be used.
    pub(crate) fn take(&self, lease: Lease) -> InUse {
        self.0.lock().insert(lease);
        InUse { running: self.clone(), lease }
    }

    pub(crate) fn uses(&self, lease: Lease) -> bool {
        self.0.lock().contains(&lease)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.running.0.lock().remove(&self.lease);
    }
}
