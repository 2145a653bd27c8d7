//! Forged requests, each wrong in one thing, and what their senders are told.

use certus_acme::{Algorithm, Finalize, FlattenedJws, Jwk, JwsError, KeyReference, ProblemKind, strict_object};
use certus_pki::{KeyAlgorithm, KeyPair, SignatureEncoding};
use certus_testkit::{Forge, Member};

const URL: &str = "https://ca.example/acme/new-order";
const ACCOUNT: &str = "https://ca.example/acme/acct/AAAAAAAAAAAAAAAAAAAAAA";

fn key(algorithm: KeyAlgorithm) -> KeyPair {
    KeyPair::generate(algorithm).unwrap()
}

/// The steps of RFC 8555 section 6 that need nothing but the request, in the order a server takes them. `account` is the
/// key of [`ACCOUNT`]. Gives the payload.
fn accept(body: &[u8], account: &KeyPair) -> Result<Vec<u8>, JwsError> {
    let jws = FlattenedJws::parse(body)?;
    let algorithm = jws.algorithm()?;
    jws.url()?;
    let signer = match jws.key_reference()? {
        KeyReference::Kid(_) => Jwk::from_public_key(account.public_key()),
        KeyReference::Jwk(key) => key,
    };
    let verified = jws.verify(signer.public_key(), algorithm)?;
    verified.nonce()?;
    Ok(verified.payload().to_vec())
}

struct Table {
    account: KeyPair,
    right: Forge,
}

impl Table {
    fn new() -> Self {
        let account = key(KeyAlgorithm::EcP256);
        let right = Forge::new(&account, URL, r#"{"identifiers":[]}"#).nonce("AAAA").kid(ACCOUNT);
        assert_eq!(accept(&right.body().unwrap(), &account), Ok(br#"{"identifiers":[]}"#.to_vec()));
        Self { account, right }
    }

    fn forge(&self) -> Forge {
        self.right.clone()
    }

    fn refuses_body(&self, what: &str, body: &[u8], kind: ProblemKind) {
        match accept(body, &self.account) {
            Ok(_) => panic!("{what} was accepted"),
            Err(error) => {
                let problem = error.problem();
                assert_eq!(problem.kind, kind, "{what}: {problem}");
                let expected = if kind == ProblemKind::Unauthorized { 403 } else { 400 };
                assert_eq!(problem.status, expected, "{what}: {problem}");
                // A stranger's text is repeated in part, and escaped.
                let length = problem.detail.chars().count();
                assert!((1..1000).contains(&length), "{what}: {problem}");
                assert!(!problem.detail.contains(['\u{202e}', '\n', '\0']), "{what}: {problem}");
            }
        }
    }

    fn refuses(&self, what: &str, forge: Forge, kind: ProblemKind) {
        self.refuses_body(what, &forge.body().unwrap(), kind);
    }
}

// conformance: 8555-6.2-02 8555-6.2-03 8555-6.2-04
#[test]
fn only_the_flattened_serialization_is_read() {
    let table = Table::new();
    table.refuses_body("compact", &table.forge().compact().unwrap(), ProblemKind::Malformed);
    let quoted = format!("{:?}", String::from_utf8(table.forge().compact().unwrap()).unwrap());
    table.refuses_body("compact as a JSON string", quoted.as_bytes(), ProblemKind::Malformed);
    table.refuses_body("general", &table.forge().general().unwrap(), ProblemKind::Malformed);
    let both = table.forge().flattened_and_general().unwrap();
    table.refuses_body("both at once", &both, ProblemKind::Malformed);
    assert_eq!(accept(&both, &table.account), Err(JwsError::General));
    for signatures in ["[]", "null", "{}"] {
        let forge = table.forge().outer_json("signatures", signatures);
        assert_eq!(accept(&forge.body().unwrap(), &table.account), Err(JwsError::General), "{signatures}");
    }
    let array = [b"[".as_slice(), &table.forge().body().unwrap(), b"]"].concat();
    table.refuses_body("a list of one", &array, ProblemKind::Malformed);
}

// conformance: 8555-6.2-05
#[test]
fn the_payload_is_always_encoded() {
    let table = Table::new();
    table.refuses("RFC 7797 as it should be", table.forge().unencoded(), ProblemKind::Malformed);
    for (name, value) in [("b64", "false"), ("b64", "true"), ("crit", r#"["b64"]"#), ("crit", "[]"), ("crit", "null")] {
        let forge = table.forge().set_json(name, value);
        assert_eq!(accept(&forge.body().unwrap(), &table.account), Err(JwsError::Critical), "{name} {value}");
    }
    // An extension that nobody here understands must not be passed over (RFC 7515 section 4.1.11).
    let forge = table.forge().set("exp", 1).set("crit", vec!["exp"]);
    table.refuses("another critical extension", forge, ProblemKind::Malformed);
}

// conformance: 8555-6.2-06
#[test]
fn an_unprotected_header_is_refused() {
    let table = Table::new();
    for header in ["{}", &format!(r#"{{"kid":"{ACCOUNT}"}}"#), r#"{"alg":"none"}"#, "null"] {
        let forge = table.forge().unprotected(header);
        assert_eq!(accept(&forge.body().unwrap(), &table.account), Err(JwsError::UnprotectedHeader), "{header}");
        table.refuses(header, forge, ProblemKind::Malformed);
    }
    // What would be in the protected header must not be taken from there.
    for name in ["alg", "nonce", "url", "kid"] {
        let forge = table.forge().without(name).unprotected(&format!(r#"{{"{name}":"ES256"}}"#));
        table.refuses(name, forge, ProblemKind::Malformed);
    }
}

// conformance: 8555-6.2-07
#[test]
fn every_member_must_be_there_and_be_a_text() {
    let table = Table::new();
    table.refuses("a detached payload", table.forge().detached(), ProblemKind::Malformed);
    for member in Member::ALL {
        table.refuses(member.name(), table.forge().leave_out(member), ProblemKind::Malformed);
        for json in ["null", "{}", "7", "[\"AAAA\"]", "true"] {
            let forge = table.forge().leave_out(member).outer_json(member.name(), json);
            table.refuses(&format!("{} {json}", member.name()), forge, ProblemKind::Malformed);
        }
    }
    let protected = table.forge().leave_out(Member::Protected).outer_json("protected", "\"\"");
    table.refuses("an empty protected header", protected, ProblemKind::Malformed);
}

// conformance: 8555-6.2-08 8555-6.2-09 8555-6.2-10 8555-6.2-23 8555-6.2-24
#[test]
fn an_algorithm_that_is_not_supported_is_refused_and_the_others_are_named() {
    let table = Table::new();
    let none = table.forge().alg("none").signature("");
    let names = ["None", "NONE", "nOnE", "HS256", "HS384", "HS512", "PS256", "RS384", "RS512", "RS1", "ES256K"];
    let names = names.into_iter().chain(["es256", " ES256", "ES256\0", "ECDSA", "", "Ed25519", "Ed448", "ML-DSA-44"]);
    let forged = names.map(|name| table.forge().alg(name)).chain([none, table.forge().hs256_with_public_key()]);
    for forge in forged {
        let error = accept(&forge.body().unwrap(), &table.account).unwrap_err();
        let problem = error.problem();
        assert_eq!((problem.kind, problem.status), (ProblemKind::BadSignatureAlgorithm, 400), "{error}");
        assert_eq!(problem.algorithms, ["ES256", "ES384", "ES512", "RS256", "EdDSA"], "{error}");
    }
    table.refuses("no alg", table.forge().without("alg"), ProblemKind::Malformed);
    for json in ["null", "256", "[\"ES256\"]", "{}"] {
        table.refuses(json, table.forge().set_json("alg", json), ProblemKind::Malformed);
    }
    let long = table.forge().alg(&"\u{202e}\n".repeat(10_000));
    table.refuses("a long name", long, ProblemKind::BadSignatureAlgorithm);
}

// conformance: 8555-6.2-11 8555-6.2-12
#[test]
fn nonce_and_url_must_be_there() {
    let table = Table::new();
    table.refuses("no nonce", table.forge().without("nonce"), ProblemKind::BadNonce);
    table.refuses("no url", table.forge().without("url"), ProblemKind::Malformed);
    for name in ["nonce", "url"] {
        for json in ["null", "7", "[]", "{}"] {
            table.refuses(&format!("{name} {json}"), table.forge().set_json(name, json), ProblemKind::Malformed);
        }
    }
}

// conformance: 8555-6.2-13 8555-6.2-14
#[test]
fn there_is_exactly_one_of_kid_and_jwk() {
    let table = Table::new();
    for (what, forge) in [("both", table.forge().jwk_and_kid(ACCOUNT)), ("neither", table.forge().without_key())] {
        assert_eq!(accept(&forge.body().unwrap(), &table.account), Err(JwsError::KeyReference), "{what}");
        table.refuses(what, forge, ProblemKind::Malformed);
    }
    // null is not absence.
    table.refuses("jwk and a null kid", table.forge().jwk().set_json("kid", "null"), ProblemKind::Malformed);
    table.refuses("kid and a null jwk", table.forge().set_json("jwk", "null"), ProblemKind::Malformed);
    for json in ["null", "7", "[]", "\"key\""] {
        table.refuses(
            json,
            table.forge().without_key().set_json("kid", json.trim_matches('"')),
            ProblemKind::Malformed,
        );
        table.refuses(json, table.forge().without_key().set_json("jwk", json), ProblemKind::Malformed);
    }
}

// conformance: 8555-6.1-09 8555-6.1-11 8555-6.1-12
#[test]
fn base64url_has_one_form() {
    fn plus(text: &str) -> String {
        text.replacen(text.chars().nth(4).unwrap(), "+", 1)
    }
    fn slash(text: &str) -> String {
        text.replacen(text.chars().nth(4).unwrap(), "/", 1)
    }
    fn inserted(text: &str, what: &str) -> String {
        let (start, end) = text.split_at(4);
        format!("{start}{what}{end}")
    }
    /// The last character of a text whose octets leave bits over, with those bits set.
    fn leftover_bits(text: &str) -> String {
        const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        assert_ne!(text.len() % 4, 0);
        let last = ALPHABET.find(text.chars().next_back().unwrap()).unwrap();
        format!("{}{}", &text[..text.len() - 1], ALPHABET.chars().nth(last | 1).unwrap())
    }
    let table = Table::new();
    for member in Member::ALL {
        table.refuses(member.name(), table.forge().padded(member), ProblemKind::Malformed);
        let rewrites: [fn(&str) -> String; 7] = [
            plus,
            slash,
            |text| inserted(text, "\n"),
            |text| inserted(text, "\r\n"),
            |text| inserted(text, " "),
            |text| inserted(text, "\0"),
            |text| inserted(text, "é"),
        ];
        for rewrite in rewrites {
            let forge = table.forge().rewrite(member, rewrite);
            assert_eq!(accept(&forge.body().unwrap(), &table.account), Err(JwsError::Base64Url(member.name())));
        }
    }
    // One octet, and 64 octets of signature, leave bits over.
    let payload = table.forge().payload("x").rewrite(Member::Payload, leftover_bits);
    table.refuses("bits left over in the payload", payload, ProblemKind::Malformed);
    let signature = table.forge().rewrite(Member::Signature, leftover_bits);
    table.refuses("bits left over in the signature", signature, ProblemKind::Malformed);
}

// conformance: 8555-6.1-10
#[test]
fn a_certification_request_is_base64url_too() {
    assert_eq!(Finalize::new(&[0x30, 0]).csr, "MAA");
    assert_eq!(Finalize { csr: "MAA".into() }.csr_der(), Ok(vec![0x30, 0]));
    for bad in ["MAA=", "MAB", "MA A", "MA\nA", "+AA", "-----BEGIN CERTIFICATE REQUEST-----"] {
        assert!(Finalize { csr: bad.into() }.csr_der().is_err(), "{bad:?}");
    }
}

#[test]
fn a_member_that_stands_twice_is_refused_wherever_it_stands() {
    let table = Table::new();
    for member in Member::ALL {
        table.refuses(member.name(), table.forge().outer_json(member.name(), "\"AAAA\""), ProblemKind::Malformed);
    }
    table.refuses("others", table.forge().outer_json("x", "1").outer_json("x", "1"), ProblemKind::Malformed);
    for name in ["alg", "nonce", "url", "kid"] {
        let json = format!("{:?}", if name == "alg" { "ES256" } else { URL });
        table.refuses(name, table.forge().add_json(name, &json), ProblemKind::Malformed);
    }
    let escaped = table.forge().add_json("x", r#"1,"\u0061lg":"ES256""#);
    table.refuses("through an escape", escaped, ProblemKind::Malformed);
    let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kty":"OKP"}"#;
    table.refuses("within the key", table.forge().without_key().set_json("jwk", key), ProblemKind::Malformed);
}

// conformance: 8555-6.2-36
#[test]
fn nothing_may_follow_the_request() {
    let table = Table::new();
    for rest in ["{}", "x", ",", "\0", "}", "[]", "null"] {
        table.refuses(rest, table.forge().trailing(rest.as_bytes()), ProblemKind::Malformed);
    }
    assert!(accept(&table.forge().trailing(b"\r\n \t").body().unwrap(), &table.account).is_ok());
}

#[test]
fn members_that_nobody_knows_are_ignored() {
    // RFC 7515 section 7.2.1: additional members not understood must be ignored.
    let table = Table::new();
    let forge = table.forge().outer_json("x", "[{\"y\":null}]").set_json("typ", "\"JWT\"").set_json("x", "{}");
    assert!(accept(&forge.body().unwrap(), &table.account).is_ok());
}

#[test]
fn a_protected_header_is_a_json_object_in_utf_8() {
    let table = Table::new();
    for (what, header) in [
        ("no UTF-8", b"{\"alg\":\"ES256\xff\"}".as_slice()),
        ("a mark of the byte order", b"\xef\xbb\xbf{\"alg\":\"ES256\"}"),
        ("a list", b"[]"),
        ("null", b"null"),
        ("no end", b"{\"alg\":\"ES256\""),
        ("something after it", b"{\"alg\":\"ES256\"}{}"),
        ("nothing", b""),
    ] {
        let json = format!("{:?}", certus_acme::base64url::encode(header));
        let forge = table.forge().leave_out(Member::Protected).outer_json("protected", &json);
        let error = accept(&forge.body().unwrap(), &table.account).unwrap_err();
        assert!(matches!(error, JwsError::Header(_)), "{what}: {error}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    table.refuses("deep", table.forge().set_json("x", &deep), ProblemKind::Malformed);
    table.refuses("deep outside", table.forge().outer_json("x", &deep), ProblemKind::Malformed);
}

#[test]
fn a_signature_holds_for_its_key_and_its_octets_alone() {
    let table = Table::new();
    for bit in 0..512 {
        table.refuses("a flipped bit", table.forge().flip_signature_bit(bit), ProblemKind::Unauthorized);
    }
    let stranger = key(KeyAlgorithm::EcP256);
    table.refuses("another's", table.forge().signed_by(&stranger), ProblemKind::Unauthorized);
    // The key in the header must be the one that signed.
    table.refuses("another's, with jwk", table.forge().jwk().signed_by(&stranger), ProblemKind::Unauthorized);
    for (what, signature) in [
        ("none", vec![]),
        ("zeros, which old libraries took (CVE-2022-21449)", vec![0; 64]),
        ("r alone", vec![1; 32]),
        ("too short", vec![1; 63]),
        ("too long", vec![1; 65]),
        ("the order of the curve", {
            let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
            data_encoding::HEXLOWER.decode(order.repeat(2).as_bytes()).unwrap()
        }),
    ] {
        table.refuses(what, table.forge().signature(signature), ProblemKind::Unauthorized);
    }
    // The DER form of X.509, over what would be signed: made by hand, since no forge does it.
    let compact = String::from_utf8(table.forge().compact().unwrap()).unwrap();
    let (input, _) = compact.rsplit_once('.').unwrap();
    let algorithm = Algorithm::Es256.signature_algorithm();
    let der = table.account.sign(algorithm, SignatureEncoding::Der, input.as_bytes()).unwrap();
    table.refuses("DER", table.forge().signature(der), ProblemKind::Unauthorized);
}

#[test]
fn each_algorithm_verifies_with_its_own_kind_of_key_and_no_other() {
    let keys = [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::EcP521, KeyAlgorithm::Rsa2048];
    let keys: Vec<KeyPair> = keys.into_iter().chain([KeyAlgorithm::Ed25519]).map(key).collect();
    for signer in &keys {
        let own = Algorithm::of(signer.public_key());
        for algorithm in Algorithm::ALL {
            for reference in [Forge::jwk as fn(Forge) -> Forge, |forge| forge.kid(ACCOUNT)] {
                let forge = reference(Forge::new(signer, URL, "").nonce("AAAA")).alg(algorithm.name());
                let outcome = accept(&forge.body().unwrap(), signer);
                if *algorithm == own {
                    assert_eq!(outcome, Ok(Vec::new()), "{own}");
                } else {
                    assert_eq!(outcome, Err(JwsError::KeyMismatch(*algorithm)), "{own}");
                    assert_eq!(JwsError::KeyMismatch(*algorithm).problem().kind, ProblemKind::BadPublicKey);
                }
            }
        }
    }
}

// conformance: 8555-5-01
#[test]
fn a_payload_is_strict_json_whoever_signed_it() {
    #[derive(Debug, serde::Deserialize)]
    struct Anything {}
    let table = Table::new();
    for payload in
        [b"{\"contact\":[\"mailto:\xff@example.org\"]}".as_slice(), b"", b"[]", b"{}{}", b"{\"a\":1,\"a\":1}"]
    {
        let signed = accept(&table.forge().payload(payload).body().unwrap(), &table.account).unwrap();
        let problem = strict_object::<Anything>(&signed).unwrap_err().problem();
        assert_eq!((problem.kind, problem.status), (ProblemKind::Malformed, 400), "{problem}");
    }
}

#[test]
fn nothing_that_was_signed_is_shown_for_debugging() {
    let table = Table::new();
    let jws = FlattenedJws::parse(&table.forge().payload("hush").body().unwrap()).unwrap();
    let verified = jws.clone().verify(table.account.public_key(), Algorithm::Es256).unwrap();
    for shown in [format!("{jws:?}"), format!("{verified:?}")] {
        assert!(shown.contains("<4 octets>") && shown.contains(ACCOUNT), "{shown}");
        assert!(!shown.contains("hush") && !shown.contains(&format!("{:?}", b"hush")), "{shown}");
    }
}
