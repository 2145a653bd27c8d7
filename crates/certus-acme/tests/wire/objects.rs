//! The wire's objects, both ways: the golden text is what a server writes and what a client reads, member by member.

use std::collections::BTreeMap;
use std::fmt::Debug;

use certus_acme::{
    Account, AccountStatus, AccountUpdate, Authorization, AuthorizationStatus, AuthorizationUpdate, Challenge,
    ChallengeStatus, ChallengeType, Directory, DirectoryMeta, Finalize, JsonError, NewAccount, NewOrder, Order,
    OrderStatus, Problem, ProblemKind, RawIdentifier, Subproblem, strict_object,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Written, the object is the text; read, the text is the object, by a strict reader too.
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(object: &T, golden: &str) {
    assert_eq!(serde_json::to_string_pretty(object).unwrap(), golden.trim());
    assert_eq!(&serde_json::from_str::<T>(golden).unwrap(), object);
    assert_eq!(&strict_object::<T>(golden.as_bytes()).unwrap(), object);
}

fn dns(name: &str) -> RawIdentifier {
    RawIdentifier { kind: "dns".into(), value: name.into() }
}

#[test]
fn a_directory_is_that_of_section_7_1_1() {
    let whole = Directory {
        new_nonce: "https://example.com/acme/new-nonce".into(),
        new_account: "https://example.com/acme/new-account".into(),
        new_order: "https://example.com/acme/new-order".into(),
        new_authz: Some("https://example.com/acme/new-authz".into()),
        revoke_cert: Some("https://example.com/acme/revoke-cert".into()),
        key_change: Some("https://example.com/acme/key-change".into()),
        renewal_info: Some("https://example.com/acme/renewal-info".into()),
        meta: Some(DirectoryMeta {
            terms_of_service: Some("https://example.com/acme/terms/2017-5-30".into()),
            website: Some("https://www.example.com/".into()),
            caa_identities: Some(vec!["example.com".into()]),
            external_account_required: Some(false),
            profiles: Some(BTreeMap::from([("classic".into(), "https://example.com/profiles#classic".into())])),
        }),
    };
    check(
        &whole,
        r#"{
  "newNonce": "https://example.com/acme/new-nonce",
  "newAccount": "https://example.com/acme/new-account",
  "newOrder": "https://example.com/acme/new-order",
  "newAuthz": "https://example.com/acme/new-authz",
  "revokeCert": "https://example.com/acme/revoke-cert",
  "keyChange": "https://example.com/acme/key-change",
  "renewalInfo": "https://example.com/acme/renewal-info",
  "meta": {
    "termsOfService": "https://example.com/acme/terms/2017-5-30",
    "website": "https://www.example.com/",
    "caaIdentities": [
      "example.com"
    ],
    "externalAccountRequired": false,
    "profiles": {
      "classic": "https://example.com/profiles#classic"
    }
  }
}"#,
    );
    // What is not offered is absent, never null (RFC 8555 section 7.1.1).
    let least = Directory {
        new_nonce: "https://a/n".into(),
        new_account: "https://a/a".into(),
        new_order: "https://a/o".into(),
        ..Directory::default()
    };
    check(
        &least,
        r#"{
  "newNonce": "https://a/n",
  "newAccount": "https://a/a",
  "newOrder": "https://a/o"
}"#,
    );
    check(&Directory { meta: Some(DirectoryMeta::default()), ..least.clone() }, {
        r#"{
  "newNonce": "https://a/n",
  "newAccount": "https://a/a",
  "newOrder": "https://a/o",
  "meta": {}
}"#
    });
    // Members that nobody knows, of any type, are a client's least concern.
    let more = r#"{"newNonce":"https://a/n","newAccount":"https://a/a","newOrder":"https://a/o","x":{},"y":7}"#;
    assert_eq!(serde_json::from_str::<Directory>(more).unwrap(), least);
    let error = strict_object::<Directory>(br#"{"newNonce":"https://a/n","newAccount":"https://a/a"}"#).unwrap_err();
    assert_eq!(error, JsonError::Member("missing field `newOrder`".into()));
}

#[test]
fn an_account_is_that_of_section_7_1_2() {
    check(
        &Account {
            status: AccountStatus::Valid,
            contact: vec!["mailto:cert-admin@example.org".into(), "mailto:admin@example.org".into()],
            terms_of_service_agreed: Some(true),
            orders: "https://example.com/acme/orders/rzGoeA".into(),
        },
        r#"{
  "status": "valid",
  "contact": [
    "mailto:cert-admin@example.org",
    "mailto:admin@example.org"
  ],
  "termsOfServiceAgreed": true,
  "orders": "https://example.com/acme/orders/rzGoeA"
}"#,
    );
    let bare = |status| Account { status, contact: vec![], terms_of_service_agreed: None, orders: String::new() };
    check(&bare(AccountStatus::Deactivated), "{\n  \"status\": \"deactivated\"\n}");
    check(&bare(AccountStatus::Revoked), "{\n  \"status\": \"revoked\"\n}");
}

#[test]
fn new_account_is_that_of_section_7_3() {
    let golden = r#"{
  "contact": [
    "mailto:cert-admin@example.org",
    "mailto:admin@example.org"
  ],
  "termsOfServiceAgreed": true,
  "onlyReturnExisting": false,
  "externalAccountBinding": {"protected":"e30","payload":"","signature":""}
}"#;
    let read: NewAccount = strict_object(golden.as_bytes()).unwrap();
    assert_eq!(read.contact.as_deref().unwrap().len(), 2);
    assert_eq!((read.terms_of_service_agreed, read.only_return_existing), (Some(true), Some(false)));
    // The binding is kept as it was written: its signature covers octets, not meaning.
    let binding = read.external_account_binding.as_ref().unwrap().get();
    assert_eq!(binding, r#"{"protected":"e30","payload":"","signature":""}"#);
    assert_eq!(serde_json::to_string_pretty(&read).unwrap(), golden);
    assert_eq!(serde_json::to_string(&NewAccount::default()).unwrap(), "{}");
    // RFC 8555 section 7.3: what the client says of orders, or of anything unknown, is ignored.
    let ignored = strict_object::<NewAccount>(br#"{"orders":7,"status":[],"x":{"y":null}}"#).unwrap();
    assert_eq!(serde_json::to_string(&ignored).unwrap(), "{}");
    let wrong = strict_object::<NewAccount>(br#"{"contact":"mailto:a@example.org"}"#).unwrap_err();
    assert!(wrong.to_string().contains("\"contact\""), "{wrong}");
}

#[test]
fn updates_are_those_of_sections_7_3_2_and_7_5_2() {
    let contact = Some(vec!["mailto:certificates@example.org".into()]);
    let golden = "{\n  \"contact\": [\n    \"mailto:certificates@example.org\"\n  ]\n}";
    check(&AccountUpdate { contact, status: None }, golden);
    // Contacts taken back, and contacts left alone, are two things.
    check(&AccountUpdate { contact: Some(vec![]), status: None }, "{\n  \"contact\": []\n}");
    check(&AccountUpdate::default(), "{}");
    let closed = "{\n  \"status\": \"deactivated\"\n}";
    check(&AccountUpdate { contact: None, status: Some("deactivated".into()) }, closed);
    check(&AuthorizationUpdate { status: Some("deactivated".into()) }, closed);
    check(&AuthorizationUpdate::default(), "{}");
}

#[test]
fn new_order_is_that_of_section_7_4() {
    check(
        &NewOrder {
            identifiers: vec![dns("www.example.org"), dns("example.org")],
            not_before: Some("2016-01-01T00:04:00+04:00".into()),
            not_after: Some("2016-01-08T00:04:00+04:00".into()),
            replaces: Some("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE".into()),
            profile: Some("shortlived".into()),
        },
        r#"{
  "identifiers": [
    {
      "type": "dns",
      "value": "www.example.org"
    },
    {
      "type": "dns",
      "value": "example.org"
    }
  ],
  "notBefore": "2016-01-01T00:04:00+04:00",
  "notAfter": "2016-01-08T00:04:00+04:00",
  "replaces": "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE",
  "profile": "shortlived"
}"#,
    );
    let refused = |text: &str| strict_object::<NewOrder>(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(refused("{}"), "missing field `identifiers`");
    assert!(refused(r#"{"identifiers":[{"type":"dns"}]}"#).contains("missing field `value`"));
    assert!(refused(r#"{"identifiers":[{"type":"dns","value":7}]}"#).contains("\"identifiers\""));
    assert!(refused(r#"{"identifiers":{"type":"dns","value":"a"}}"#).contains("\"identifiers\""));
    assert!(refused(r#"{"identifiers":[],"notAfter":7}"#).contains("\"notAfter\""));
}

#[test]
fn an_order_is_that_of_section_7_1_3() {
    let valid = Order {
        status: OrderStatus::Valid,
        expires: Some("2016-01-20T14:09:07.99Z".into()),
        identifiers: vec![dns("www.example.org")],
        not_before: Some("2016-01-01T00:00:00Z".into()),
        not_after: Some("2016-01-08T00:00:00Z".into()),
        replaces: None,
        profile: Some("classic".into()),
        error: None,
        authorizations: vec!["https://example.com/acme/authz/PAniVnsZcis".into()],
        finalize: "https://example.com/acme/order/TOlocE8rfgo/finalize".into(),
        certificate: Some("https://example.com/acme/cert/mAt3xBGaobw".into()),
    };
    check(
        &valid,
        r#"{
  "status": "valid",
  "expires": "2016-01-20T14:09:07.99Z",
  "identifiers": [
    {
      "type": "dns",
      "value": "www.example.org"
    }
  ],
  "notBefore": "2016-01-01T00:00:00Z",
  "notAfter": "2016-01-08T00:00:00Z",
  "profile": "classic",
  "authorizations": [
    "https://example.com/acme/authz/PAniVnsZcis"
  ],
  "finalize": "https://example.com/acme/order/TOlocE8rfgo/finalize",
  "certificate": "https://example.com/acme/cert/mAt3xBGaobw"
}"#,
    );
    let failed = Order {
        status: OrderStatus::Invalid,
        expires: None,
        not_before: None,
        not_after: None,
        replaces: Some("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE".into()),
        profile: None,
        error: Some(Problem::new(ProblemKind::ServerInternal, "no signer")),
        certificate: None,
        ..valid
    };
    check(
        &failed,
        r#"{
  "status": "invalid",
  "identifiers": [
    {
      "type": "dns",
      "value": "www.example.org"
    }
  ],
  "replaces": "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE",
  "error": {
    "type": "urn:ietf:params:acme:error:serverInternal",
    "detail": "no signer",
    "status": 500
  },
  "authorizations": [
    "https://example.com/acme/authz/PAniVnsZcis"
  ],
  "finalize": "https://example.com/acme/order/TOlocE8rfgo/finalize"
}"#,
    );
}

#[test]
fn an_authorization_is_that_of_section_7_1_4() {
    let challenge = Challenge {
        kind: "http-01".into(),
        url: "https://example.com/acme/chall/prV_B7yEyA4".into(),
        status: ChallengeStatus::Valid,
        token: "DGyRejmCefe7v4NfDGDKfA".into(),
        validated: Some("2014-12-01T12:05:58.16Z".into()),
        error: None,
    };
    let valid = Authorization {
        identifier: dns("www.example.org"),
        status: AuthorizationStatus::Valid,
        expires: Some("2015-03-01T14:09:07.99Z".into()),
        challenges: vec![challenge],
        wildcard: Some(false),
    };
    check(
        &valid,
        r#"{
  "identifier": {
    "type": "dns",
    "value": "www.example.org"
  },
  "status": "valid",
  "expires": "2015-03-01T14:09:07.99Z",
  "challenges": [
    {
      "type": "http-01",
      "url": "https://example.com/acme/chall/prV_B7yEyA4",
      "status": "valid",
      "token": "DGyRejmCefe7v4NfDGDKfA",
      "validated": "2014-12-01T12:05:58.16Z"
    }
  ],
  "wildcard": false
}"#,
    );
    // A server may offer what a client does not know, without a token.
    let unknown = r#"{
  "type": "device-attest-01",
  "url": "https://a/c",
  "status": "invalid",
  "error": {
    "type": "urn:ietf:params:acme:error:connection",
    "detail": "nobody there",
    "status": 400
  }
}"#;
    let challenge: Challenge = serde_json::from_str(unknown).unwrap();
    check(&challenge, unknown);
    assert_eq!(challenge.challenge_type(), None);
    assert_eq!(valid.challenges[0].challenge_type(), Some(ChallengeType::Http01));
}

#[test]
fn finalize_is_that_of_section_7_4() {
    check(&Finalize::new(&[0x30, 0x82, 0xff]), "{\n  \"csr\": \"MIL_\"\n}");
    assert!(strict_object::<Finalize>(b"{}").is_err());
}

#[test]
fn statuses_are_those_of_section_7_1_6_and_no_others() {
    fn words<T: Serialize + DeserializeOwned + PartialEq + Debug + ToString>(all: &[T], words: &[&str]) {
        for (status, word) in all.iter().zip(words) {
            assert_eq!(serde_json::to_string(status).unwrap(), format!("\"{word}\""));
            assert_eq!(&serde_json::from_str::<T>(&format!("\"{word}\"")).unwrap(), status);
            assert_eq!(status.to_string(), *word);
        }
        for other in ["\"Valid\"", "\"\"", "\"unknown\"", "7", "null"] {
            assert!(serde_json::from_str::<T>(other).is_err(), "{other}");
        }
    }
    use AuthorizationStatus as A;
    words(
        &[AccountStatus::Valid, AccountStatus::Deactivated, AccountStatus::Revoked],
        &["valid", "deactivated", "revoked"],
    );
    words(
        &[OrderStatus::Pending, OrderStatus::Ready, OrderStatus::Processing, OrderStatus::Valid, OrderStatus::Invalid],
        &["pending", "ready", "processing", "valid", "invalid"],
    );
    words(
        &[A::Pending, A::Valid, A::Invalid, A::Deactivated, A::Expired, A::Revoked],
        &["pending", "valid", "invalid", "deactivated", "expired", "revoked"],
    );
    words(
        &[ChallengeStatus::Pending, ChallengeStatus::Processing, ChallengeStatus::Valid, ChallengeStatus::Invalid],
        &["pending", "processing", "valid", "invalid"],
    );
}

#[test]
fn problems_are_those_of_section_6_7() {
    let subproblem = |kind, detail: &str, name| Subproblem { kind, detail: detail.into(), identifier: Some(dns(name)) };
    let problem = Problem::new(ProblemKind::Malformed, "Some of the identifiers requested were rejected")
        .with_status(403)
        .with_subproblems(vec![
            subproblem(ProblemKind::Malformed, "Invalid underscore in DNS name \"_example.org\"", "_example.org"),
            subproblem(ProblemKind::RejectedIdentifier, "This CA will not issue for \"example.net\"", "example.net"),
        ]);
    let golden = r#"{
  "type": "urn:ietf:params:acme:error:malformed",
  "detail": "Some of the identifiers requested were rejected",
  "status": 403,
  "subproblems": [
    {
      "type": "urn:ietf:params:acme:error:malformed",
      "detail": "Invalid underscore in DNS name \"_example.org\"",
      "identifier": {
        "type": "dns",
        "value": "_example.org"
      }
    },
    {
      "type": "urn:ietf:params:acme:error:rejectedIdentifier",
      "detail": "This CA will not issue for \"example.net\"",
      "identifier": {
        "type": "dns",
        "value": "example.net"
      }
    }
  ]
}"#;
    check(&problem, golden);
    // The RFC's own example, which has no status; and the least that can come.
    let example: Problem = serde_json::from_str(&golden.replace("  \"status\": 403,\n", "")).unwrap();
    assert_eq!(example, problem.with_status(400));
    let least: Problem =
        serde_json::from_str(r#"{"type":"urn:ietf:params:acme:error:rateLimited","instance":"/x"}"#).unwrap();
    assert_eq!(least, Problem::new(ProblemKind::RateLimited, ""));
    check(
        &Problem::new(ProblemKind::BadSignatureAlgorithm, "no").with_algorithms(["ES256"]),
        r#"{
  "type": "urn:ietf:params:acme:error:badSignatureAlgorithm",
  "detail": "no",
  "status": 400,
  "algorithms": [
    "ES256"
  ]
}"#,
    );
}
