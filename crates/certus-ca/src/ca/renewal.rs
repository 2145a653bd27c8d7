//! Renewal information (RFC 9773): when to renew, what an order replaces, and rules that move the one for many at once.

use std::time::Duration;

use certus_acme::{CertId, Identifier, Problem, ProblemKind};
use certus_pki::Timestamp;

use super::{Ca, by_operator, retry_conflicts};
use crate::audit::Action;
use crate::error::CaError;
use crate::id::RenewalRuleId;
use crate::limits;
use crate::ports::Page;
use crate::state::{Account, Renewable, RenewalRule, Replaces, Selection, Window};

/// When a certificate should be renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    /// Within which time.
    pub window: Window,
    /// A page for people that says why then.
    pub explanation_url: Option<String>,
    /// When to ask again.
    pub ask_again: Duration,
}

/// Which certificates are to be renewed, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// Which.
    pub selection: Selection,
    /// Over which time from now on their renewals are spread; `None` for at once.
    pub within: Option<Duration>,
    /// How long the rule holds.
    pub holds: Duration,
    /// A page for people that says why.
    pub explanation_url: Option<String>,
}

impl Ca {
    /// When a certificate should be renewed, also one that is revoked or has ended.
    ///
    /// # Errors
    ///
    /// [`CaError::NotFound`] for one that was not issued here; what the store says.
    pub async fn renewal(&self, id: &CertId) -> Result<Renewal, CaError> {
        let found = self.renewable(id).await?.ok_or(CaError::NotFound("certificate"))?;
        let now = self.now();
        let rules = self.inner().renewals.rules(&*self.inner().store, now).await?;
        let (window, moved) = found.window(&rules, now);
        let explanation_url = moved.and_then(|rule| rule.explanation_url.clone());
        Ok(Renewal { window, explanation_url, ask_again: found.ask_again(now) })
    }

    async fn renewable(&self, id: &CertId) -> Result<Option<Renewable>, CaError> {
        let inner = self.inner();
        let Some(serial) = id.serial() else { return Ok(None) };
        for found in inner.store.renewables(&serial).await? {
            let octets = id.key_identifier();
            if inner.renewals.is_key_identifier(octets, &found.issuer, self.issuers(), &*inner.store).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The certificate that a new order replaces (RFC 9773 section 5).
    ///
    /// # Errors
    ///
    /// `malformed` when the text names none, with 404 when it names none of ours, and when the order has nothing in common
    /// with it; `unauthorized` when it is another account's; `alreadyReplaced`.
    pub(crate) async fn predecessor(
        &self,
        account: &Account,
        named: &str,
        identifiers: &[Identifier],
    ) -> Result<Replaces, CaError> {
        let named = CertId::parse(named).map_err(|error| {
            CaError::malformed(format!("\"replaces\" names no certificate (RFC 9773 section 4.1): {error}"))
        })?;
        let found = self.renewable(&named).await?.ok_or_else(|| {
            let detail = "\"replaces\" names a certificate that was not issued here; order without it";
            CaError::Refused(Problem::new(ProblemKind::Malformed, detail).with_status(404))
        })?;
        if found.account != Some(account.id) {
            let detail = "\"replaces\" names a certificate that was issued to another account";
            return Err(CaError::refused(ProblemKind::Unauthorized, detail));
        }
        if !identifiers.iter().any(|one| found.names.contains(&one.subject_name())) {
            let detail = "\"replaces\" names a certificate that has no identifier of this order; order without it";
            return Err(CaError::malformed(detail));
        }
        let now = self.now();
        if self.inner().store.is_replaced(found.id, now).await? {
            return Err(already_replaced());
        }
        let rules = self.inner().renewals.rules(&*self.inner().store, now).await?;
        let (window, _) = found.window(&rules, now);
        // Whoever revokes his own certificates, or gives his orders up, could else order for ever what is counted nowhere.
        let asked_for = window.start() <= now && found.revoked.is_none();
        let no_more = identifiers.iter().all(|one| found.names.contains(&one.subject_name()));
        let due = asked_for && no_more && !self.inner().store.is_named(found.id).await?;
        Ok(Replaces { certificate: found.id, named, due })
    }

    /// Moves the time to renew of many certificates, for the person of that user id.
    ///
    /// # Errors
    ///
    /// `malformed` for what no certificate could ever meet, or would never end; what the store says.
    pub async fn advance_renewals(&self, uid: u32, wish: Advance) -> Result<RenewalRule, CaError> {
        let inner = self.inner();
        let now = self.now();
        self.check_advance(&wish, now).await?;
        let Advance { selection, within, holds, explanation_url } = wish;
        let window = match within {
            None => Window::new(now - 2 * limits::RENEW_AT_ONCE, limits::RENEW_AT_ONCE),
            Some(within) => Window::new(now, within),
        };
        let id = RenewalRuleId::random();
        let ends = now + holds;
        let rule = RenewalRule { id, selection, window, explanation_url, author: uid, made: now, ends, ended: None };
        inner.store.create_renewal_rule(&rule, by_operator(now, uid, Action::RenewalsAdvanced, id)).await?;
        inner.renewals.forget_rules();
        Ok(rule)
    }

    async fn check_advance(&self, wish: &Advance, now: Timestamp) -> Result<(), CaError> {
        let Advance { selection, within, holds, explanation_url } = wish;
        if selection.longest() > limits::MAX_SELECTED {
            let detail = format!("a rule may have {} values of each kind at most; make several", limits::MAX_SELECTED);
            return Err(CaError::malformed(detail));
        }
        if let Some(unknown) = selection.profiles.iter().find(|name| !self.issuers().profiles.contains_key(*name)) {
            return Err(super::order::invalid_profile(unknown, self.issuers()));
        }
        let store = &self.inner().store;
        if !selection.issuers.is_empty() {
            let known = store.issuers().await?;
            if let Some(other) = selection.issuers.iter().find(|id| !known.iter().any(|(one, _)| one == *id)) {
                let ids: Vec<&str> = known.iter().map(|(id, _)| id.as_str()).collect();
                let detail = format!("{other:?} is no issuer; the issuers are {}", ids.join(", "));
                return Err(CaError::malformed(detail));
            }
        }
        for account in &selection.accounts {
            if store.account(*account).await?.is_none() {
                return Err(CaError::malformed(format!("there is no account {account}")));
            }
        }
        if holds.as_secs() == 0 || within.is_some_and(|within| within >= *holds) {
            return Err(CaError::malformed("the rule would end before the renewals that it asks for"));
        }
        if let Some(url) = explanation_url
            && !is_page(url)
        {
            let most = limits::MAX_EXPLANATION;
            let detail = format!("{url:?} is no http:// or https:// URL of {most} ASCII characters at most");
            return Err(CaError::malformed(detail));
        }
        if store.active_renewal_rules(now).await?.len() >= limits::MAX_RENEWAL_RULES {
            let most = limits::MAX_RENEWAL_RULES;
            let detail = format!("there are {most} rules already; end some first: certus ca renewals end ID");
            return Err(CaError::malformed(detail));
        }
        Ok(())
    }

    /// The rules, oldest first, also those that hold no longer.
    ///
    /// # Errors
    ///
    /// What the store says.
    pub async fn renewal_rules(&self, after: Option<i64>, limit: u32) -> Result<Page<RenewalRule>, CaError> {
        Ok(self.inner().store.renewal_rules(after, limit).await?)
    }

    /// Ends a rule, for the person of that user id: what it moved is where it was. One that was ended before stays as it is.
    ///
    /// # Errors
    ///
    /// [`CaError::NotFound`]; what the store says.
    pub async fn end_renewal_rule(&self, uid: u32, id: RenewalRuleId) -> Result<RenewalRule, CaError> {
        retry_conflicts!(self.try_end_renewal_rule(uid, id).await)
    }

    async fn try_end_renewal_rule(&self, uid: u32, id: RenewalRuleId) -> Result<RenewalRule, CaError> {
        let inner = self.inner();
        let mut rule = inner.store.renewal_rule(id).await?.ok_or(CaError::NotFound("rule"))?;
        if rule.ended.is_none() {
            let now = self.now();
            inner.store.end_renewal_rule(id, now, by_operator(now, uid, Action::RenewalRuleEnded, id)).await?;
            rule.ended = Some(now);
        }
        inner.renewals.forget_rules();
        Ok(rule)
    }
}

/// RFC 9773 section 5: 409.
pub(crate) fn already_replaced() -> CaError {
    let detail = "the certificate that \"replaces\" names has a replacement, or an order for one; finish that, or order \
                  without \"replaces\"";
    CaError::refused(ProblemKind::AlreadyReplaced, detail)
}

fn is_page(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.is_some_and(|host| host.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '['))
        && url.len() <= limits::MAX_EXPLANATION
        && url.bytes().all(|octet| octet.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_url_that_can_be_shown() {
        for (url, expected) in [
            ("https://ca.example/incident?id=7#why", true),
            ("http://[2001:db8::1]:8080/", true),
            ("https://", false),
            ("https:///x", false),
            ("ftp://ca.example", false),
            ("javascript:alert(1)", false),
            ("https://ca.example/a b", false),
            ("https://ca.example/\u{1b}[2J", false),
            ("https://ca.example/\"", false),
            ("https://cä.example/", false),
        ] {
            assert_eq!(is_page(url), expected, "{url}");
        }
        assert!(!is_page(&format!("https://a/{}", "a".repeat(limits::MAX_EXPLANATION))));
    }
}
