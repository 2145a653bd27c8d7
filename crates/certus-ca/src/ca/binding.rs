//! External account binding (RFC 8555 section 7.3.4): its keys, and what accounts that are bound may do.

use certus_acme::ProblemKind;
use certus_pki::{MacKey, Timestamp};

use super::{Ca, by_operator, retry_conflicts};
use crate::audit::Action;
use crate::error::CaError;
use crate::id::BindingKeyId;
use crate::limits;
use crate::ports::{Page, StoreError};
use crate::state::Account;
use crate::state::binding::{AccountBinding, BindingEntry, BindingKey, BindingScope};

/// What a binding key's secret is sealed together with, before its id.
const CONTEXT: &[u8] = b"binding key ";

impl Ca {
    /// Makes a key, for the person of that user id. The MAC key is given here and never again.
    ///
    /// # Errors
    ///
    /// `malformed` for what no order could ever meet; what the store and the vault say.
    pub async fn make_binding_key(&self, uid: u32, scope: BindingScope) -> Result<(BindingKey, MacKey), CaError> {
        let now = self.now();
        self.check_scope(&scope, now)?;
        let (id, mac) = (BindingKeyId::random(), MacKey::generate());
        let secret = self.inner().vault.seal(&context(id), mac.reveal())?;
        let key = BindingKey { id, secret, scope, created: now, revoked: None };
        self.inner().store.create_binding_key(&key, by_operator(now, uid, Action::BindingKeyMade, id)).await?;
        Ok((key, mac))
    }

    fn check_scope(&self, scope: &BindingScope, now: Timestamp) -> Result<(), CaError> {
        let many = scope.names.len().max(scope.suffixes.len()).max(scope.profiles.len());
        if many > limits::MAX_BINDING_NAMES {
            let detail = format!("a key may have {} names of each kind at most", limits::MAX_BINDING_NAMES);
            return Err(CaError::malformed(detail));
        }
        if scope.vouches && scope.names.is_empty() && scope.suffixes.is_empty() {
            return Err(CaError::malformed("a key can pre-authorize names of a list only; permit some names"));
        }
        if let Some(unknown) = scope.profiles.iter().find(|name| !self.issuers().profiles.contains_key(*name)) {
            return Err(super::order::invalid_profile(unknown, self.issuers()));
        }
        if scope.quota == Some(0) || scope.expires.is_some_and(|expires| expires <= now) {
            return Err(CaError::malformed("with this quota or expiry the key would be good for nothing"));
        }
        Ok(())
    }

    /// The keys, oldest first, each with what has been made of it.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn binding_keys(&self, after: Option<i64>, limit: u32) -> Result<Page<BindingEntry>, CaError> {
        Ok(self.inner().store.binding_keys(after, limit).await?)
    }

    /// Revokes a key, for the person of that user id. A key that was revoked before stays as it is.
    ///
    /// # Errors
    ///
    /// [`CaError::NotFound`]; what the store says.
    pub async fn revoke_binding_key(&self, uid: u32, id: BindingKeyId) -> Result<BindingEntry, CaError> {
        retry_conflicts!(self.try_revoke_binding_key(uid, id).await)
    }

    async fn try_revoke_binding_key(&self, uid: u32, id: BindingKeyId) -> Result<BindingEntry, CaError> {
        let store = &self.inner().store;
        let mut entry = store.binding_key(id).await?.ok_or(CaError::NotFound("key"))?;
        if entry.key.revoked.is_none() {
            let now = self.now();
            store.revoke_binding_key(id, now, by_operator(now, uid, Action::BindingKeyRevoked, id)).await?;
            entry.key.revoked = Some(now);
        }
        Ok(entry)
    }

    /// The MAC key of that id. For an id that nobody has it is one that nobody knows: no MAC holds under it, and who asks
    /// learns neither by the answer nor by its time which of the two is wrong.
    ///
    /// # Errors
    ///
    /// What the store and the vault say.
    pub async fn binding_secret(&self, kid: &str) -> Result<(BindingKeyId, MacKey), CaError> {
        let id = BindingKeyId::parse(kid).unwrap_or_else(BindingKeyId::random);
        match self.inner().store.binding_key(id).await? {
            Some(entry) => Ok((id, MacKey::from_bytes(&self.inner().vault.open(&context(id), &entry.key.secret)?))),
            None => Ok((id, MacKey::generate())),
        }
    }

    /// Sees that a key still binds accounts, or that none is needed.
    pub(super) async fn may_open(&self, binding: Option<&AccountBinding>, now: Timestamp) -> Result<(), CaError> {
        let Some(binding) = binding else {
            if !self.inner().service.external_account_required {
                return Ok(());
            }
            let detail = "an account needs an external account binding here: ask the authority's operator for a key \
                          (RFC 8555 section 7.3.4)";
            return Err(CaError::refused(ProblemKind::ExternalAccountRequired, detail));
        };
        let entry = self.inner().store.binding_key(binding.key).await?;
        let BindingEntry { key, used } = entry.ok_or_else(|| gone(binding.key))?;
        match key.refuses_accounts(used, now) {
            Some(detail) => Err(CaError::refused(ProblemKind::Unauthorized, detail)),
            None => Ok(()),
        }
    }

    /// The key that an account is bound to, if it is bound to one, with what has been made of it.
    pub(crate) async fn key_of(&self, account: &Account) -> Result<Option<BindingEntry>, StoreError> {
        let Some(binding) = &account.binding else { return Ok(None) };
        let entry = self.inner().store.binding_key(binding.key).await?;
        entry.map(Some).ok_or_else(|| gone(binding.key))
    }
}

fn context(id: BindingKeyId) -> Vec<u8> {
    [CONTEXT, id.as_bytes()].concat()
}

/// A key is never removed.
fn gone(id: BindingKeyId) -> StoreError {
    StoreError::Inconsistent { table: "binding_keys", column: "id", key: id.to_string() }
}
