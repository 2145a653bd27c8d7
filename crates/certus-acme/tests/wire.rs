//! The wire objects: written as the RFC draws them, read as other servers and clients write them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use certus_acme::{
    Account, AccountStatus, AccountUpdate, Authorization, AuthorizationStatus, AuthorizationUpdate, Challenge,
    ChallengeStatus, ChallengeType, Directory, DirectoryMeta, Finalize, NewAccount, NewOrder, Order, OrderStatus,
    Orders, Problem, ProblemKind, RawIdentifier, Subproblem, strict_object,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Checks that a value is written as that text and read back from it.
#[track_caller]
fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, json: &str) {
    assert_eq!(serde_json::to_string(value).unwrap(), json);
    assert_eq!(strict_object::<T>(json.as_bytes()).as_ref(), Ok(value));
}

fn dns(name: &str) -> RawIdentifier {
    RawIdentifier { kind: "dns".into(), value: name.into() }
}

#[test]
fn a_directory() {
    let mut directory = Directory {
        new_nonce: "https://ca.example/n".into(),
        new_account: "https://ca.example/a".into(),
        new_order: "https://ca.example/o".into(),
        ..Directory::default()
    };
    // What is not offered is absent, never null.
    check(
        &directory,
        r#"{"newNonce":"https://ca.example/n","newAccount":"https://ca.example/a","newOrder":"https://ca.example/o"}"#,
    );
    directory.new_authz = Some("z".into());
    directory.revoke_cert = Some("r".into());
    directory.key_change = Some("k".into());
    directory.renewal_info = Some("i".into());
    directory.meta = Some(DirectoryMeta {
        terms_of_service: Some("t".into()),
        website: Some("w".into()),
        caa_identities: Some(vec!["ca.example".into()]),
        external_account_required: Some(false),
        profiles: Some([("classic".to_owned(), "90 days".to_owned())].into()),
    });
    check(
        &directory,
        concat!(
            r#"{"newNonce":"https://ca.example/n","newAccount":"https://ca.example/a","newOrder":"https://ca.example/o","#,
            r#""newAuthz":"z","revokeCert":"r","keyChange":"k","renewalInfo":"i","meta":{"termsOfService":"t","website":"w","#,
            r#""caaIdentities":["ca.example"],"externalAccountRequired":false,"profiles":{"classic":"90 days"}}}"#
        ),
    );
}

#[test]
fn another_servers_directory() {
    let json = r#"{"h3k_Vz0":"https://community.example/t/x","keyChange":"k","meta":{"caaIdentities":["ca.example"],
        "profiles":{"shortlived":"https://ca.example/s"},"termsOfService":"t","website":"w","x":{"y":[1]}},
        "newAccount":"a","newNonce":"n","newOrder":"o","renewalInfo":"i","revokeCert":"r","number":7}"#;
    let directory: Directory = strict_object(json.as_bytes()).unwrap();
    assert_eq!(directory.new_order, "o");
    assert_eq!(directory.meta.unwrap().external_account_required, None);
    let fault = strict_object::<Directory>(br#"{"newNonce":"n","newAccount":"a"}"#).unwrap_err();
    assert!(fault.to_string().contains("newOrder"), "{fault}");
}

#[test]
fn accounts() {
    let account = Account {
        status: AccountStatus::Valid,
        contact: vec!["mailto:b@example.org".into(), "mailto:a@example.org".into()],
        terms_of_service_agreed: Some(true),
        external_account_binding: None,
        orders: "https://ca.example/orders".into(),
    };
    check(
        &account,
        r#"{"status":"valid","contact":["mailto:b@example.org","mailto:a@example.org"],"termsOfServiceAgreed":true,"orders":"https://ca.example/orders"}"#,
    );
    // What servers without contacts and lists of orders answer.
    let bare: Account = strict_object(br#"{"status":"deactivated","key":{"kty":"EC"}}"#).unwrap();
    assert_eq!(
        (bare.status, bare.contact.len(), bare.orders.as_str(), bare.terms_of_service_agreed),
        (AccountStatus::Deactivated, 0, "", None)
    );
    check(&AccountUpdate { contact: Some(vec![]), ..AccountUpdate::default() }, r#"{"contact":[]}"#);
    check(
        &AccountUpdate { status: Some("deactivated".into()), ..AccountUpdate::default() },
        r#"{"status":"deactivated"}"#,
    );
    check(&Orders { orders: vec!["https://ca.example/1".into()] }, r#"{"orders":["https://ca.example/1"]}"#);
    check(&Orders { orders: vec![] }, r#"{"orders":[]}"#);
}

#[test]
fn a_new_account_keeps_its_external_account_binding_as_it_was_sent() {
    let json = br#"{"termsOfServiceAgreed":true,"contact":["mailto:a@example.org"],"onlyReturnExisting":false,
        "externalAccountBinding":{"payload" : "e30","protected":"e30","signature":"AA"},"orders":"x","status":"revoked"}"#;
    let new: NewAccount = strict_object(json).unwrap();
    assert_eq!(new.contact, Some(vec!["mailto:a@example.org".into()]));
    assert_eq!((new.terms_of_service_agreed, new.only_return_existing), (Some(true), Some(false)));
    let binding = new.external_account_binding.unwrap();
    assert_eq!(binding.get(), r#"{"payload" : "e30","protected":"e30","signature":"AA"}"#);
    assert_eq!(serde_json::to_string(&NewAccount::default()).unwrap(), "{}");
    // A member twice within the binding is noticed though it is read by itself.
    assert!(strict_object::<NewAccount>(br#"{"externalAccountBinding":{"payload":"","payload":""}}"#).is_err());
}

// conformance: 8555-7.3-13
#[test]
fn a_new_account_is_a_json_object() {
    for payload in
        ["", "null", "[]", "\"x\"", "1", r#"{"termsOfServiceAgreed":"true"}"#, r#"{"contact":"mailto:a@b.example"}"#]
    {
        let problem = strict_object::<NewAccount>(payload.as_bytes()).unwrap_err().problem();
        assert_eq!((problem.kind, problem.status), (ProblemKind::Malformed, 400), "{payload}");
    }
}

#[test]
fn orders() {
    let new = NewOrder { identifiers: vec![dns("b.example"), dns("a.example")], ..NewOrder::default() };
    check(&new, r#"{"identifiers":[{"type":"dns","value":"b.example"},{"type":"dns","value":"a.example"}]}"#);
    let order = Order {
        status: OrderStatus::Invalid,
        expires: Some("2030-01-01T00:00:00Z".into()),
        identifiers: vec![dns("a.example")],
        not_before: None,
        not_after: Some("2030-02-01T00:00:00Z".into()),
        replaces: None,
        profile: Some("classic".into()),
        error: Some(Problem::new(ProblemKind::ServerInternal, "the signer failed")),
        authorizations: vec!["https://ca.example/z/1".into()],
        finalize: "https://ca.example/o/1/finalize".into(),
        certificate: None,
    };
    check(
        &order,
        concat!(
            r#"{"status":"invalid","expires":"2030-01-01T00:00:00Z","identifiers":[{"type":"dns","value":"a.example"}],"#,
            r#""notAfter":"2030-02-01T00:00:00Z","profile":"classic","error":{"type":"urn:ietf:params:acme:error:serverInternal","#,
            r#""detail":"the signer failed","status":500},"authorizations":["https://ca.example/z/1"],"#,
            r#""finalize":"https://ca.example/o/1/finalize"}"#
        ),
    );
}

// conformance: 8555-7.4-06 8555-7.4-07
#[test]
fn identifiers_of_a_new_order_are_an_array_of_objects_and_other_members_are_ignored() {
    for payload in [
        "{}",
        r#"{"identifiers":null}"#,
        r#"{"identifiers":{}}"#,
        r#"{"identifiers":["x"]}"#,
        r#"{"identifiers":[{"type":"dns"}]}"#,
        r#"{"identifiers":[{"value":"a.example"}]}"#,
        r#"{"identifiers":[{"type":"dns","value":1}]}"#,
        r#"{"identifiers":[{"type":"dns","value":"a.example","value":"b.example"}]}"#,
        r#"{"identifiers":[],"notAfter":1}"#,
    ] {
        let problem = strict_object::<NewOrder>(payload.as_bytes()).unwrap_err().problem();
        assert_eq!(problem.kind, ProblemKind::Malformed, "{payload}");
    }
    let json = br#"{"identifiers":[{"type":"dns","value":"a.example","x":1}],"foo":1}"#;
    let new: NewOrder = strict_object(json).unwrap();
    assert_eq!(serde_json::to_string(&new).unwrap(), r#"{"identifiers":[{"type":"dns","value":"a.example"}]}"#);
}

// conformance: 8555-5-01
#[test]
fn a_payload_that_is_not_utf_8_is_malformed() {
    let problem = strict_object::<NewAccount>(b"{\"contact\":[\"mailto:\xe9@example.org\"]}").unwrap_err().problem();
    assert_eq!(problem.kind, ProblemKind::Malformed);
    assert!(problem.detail.contains("UTF-8"), "{}", problem.detail);
}

#[test]
fn authorizations_and_challenges() {
    let challenge = Challenge {
        kind: ChallengeType::Http01.name().into(),
        url: "https://ca.example/c/1".into(),
        status: ChallengeStatus::Valid,
        token: "DGyRejmCefe7v4NfDGDKfA".into(),
        validated: Some("2030-01-01T00:00:00Z".into()),
        error: None,
    };
    let authorization = Authorization {
        identifier: dns("a.example"),
        status: AuthorizationStatus::Valid,
        expires: Some("2030-01-02T00:00:00Z".into()),
        challenges: vec![challenge],
        wildcard: None,
    };
    check(
        &authorization,
        concat!(
            r#"{"identifier":{"type":"dns","value":"a.example"},"status":"valid","expires":"2030-01-02T00:00:00Z","#,
            r#""challenges":[{"type":"http-01","url":"https://ca.example/c/1","status":"valid","#,
            r#""token":"DGyRejmCefe7v4NfDGDKfA","validated":"2030-01-01T00:00:00Z"}]}"#
        ),
    );
    check(&AuthorizationUpdate { status: Some("deactivated".into()) }, r#"{"status":"deactivated"}"#);
}

#[test]
fn challenges_of_a_type_not_known_here_are_read() {
    let json = br#"{"identifier":{"type":"dns","value":"a.example"},"status":"pending","wildcard":true,"challenges":[
        {"type":"dns-persist-01","url":"u","status":"pending","issuer-domain-names":["ca.example"]},
        {"type":"http-01","url":"v","status":"processing","token":"t"}]}"#;
    let authorization: Authorization = strict_object(json).unwrap();
    let kinds: Vec<Option<ChallengeType>> = authorization.challenges.iter().map(Challenge::challenge_type).collect();
    assert_eq!(kinds, [None, Some(ChallengeType::Http01)]);
    assert_eq!(authorization.wildcard, Some(true));
}

// conformance: 8555-6.1-10
#[test]
fn a_certification_request_is_base64url_without_padding() {
    let finalize = Finalize::new(&[0x30, 0x82, 0xff, 0xfe]);
    check(&finalize, r#"{"csr":"MIL__g"}"#);
    assert_eq!(finalize.csr_der(), Ok(vec![0x30, 0x82, 0xff, 0xfe]));
    for csr in ["MIL__g==", "MIL//g", "-----BEGIN CERTIFICATE REQUEST-----", "MIL__h", "MI L__g"] {
        assert!(Finalize { csr: csr.into() }.csr_der().is_err(), "{csr}");
    }
    assert!(strict_object::<Finalize>(b"{}").is_err_and(|fault| fault.to_string().contains("csr")));
}

// conformance: 8555-6.7.1-02 8555-6.7.1-03
#[test]
fn a_problem_of_the_rfc_is_read_though_it_has_no_status() {
    // RFC 8555 section 6.7.1.
    let json =
        br#"{"type":"urn:ietf:params:acme:error:malformed","detail":"Some of the identifiers requested were rejected",
        "subproblems":[{"type":"urn:ietf:params:acme:error:malformed",
        "detail":"Invalid underscore in DNS name \"_example.org\"","identifier":{"type":"dns","value":"_example.org"}},
        {"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"This CA will not issue for \"example.net\"",
        "identifier":{"type":"dns","value":"example.net"}}]}"#;
    let problem: Problem = strict_object(json).unwrap();
    let subproblem = |kind, detail: &str, name| Subproblem { kind, detail: detail.into(), identifier: Some(dns(name)) };
    let expected = Problem::new(ProblemKind::Malformed, "Some of the identifiers requested were rejected")
        .with_subproblems(vec![
            subproblem(ProblemKind::Malformed, r#"Invalid underscore in DNS name "_example.org""#, "_example.org"),
            subproblem(ProblemKind::RejectedIdentifier, r#"This CA will not issue for "example.net""#, "example.net"),
        ]);
    assert_eq!(problem, expected);
    // RFC 9457 section 3.1: every member but the type may be absent, and there may be others.
    let least: Problem =
        strict_object(br#"{"type":"urn:ietf:params:acme:error:rateLimited","instance":"/x"}"#).unwrap();
    assert_eq!(least, Problem { instance: Some("/x".into()), ..Problem::new(ProblemKind::RateLimited, "") });
    check(
        &Problem::new(ProblemKind::BadSignatureAlgorithm, "no").with_algorithms(["ES256"]),
        r#"{"type":"urn:ietf:params:acme:error:badSignatureAlgorithm","detail":"no","status":400,"algorithms":["ES256"]}"#,
    );
}

#[test]
fn statuses_are_those_of_section_7_1_6_and_no_others() {
    fn words<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + ToString>(table: &[(T, &str)]) {
        for (status, word) in table {
            assert_eq!(serde_json::to_string(status).unwrap(), format!("\"{word}\""));
            assert_eq!(&serde_json::from_str::<T>(&format!("\"{word}\"")).unwrap(), status);
            assert_eq!(status.to_string(), *word);
        }
        for other in ["\"Valid\"", "\"\"", "\"unknown\"", "7", "null"] {
            assert!(serde_json::from_str::<T>(other).is_err(), "{other}");
        }
    }
    words(&[
        (AccountStatus::Valid, "valid"),
        (AccountStatus::Deactivated, "deactivated"),
        (AccountStatus::Revoked, "revoked"),
    ]);
    words(&[
        (OrderStatus::Pending, "pending"),
        (OrderStatus::Ready, "ready"),
        (OrderStatus::Processing, "processing"),
        (OrderStatus::Valid, "valid"),
        (OrderStatus::Invalid, "invalid"),
    ]);
    words(&[
        (AuthorizationStatus::Pending, "pending"),
        (AuthorizationStatus::Valid, "valid"),
        (AuthorizationStatus::Invalid, "invalid"),
        (AuthorizationStatus::Deactivated, "deactivated"),
        (AuthorizationStatus::Expired, "expired"),
        (AuthorizationStatus::Revoked, "revoked"),
    ]);
    words(&[
        (ChallengeStatus::Pending, "pending"),
        (ChallengeStatus::Processing, "processing"),
        (ChallengeStatus::Valid, "valid"),
        (ChallengeStatus::Invalid, "invalid"),
    ]);
}
