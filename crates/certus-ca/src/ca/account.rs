//! Accounts (RFC 8555 section 7.3).

use std::net::IpAddr;

use certus_acme::account::{AccountUpdate, NewAccount};
use certus_acme::{AccountStatus, Jwk, ProblemKind, Thumbprint};

use super::{Ca, account_event, by_operator, retry_conflicts};
use crate::audit::Action;
use crate::error::CaError;
use crate::id::{AccountId, RequestId};
use crate::policy;
use crate::ports::{StoreError, Stored};
use crate::state::{Account, AccountBinding};

/// What came of a newAccount request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// The account was made: 201.
    Created(Account),
    /// The key had an account: 200 (RFC 8555 section 7.3.1).
    Existing(Account),
}

/// What came of a keyChange request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChanged {
    /// The account has the new key: 200.
    Done(Box<Account>),
    /// The new key is that of this account, perhaps the very same: 409.
    InUse(AccountId),
}

impl Ca {
    /// The account of that id, whatever its status. Read from the store each time: another node may have changed it.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn account(&self, id: AccountId) -> Result<Option<Stored<Account>>, CaError> {
        Ok(self.inner().store.account(id).await?)
    }

    /// Finds or makes the account of a key.
    ///
    /// # Errors
    ///
    /// `accountDoesNotExist` when only an existing one is wanted; `invalidContact` and `unsupportedContact`;
    /// `unauthorized` when the key's account was deactivated, or the binding's key is over; `externalAccountRequired`;
    /// `rateLimited` when too many were made `from` that address.
    ///
    /// `binding` was verified; that of `wish` is not looked at.
    pub async fn new_account(
        &self,
        request: RequestId,
        key: &Jwk,
        wish: &NewAccount,
        binding: Option<&AccountBinding>,
        from: IpAddr,
    ) -> Result<Opened, CaError> {
        retry_conflicts!(self.try_new_account(request, key, wish, binding, from).await)
    }

    /// Whether a key has an account, whatever its status.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn has_account(&self, key: &Jwk) -> Result<bool, CaError> {
        Ok(self.inner().store.account_by_key(&key.thumbprint()).await?.is_some())
    }

    async fn try_new_account(
        &self,
        request: RequestId,
        key: &Jwk,
        wish: &NewAccount,
        binding: Option<&AccountBinding>,
        from: IpAddr,
    ) -> Result<Opened, CaError> {
        let store = &self.inner().store;
        if let Some(found) = store.account_by_key(&key.thumbprint()).await? {
            return match found.value.status() {
                AccountStatus::Valid => Ok(Opened::Existing(found.value)),
                AccountStatus::Deactivated | AccountStatus::Revoked => Err(CaError::deactivated()),
            };
        }
        if wish.only_return_existing == Some(true) {
            let detail = "no account has this key; leave out onlyReturnExisting to make one";
            return Err(CaError::refused(ProblemKind::AccountDoesNotExist, detail));
        }
        let now = self.now();
        self.may_open(binding, now).await?;
        let terms = &self.inner().service.terms_of_service;
        let agreed = wish.terms_of_service_agreed == Some(true);
        if let Some(url) = terms.as_ref().filter(|_| !agreed) {
            return Err(CaError::Terms(url.clone()));
        }
        self.check_not_blocked(key.public_key(), ProblemKind::BadPublicKey).await?;
        let contact = wish.contact.clone().unwrap_or_default();
        policy::contacts::check(&contact)?;
        let opened = Account::open(key.clone(), contact, now);
        let account = Account { terms: terms.clone(), binding: binding.cloned(), ..opened };
        let audit = account_event(now, account.id, Action::AccountCreated, account.id, request);
        let charges = self.inner().limits.for_account(from, now);
        match store.create_account(&account, &charges, audit).await {
            // Made meanwhile by another request of this client, which was the last that the limit let through.
            Err(StoreError::Limited(_)) if self.has_account(key).await? => return Err(StoreError::Conflict.into()),
            kept => kept?,
        }
        Ok(Opened::Created(account))
    }

    /// Changes an account's contacts, agrees to the present terms or deactivates it (RFC 8555 sections 7.3.2, 7.3.3 and
    /// 7.3.6). Other members are ignored.
    ///
    /// # Errors
    ///
    /// As [`Self::new_account`]; `malformed` for any other status.
    pub async fn update_account(
        &self,
        request: RequestId,
        account: &Account,
        update: &AccountUpdate,
    ) -> Result<Account, CaError> {
        match update.status.as_deref() {
            None | Some("valid") => {}
            Some("deactivated") => return self.deactivate_account(request, account.id).await,
            Some(_) => return Err(CaError::malformed("an account's status can only be set to \"deactivated\"")),
        }
        let contact = update.contact.as_ref().unwrap_or(&account.contact);
        let agreed = update.terms_of_service_agreed == Some(true);
        let terms = if agreed { &self.inner().service.terms_of_service } else { &account.terms };
        if *contact == account.contact && *terms == account.terms {
            return Ok(account.clone());
        }
        policy::contacts::check(contact)?;
        let change = |account: Account| Account { contact: contact.clone(), terms: terms.clone(), ..account };
        retry_conflicts!(self.change_account(request, account.id, Action::AccountUpdated, &change).await)
    }

    /// Replaces an account's key `old` by `new` (RFC 8555 section 7.3.5). Its orders and authorizations stay.
    ///
    /// # Errors
    ///
    /// `malformed` when the key is no longer `old`; `unauthorized` when the account was deactivated meanwhile.
    pub async fn change_key(
        &self,
        request: RequestId,
        id: AccountId,
        old: &Thumbprint,
        new: &Jwk,
    ) -> Result<KeyChanged, CaError> {
        retry_conflicts!(self.try_change_key(request, id, old, new).await)
    }

    async fn try_change_key(
        &self,
        request: RequestId,
        id: AccountId,
        old: &Thumbprint,
        new: &Jwk,
    ) -> Result<KeyChanged, CaError> {
        let store = &self.inner().store;
        if let Some(other) = store.account_by_key(&new.thumbprint()).await? {
            return Ok(KeyChanged::InUse(other.value.id));
        }
        let Some(Stored { value, version }) = store.account(id).await? else {
            return Err(CaError::NotFound("account"));
        };
        if value.status() != AccountStatus::Valid {
            return Err(CaError::deactivated());
        }
        if value.key.thumbprint() != *old {
            return Err(CaError::malformed("the account's key was changed meanwhile; sign with the present one"));
        }
        self.check_not_blocked(new.public_key(), ProblemKind::BadPublicKey).await?;
        let changed = Account { key: new.clone(), ..value };
        let audit = account_event(self.now(), id, Action::AccountKeyChanged, id, request);
        store.update_account(version, &changed, audit).await?;
        Ok(KeyChanged::Done(Box::new(changed)))
    }

    /// Sees that an account has agreed to the present terms, if there are any (RFC 8555 section 7.3.3).
    pub(super) fn agreed(&self, account: &Account) -> Result<(), CaError> {
        match &self.inner().service.terms_of_service {
            Some(url) if account.terms.as_ref() != Some(url) => Err(CaError::Terms(url.clone())),
            Some(_) | None => Ok(()),
        }
    }

    async fn deactivate_account(&self, request: RequestId, id: AccountId) -> Result<Account, CaError> {
        let now = self.now();
        let change = |account: Account| account.deactivate(now);
        retry_conflicts!(self.change_account(request, id, Action::AccountDeactivated, &change).await)
    }

    /// Revokes an account, for the person of that user id: it can do nothing any more (RFC 8555 section 7.1.6). Its
    /// certificates stay. One that is over already stays as it is.
    ///
    /// # Errors
    ///
    /// [`CaError::NotFound`]; what the store says.
    pub async fn revoke_account(&self, uid: u32, id: AccountId) -> Result<Account, CaError> {
        retry_conflicts!(self.try_revoke_account(uid, id).await)
    }

    async fn try_revoke_account(&self, uid: u32, id: AccountId) -> Result<Account, CaError> {
        let store = &self.inner().store;
        let Some(Stored { value, version }) = store.account(id).await? else {
            return Err(CaError::NotFound("account"));
        };
        let now = self.now();
        let revoked = value.clone().revoke(now);
        if revoked != value {
            let audit = by_operator(now, uid, Action::AccountRevoked, id);
            store.update_account(version, &revoked, audit).await?;
        }
        Ok(revoked)
    }

    async fn change_account(
        &self,
        request: RequestId,
        id: AccountId,
        action: Action,
        change: &(dyn Fn(Account) -> Account + Send + Sync),
    ) -> Result<Account, CaError> {
        let store = &self.inner().store;
        let Some(Stored { value, version }) = store.account(id).await? else {
            return Err(CaError::NotFound("account"));
        };
        if value.status() != AccountStatus::Valid {
            return Err(CaError::deactivated());
        }
        let changed = change(value);
        let audit = account_event(self.now(), id, action, id, request);
        store.update_account(version, &changed, audit).await?;
        Ok(changed)
    }
}
