//! What renewal information is answered from beside the certificate's own row: the rules, as they were a moment ago, and
//! the key identifiers of issuers.

use std::collections::HashMap;
use std::sync::Arc;

use certus_pki::{CertificateChain, Timestamp};
use parking_lot::Mutex;

use crate::error::CaError;
use crate::issuers::Issuers;
use crate::limits;
use crate::ports::{Store, StoreError};
use crate::state::RenewalRule;

/// What one process remembers.
#[derive(Debug, Default)]
pub(crate) struct Renewals {
    /// The rules, and when they were asked for. Nothing awaits under the lock.
    rules: Mutex<Option<(Timestamp, Arc<[RenewalRule]>)>>,
    /// Key identifiers of issuers that are no longer configured, by id; what is known of an issuer never changes. Nothing
    /// awaits under the lock.
    former: Mutex<HashMap<String, Vec<u8>>>,
}

impl Renewals {
    /// The rules that hold, no older than [`limits::RENEWAL_RULES_KEPT`].
    pub(crate) async fn rules(&self, store: &dyn Store, now: Timestamp) -> Result<Arc<[RenewalRule]>, StoreError> {
        // By a clock that was set they are old, whichever way it was.
        let is_recent = |asked: Timestamp| asked <= now && now.duration_since(asked) < limits::RENEWAL_RULES_KEPT;
        if let Some((_, rules)) = self.rules.lock().as_ref().filter(|(asked, _)| is_recent(*asked)) {
            return Ok(Arc::clone(rules));
        }
        let rules: Arc<[RenewalRule]> = store.active_renewal_rules(now).await?.into();
        *self.rules.lock() = Some((now, Arc::clone(&rules)));
        Ok(rules)
    }

    /// A rule was made or ended here.
    pub(crate) fn forget_rules(&self) {
        *self.rules.lock() = None;
    }

    /// Whether certificates of that issuer name their authority's key so (RFC 5280 section 4.2.1.1).
    pub(crate) async fn is_key_identifier(
        &self,
        octets: &[u8],
        issuer: &str,
        issuers: &Issuers,
        store: &dyn Store,
    ) -> Result<bool, CaError> {
        if let Some(configured) = issuers.get(issuer) {
            return Ok(configured.key_identifier() == octets);
        }
        if let Some(known) = self.former.lock().get(issuer) {
            return Ok(known == octets);
        }
        let mut found = false;
        for (id, chain) in store.issuers().await? {
            let chain = CertificateChain::from_pem(&chain).map_err(|error| CaError::Internal(error.to_string()))?;
            let first = chain.certificates().first();
            let identifier = first.and_then(|first| first.subject_key_identifier()).unwrap_or_default();
            found |= id == issuer && identifier == octets;
            self.former.lock().insert(id, identifier.to_vec());
        }
        Ok(found)
    }
}
