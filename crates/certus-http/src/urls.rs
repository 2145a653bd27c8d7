//! The URLs of an authority: `{external_url}/acme/{acct,order,authz,chall,cert}/{id}`; a certificate's further chains are
//! numbered from 1 beneath its own, an account's orders are listed at `orders` beneath its own. Renewal information is at
//! `/acme/renewal-info/{certID}`.
//!
//! They are made of the external URL alone, never of a request's Host header, so that a URL signed today is the URL of
//! tomorrow whatever stands in between.

use std::sync::Arc;

use certus_ca::id::{AccountId, AuthorizationId, CertificateId, ChallengeId, OrderId};
use certus_ca::ports::AccountUrls;

/// The path of the directory.
pub(crate) const DIRECTORY: &str = "/directory";
/// The path of what is said to people about limits: a page, no resource of ACME.
pub(crate) const LIMITS: &str = "/limits";

/// The query of a list's further pages, in front of an id.
const AFTER: &str = "after=";

/// Makes and reads the authority's URLs.
#[derive(Debug, Clone)]
pub struct Urls {
    base: Arc<str>,
    previous: Arc<[String]>,
}

impl Urls {
    /// URLs beneath `external_url`; account URLs beneath the `previous` ones are understood too, since they live for
    /// years in clients' files and in DNS.
    ///
    /// # Errors
    ///
    /// [`UrlError`] when a URL is not `https://host[:port]`.
    pub fn new(external_url: &str, previous: &[String]) -> Result<Self, UrlError> {
        for url in std::iter::once(external_url).chain(previous.iter().map(String::as_str)) {
            let rest = url.strip_prefix("https://").ok_or(UrlError)?;
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
            if rest.is_empty() || !rest.bytes().all(plain) || rest.bytes().any(|byte| byte.is_ascii_uppercase()) {
                return Err(UrlError);
            }
        }
        Ok(Self { base: external_url.into(), previous: previous.into() })
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> String {
        self.of(DIRECTORY)
    }

    pub(crate) fn of(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) fn account(&self, id: AccountId) -> String {
        account_url(&self.base, id)
    }

    /// The account's list of orders: its first page, or the one behind that order.
    pub(crate) fn orders(&self, id: AccountId, after: Option<OrderId>) -> String {
        match after {
            None => format!("{}/orders", self.account(id)),
            Some(order) => format!("{}/orders?{AFTER}{order}", self.account(id)),
        }
    }

    /// The order behind which a page begins, out of the query of [`Self::orders`]; `None` when it is another query.
    pub(crate) fn after(query: Option<&str>) -> Option<Option<OrderId>> {
        match query {
            None => Some(None),
            Some(query) => query.strip_prefix(AFTER).and_then(OrderId::parse).map(Some),
        }
    }

    pub(crate) fn order(&self, id: OrderId) -> String {
        format!("{}/acme/order/{id}", self.base)
    }

    pub(crate) fn finalize(&self, id: OrderId) -> String {
        format!("{}/acme/order/{id}/finalize", self.base)
    }

    pub(crate) fn authorization(&self, id: AuthorizationId) -> String {
        format!("{}/acme/authz/{id}", self.base)
    }

    pub(crate) fn challenge(&self, id: ChallengeId) -> String {
        format!("{}/acme/chall/{id}", self.base)
    }

    pub(crate) fn certificate(&self, id: CertificateId) -> String {
        format!("{}/acme/cert/{id}", self.base)
    }

    /// One of a certificate's chains; number 0 is the certificate's own URL.
    pub(crate) fn chain(&self, id: CertificateId, number: usize) -> String {
        match number {
            0 => self.certificate(id),
            alternate => format!("{}/{alternate}", self.certificate(id)),
        }
    }

    /// The account of a `kid`: exactly the URL that newAccount gave, now or under an earlier external URL.
    pub(crate) fn account_of(&self, kid: &str) -> Option<AccountId> {
        let bases = std::iter::once(self.base.as_ref()).chain(self.previous.iter().map(String::as_str));
        bases.into_iter().find_map(|base| AccountId::parse(kid.strip_prefix(base)?.strip_prefix("/acme/acct/")?))
    }
}

impl AccountUrls for Urls {
    fn of_account(&self, account: AccountId) -> Vec<String> {
        let bases = std::iter::once(self.base.as_ref()).chain(self.previous.iter().map(String::as_str));
        bases.map(|base| account_url(base, account)).collect()
    }
}

fn account_url(base: &str, id: AccountId) -> String {
    format!("{base}/acme/acct/{id}")
}

/// A text that cannot be an external URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an external URL is https://host or https://host:port, in lower case, with nothing behind it")]
pub struct UrlError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_url_names_an_account() -> Result<(), UrlError> {
        let urls = Urls::new("https://ca.example:14000", &["https://old.example".to_owned()])?;
        let id = AccountId::random();
        assert_eq!(urls.account_of(&urls.account(id)), Some(id));
        assert_eq!(urls.account_of(&format!("https://old.example/acme/acct/{id}")), Some(id));
        assert_eq!(urls.of_account(id), [urls.account(id), format!("https://old.example/acme/acct/{id}")]);
        for other in [
            format!("{id}"),
            format!("https://ca.example:14000/acme/acct/{id}/"),
            format!("http://ca.example:14000/acme/acct/{id}"),
            format!("https://CA.example:14000/acme/acct/{id}"),
            format!("https://ca.example/acme/acct/{id}"),
            format!("https://ca.example:14000/acme/acct/{id}?x"),
            format!("https://ca.example:14000/acme/order/{id}"),
        ] {
            assert_eq!(urls.account_of(&other), None, "{other}");
        }
        Ok(())
    }

    #[test]
    fn a_page_has_one_url() -> Result<(), UrlError> {
        let urls = Urls::new("https://ca.example", &[])?;
        let (account, order) = (AccountId::random(), OrderId::random());
        for after in [None, Some(order)] {
            let url = urls.orders(account, after);
            assert_eq!(Urls::after(url.split_once('?').map(|(_, query)| query)), Some(after), "{url}");
        }
        for query in [
            String::new(),
            "after".to_owned(),
            "after=".to_owned(),
            "after=1".to_owned(),
            format!("{order}"),
            format!("after={order}&"),
            format!("after={order}="),
            format!("&after={order}"),
            format!("after={order}&after={order}"),
            format!("After={order}"),
            format!("x=1&after={order}"),
            format!("%61fter={order}"),
        ] {
            assert_eq!(Urls::after(Some(&query)), None, "{query}");
        }
        Ok(())
    }

    #[test]
    fn an_external_url_is_scheme_host_and_port() {
        for bad in ["", "https://", "http://a", "https://a/", "https://a/x", "https://u@a", "https://a?x", "https://A"]
        {
            assert!(Urls::new(bad, &[]).is_err(), "{bad}");
        }
        for good in ["https://a", "https://a.example:8443", "https://127.0.0.1", "https://[::1]:14000"] {
            assert!(Urls::new(good, &[]).is_ok(), "{good}");
        }
    }
}
