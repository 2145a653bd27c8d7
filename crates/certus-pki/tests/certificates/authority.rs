//! A two-tier authority in memory, and what a test needs to issue from it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use certus_pki::{
    AuthorizedNames, CaSubject, Certificate, CertificateChain, DnsName, Issuer, KeyAlgorithm, KeyPair, KeyUsage,
    ObjectIdentifier, PermittedKeys, Profile, PublicKey, Publications, SerialNumber, SubjectName, TbsCertificate,
    TbsError, Timestamp, create_intermediate, create_root,
};

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

pub(crate) fn noon() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-24T12:00:00Z").unwrap()
}

pub(crate) struct Authority {
    pub(crate) root_key: Arc<KeyPair>,
    pub(crate) root: Certificate,
    pub(crate) intermediate: Certificate,
    pub(crate) issuer: Issuer,
}

impl Authority {
    pub(crate) async fn new(algorithm: KeyAlgorithm) -> Self {
        Self::of(KeyPair::generate(algorithm).unwrap(), KeyPair::generate(algorithm).unwrap(), &[]).await
    }

    pub(crate) async fn of(root_key: KeyPair, intermediate_key: KeyPair, permitted: &[&str]) -> Self {
        let permitted: Vec<DnsName> = permitted.iter().map(|suffix| DnsName::parse(suffix).unwrap()).collect();
        let root = create_root(&subject("Example Root"), &root_key, DAY * 7300, noon()).await.unwrap();
        let intermediate = create_intermediate(
            &subject("Example Intermediate 1"),
            &root,
            &root_key,
            intermediate_key.public_key(),
            &permitted,
            "http://pki.example.com/root.der",
            "http://pki.example.com/crl/root.crl",
            DAY * 1826,
            noon(),
        )
        .await
        .unwrap();
        let chain = CertificateChain::new(vec![intermediate.clone(), root.clone()]).unwrap();
        let issuer = Issuer::new(chain, Arc::new(intermediate_key)).unwrap();
        Self { root_key: Arc::new(root_key), root, intermediate, issuer }
    }

    pub(crate) fn tbs(&self, profile: &Profile, names: &[&str], key: &PublicKey, now: Timestamp) -> TbsCertificate {
        TbsCertificate::new(profile, proved(names), key, SerialNumber::random(), &self.issuer, &publications(), now)
            .unwrap()
    }

    /// Of any issuer, an hour after its beginning.
    pub(crate) fn tbs_of(issuer: &Issuer, profile: &Profile, key: &PublicKey) -> Result<TbsCertificate, TbsError> {
        let (now, names) = (issuer.certificate().not_before() + DAY / 24, proved(&["example.com"]));
        TbsCertificate::new(profile, names, key, SerialNumber::random(), issuer, &publications(), now)
    }

    pub(crate) async fn issue(&self, profile: &Profile, names: &[&str], key: &PublicKey) -> Certificate {
        let prepared = self.issuer.prepare(self.tbs(profile, names, key, noon()), noon()).unwrap();
        self.issuer.sign(prepared).await.unwrap()
    }
}

pub(crate) fn subject(common_name: &str) -> CaSubject {
    CaSubject {
        common_name: common_name.to_owned(),
        organization: Some("Example Organization".to_owned()),
        country: Some("SE".to_owned()),
    }
}

pub(crate) fn publications() -> Publications {
    Publications {
        ca_issuers_url: "http://pki.example.com/intermediate.der".to_owned(),
        crl_url: "http://pki.example.com/crl/0011/0.crl".to_owned(),
    }
}

pub(crate) fn classic() -> Profile {
    Profile {
        name: "classic".to_owned(),
        lifetime: DAY * 90,
        backdate: Duration::from_secs(600),
        policies: Vec::new(),
        client_auth: false,
        keys: PermittedKeys::default(),
    }
}

/// A profile that asserts domain validation under the Baseline Requirements.
pub(crate) fn public(days: u32) -> Profile {
    let policies = vec![ObjectIdentifier::new_unwrap("2.23.140.1.2.1")];
    Profile { name: "public".to_owned(), lifetime: DAY * days, policies, ..classic() }
}

pub(crate) fn names(texts: &[&str]) -> BTreeSet<SubjectName> {
    let name = |text: &&str| match text.parse() {
        Ok(address) => SubjectName::Ip(address),
        Err(_) => SubjectName::Dns(DnsName::parse(text).unwrap()),
    };
    texts.iter().map(name).collect()
}

pub(crate) fn proved(texts: &[&str]) -> AuthorizedNames {
    AuthorizedNames::assertion(names(texts)).unwrap()
}

pub(crate) fn leaf_key() -> KeyPair {
    KeyPair::generate(KeyAlgorithm::EcP256).unwrap()
}

/// Every usage that a certificate's key may be put to.
pub(crate) fn usages(certificate: &Certificate) -> Vec<KeyUsage> {
    let all = [
        KeyUsage::DigitalSignature,
        KeyUsage::NonRepudiation,
        KeyUsage::KeyEncipherment,
        KeyUsage::DataEncipherment,
        KeyUsage::KeyAgreement,
        KeyUsage::KeyCertSign,
        KeyUsage::CrlSign,
        KeyUsage::EncipherOnly,
        KeyUsage::DecipherOnly,
    ];
    all.into_iter().filter(|usage| certificate.key_usage(*usage) == Some(true)).collect()
}
