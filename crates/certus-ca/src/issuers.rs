//! The issuers of the authority and the profiles that use them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use certus_acme::{ChallengeType, Identifier};
use certus_pki::{
    DnsName, Issuer, Profile, PublicKey, PublicKeyKind, Publications, Timestamp, Validity, ValidityError,
};

use crate::policy::caa::CaaRule;
use crate::policy::names::NameRules;

/// A profile with the issuers that sign by it.
#[derive(Debug, Clone)]
pub struct ProfileRule {
    /// What its certificates are like.
    pub profile: Profile,
    /// One sentence for the directory: what it is for.
    pub description: String,
    /// The ways to prove control of what it certifies; what has none left cannot be certified by it.
    pub challenges: Vec<ChallengeType>,
    /// How long after it was met an authorization may serve later orders of this profile; zero for its own order alone.
    pub reuse: Duration,
    /// How often a challenge that failed is tried again: at most as often as [`crate::limits::CHALLENGE_RETRIES`] has waits.
    pub retries: u8,
    /// Which names the authority certifies at all.
    pub names: Arc<NameRules>,
    /// Whether names and addresses of the public Internet alone are certified.
    pub public_only: bool,
    /// Which names it certifies only if CAA permits it.
    pub caa: CaaRule,
    /// Signs certificates for elliptic-curve keys.
    pub ecdsa: Arc<Issuer>,
    /// Signs certificates for RSA keys.
    pub rsa: Arc<Issuer>,
}

impl ProfileRule {
    /// The ways to prove control of an identifier, as far as this profile takes them.
    #[must_use]
    pub fn challenges_for(&self, identifier: &Identifier) -> Vec<ChallengeType> {
        let possible = ChallengeType::for_identifier(identifier).iter();
        possible.filter(|challenge| self.challenges.contains(challenge)).copied().collect()
    }

    /// The name whose CAA records must permit a certificate for this identifier, if any must. Addresses have none.
    #[must_use]
    pub fn caa_name<'a>(&self, identifier: &'a Identifier) -> Option<&'a DnsName> {
        let name = match identifier {
            Identifier::Dns(name) | Identifier::Wildcard(name) => name,
            Identifier::Ip(_) => return None,
        };
        match self.caa {
            CaaRule::All => Some(name),
            CaaRule::ExceptInternal => (!self.names.is_internal(name)).then_some(name),
        }
    }

    /// Checks that these dates could be had of either issuer now.
    ///
    /// # Errors
    ///
    /// [`ValidityError`] says which could.
    pub fn permits_validity(&self, validity: &Validity, now: Timestamp) -> Result<(), ValidityError> {
        for issuer in [&self.ecdsa, &self.rsa] {
            validity.within(&self.profile, issuer.certificate(), now)?;
        }
        Ok(())
    }

    /// The issuer for a key.
    #[must_use]
    pub fn issuer_for(&self, key: &PublicKey) -> &Arc<Issuer> {
        match key.kind() {
            PublicKeyKind::Rsa { .. } => &self.rsa,
            PublicKeyKind::Ec(_) | PublicKeyKind::Ed25519 => &self.ecdsa,
        }
    }
}

/// Every issuer and profile, and where what they need is published.
#[derive(Debug, Clone)]
pub struct Issuers {
    /// Every issuer, also one that no profile uses any more: its certificates still need their CRLs.
    pub configured: Vec<Arc<Issuer>>,
    /// Profiles by name.
    pub profiles: BTreeMap<String, ProfileRule>,
    /// The profile of orders that ask for none.
    pub default_profile: String,
    /// The public base of what is published over plain HTTP, without a slash at the end.
    pub pki_url: String,
    /// CRL shards that new certificates are spread over. May change; what was issued keeps its shard.
    pub shards: u32,
}

impl Issuers {
    /// The issuer of that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Issuer>> {
        self.configured.iter().find(|issuer| issuer.id() == id)
    }

    /// Where a certificate of that issuer and shard says that its issuer and CRL are.
    #[must_use]
    pub fn publications(&self, issuer: &str, shard: u32) -> Publications {
        Publications {
            ca_issuers_url: issuer_url(&self.pki_url, issuer),
            crl_url: crl_url(&self.pki_url, issuer, shard),
        }
    }
}

/// Where an issuer's certificate is published, in DER.
#[must_use]
pub fn issuer_url(pki_url: &str, issuer: &str) -> String {
    format!("{pki_url}/issuer/{issuer}.cer")
}

/// Where a CRL is published.
#[must_use]
pub fn crl_url(pki_url: &str, issuer: &str, shard: u32) -> String {
    format!("{pki_url}/crl/{issuer}/{shard}.crl")
}
