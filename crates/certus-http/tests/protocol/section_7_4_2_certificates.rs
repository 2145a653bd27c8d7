//! RFC 8555 sections 7.4.2 and 9.1: downloading certificates.

use certus_acme::ProblemKind;
use certus_pki::{CertificateChain, DnsName, SubjectName};
use certus_testkit::{Issued, TestClient};

use crate::common::{World, assert_refused};

const PEM_CHAIN: &str = "application/pem-certificate-chain";

async fn issued(world: &World, client: &TestClient) -> (Issued, String) {
    let issued = client.obtain(&["a.localhost", "b.localhost"], &world.target).await.unwrap();
    let url = issued.order.value.certificate.clone().unwrap();
    (issued, url)
}

// conformance: 8555-7.4.2-01 8555-7.4.2-10 8555-7.4.2-11
#[tokio::test]
async fn the_chain_is_pem_and_labelled_so_whatever_is_asked_for() {
    let world = World::new().await;
    let client = world.client().await;
    let (issued, url) = issued(&world, &client).await;
    for accept in [None, Some(PEM_CHAIN), Some("application/pkix-cert"), Some("application/pkcs7-mime"), Some("*/*")] {
        let body = client.forge(&url, "").await.unwrap().body().unwrap();
        let headers: Vec<_> = [("content-type", "application/jose+json")]
            .into_iter()
            .chain(accept.map(|accept| ("accept", accept)))
            .collect();
        let answer = client.http().send("POST", &url, &headers, body).await.unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(PEM_CHAIN)), "{accept:?}");
        assert_eq!(answer.text(), issued.chain_pem, "{accept:?}");
        // There is one chain to a root: none is promised beside it.
        assert!(answer.links("alternate").is_empty(), "{answer:?}");
    }
}

// conformance: 8555-7.4.2-02 8555-7.4.2-03 8555-7.4.2-04
#[tokio::test]
async fn the_leaf_comes_first_and_each_certificate_certifies_the_one_before() {
    let world = World::new().await;
    let client = world.client().await;
    let (issued, _) = issued(&world, &client).await;
    let chain = CertificateChain::from_pem(&issued.chain_pem).unwrap();
    let [leaf, issuer] = chain.certificates() else { panic!("leaf and issuer, without the root: {chain:?}") };
    let names = ["a.localhost", "b.localhost"].map(|name| SubjectName::Dns(DnsName::parse(name).unwrap()));
    assert_eq!(*leaf.subject_names(), names.into());
    assert_eq!(leaf.public_key(), issued.key.public_key());
    assert!(!leaf.is_ca() && issuer.is_ca());
    let root = &world.authority.hierarchy.root;
    for (certificate, above) in [(leaf, issuer), (issuer, root)] {
        assert_eq!(certificate.issuer_der(), above.subject_der());
        assert!(certificate.verify_signed_by(above.public_key()).is_ok());
    }
}

// conformance: 8555-7.4.2-05
#[tokio::test]
async fn the_pem_is_strict() {
    let world = World::new().await;
    let client = world.client().await;
    let (issued, _) = issued(&world, &client).await;
    // RFC 7468 section 3, stricttextualmsg: 64 characters a line but for the last, one line ending, nothing between.
    let mut lines = issued.chain_pem.strip_suffix('\n').unwrap().split('\n').peekable();
    let mut certificates = 0;
    while let Some(begin) = lines.next() {
        assert_eq!(begin, "-----BEGIN CERTIFICATE-----");
        let mut body = Vec::new();
        while lines.peek().is_some_and(|line| !line.starts_with('-')) {
            body.push(lines.next().unwrap());
        }
        assert_eq!(lines.next(), Some("-----END CERTIFICATE-----"));
        let (last, full) = body.split_last().unwrap();
        assert!(full.iter().all(|line| line.len() == 64), "{body:?}");
        assert!((1..=64).contains(&last.len()), "{body:?}");
        let base64 = |line: &&str| line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
        assert!(body.iter().all(base64), "{body:?}");
        certificates += 1;
    }
    assert_eq!(certificates, 2);
}

// conformance: 8555-7.4.2-08
#[tokio::test]
async fn a_certificate_never_changes() {
    let world = World::new().await;
    let client = world.client().await;
    let (first, url) = issued(&world, &client).await;
    assert_eq!(client.certificate(&url).await.unwrap(), first.chain_pem);
    let (renewed, renewed_url) = issued(&world, &client).await;
    assert_ne!((&renewed_url, &renewed.chain_pem), (&url, &first.chain_pem));
    // Long after it expired, when its order is gone.
    world.clock.advance(std::time::Duration::from_secs(400 * 24 * 3600));
    certus_ca::keep::reap(&world.authority.ca).await.unwrap();
    assert_eq!(client.post_as_get(&first.order.url).await.unwrap().status, 404);
    assert_eq!(client.certificate(&url).await.unwrap(), first.chain_pem);
}

// conformance: 8555-7.4.2-06 8555-7.4.2-07
#[tokio::test]
async fn a_chain_to_another_root_is_offered_as_an_alternate() {
    let world = World::with(|setup| setup.second_root = true).await;
    let client = world.client().await;
    let (issued, url) = issued(&world, &client).await;
    let own = client.post_as_get(&url).await.unwrap();
    let alternate_url = format!("{url}/1");
    assert_eq!(own.links("alternate"), [alternate_url.as_str()], "{own:?}");
    let alternate = client.post_as_get(&alternate_url).await.unwrap();
    assert_eq!((alternate.status, alternate.header("content-type")), (200, Some(PEM_CHAIN)));
    assert_eq!(alternate.links("alternate"), [url.as_str()], "the way back");
    assert_eq!(alternate.links("index").len(), 1, "{alternate:?}");

    let first = CertificateChain::from_pem(&issued.chain_pem).unwrap();
    let other = CertificateChain::from_pem(&alternate.text()).unwrap();
    let ([leaf, issuer], [same_leaf, cross]) = (first.certificates(), other.certificates()) else {
        panic!("leaf and issuer, without a root: {first:?} {other:?}");
    };
    assert_eq!(leaf, same_leaf);
    assert_ne!(issuer, cross);
    let second_root = world.authority.hierarchy.alternate.as_ref().unwrap().certificates().last().unwrap();
    assert!(leaf.verify_signed_by(cross.public_key()).is_ok());
    assert_eq!(cross.issuer_der(), second_root.subject_der());
    assert!(cross.verify_signed_by(second_root.public_key()).is_ok());

    // It is no more public than the certificate is, and there are no chains but these.
    let stranger = world.client().await;
    let answer = stranger.post_as_get(&alternate_url).await.unwrap();
    assert_refused("another account", &answer, 403, ProblemKind::Unauthorized);
    let answer = client.http().get(&alternate_url).await.unwrap();
    assert_refused("a plain GET", &answer, 405, ProblemKind::Malformed);
    for number in ["0", "01", "+1", "2", "-1", "x", "18446744073709551616", ""] {
        let answer = client.post_as_get(&format!("{url}/{number}")).await.unwrap();
        assert_refused(number, &answer, 404, ProblemKind::Malformed);
    }
}

// conformance: 8555-7.4.2-12
#[tokio::test]
async fn only_its_account_downloads_a_certificate() {
    let world = World::new().await;
    let client = world.client().await;
    let other = world.client().await;
    let (_, url) = issued(&world, &client).await;
    let answer = other.post_as_get(&url).await.unwrap();
    assert_refused("another account", &answer, 403, ProblemKind::Unauthorized);
    assert!(!answer.text().contains("BEGIN"), "{answer:?}");
    let answer = client.http().get(&url).await.unwrap();
    assert_refused("a plain GET", &answer, 405, ProblemKind::Malformed);
    // The authority's own certificate is nobody's.
    let own = world.authority.ca.store().certificates(None, None, 1).await.unwrap().entries[0].id;
    let answer = client.post_as_get(&world.url(&format!("/acme/cert/{own}"))).await.unwrap();
    assert_refused("the authority's own", &answer, 403, ProblemKind::Unauthorized);
}
