//! The form of requests: RFC 8555 sections 6.1 to 6.5, RFC 7515 sections 4 and 7.2.2.

use certus_acme::jose::{Protected, sign};
use certus_acme::{FlattenedJws, JwsError, ProblemKind, base64url};

use crate::forge::{
    ACCOUNT, KID, NONCE, PAYLOAD, URL, accept, all_malformed, body, header_with, refusal, signed, signed_members,
    signed_octets,
};

#[test]
fn what_the_client_side_signs_the_server_side_reads() {
    let header = Protected { kid: Some(KID), nonce: Some(NONCE), url: URL };
    let request = sign(&ACCOUNT, &header, PAYLOAD).unwrap();
    let verified = accept(request.as_bytes()).unwrap();
    assert_eq!(verified.payload(), PAYLOAD);
    assert_eq!(verified.nonce(), Ok(NONCE));
    assert_eq!(verified.header().url.as_deref(), Some(URL));
    assert!(!verified.is_post_as_get());
    let request = sign(&ACCOUNT, &header, b"").unwrap();
    assert!(accept(request.as_bytes()).unwrap().is_post_as_get());
}

#[test]
fn text_that_needs_escapes_survives_signing() {
    let url = "https://ca.example/a\"b\\c/é?x=%7E";
    let request = sign(&ACCOUNT, &Protected { kid: Some(KID), nonce: Some(NONCE), url }, b"{}").unwrap();
    assert_eq!(FlattenedJws::parse(request.as_bytes()).unwrap().url(), Ok(url));
}

// conformance: 8555-6.2-02 8555-6.2-03 8555-6.2-04 8555-6.2-06 8555-6.2-07 8555-6.2-36
#[test]
fn only_the_flattened_serialization_is_taken() {
    let (protected, payload, signature) = signed_members(&header_with(""), PAYLOAD);
    let good = body(&protected, &payload, &signature);
    assert_eq!(refusal(&good), None);
    let with = |more: &str| format!("{{{more},{}", &good[1..]);
    all_malformed(&[
        ("compact", format!("{protected}.{payload}.{signature}")),
        ("compact as a JSON string", format!("\"{protected}.{payload}.{signature}\"")),
        (
            "general",
            format!(
                r#"{{"payload":"{payload}","signatures":[{{"protected":"{protected}","signature":"{signature}"}}]}}"#
            ),
        ),
        ("signature and signatures", with(r#""signatures":[]"#)),
        ("signatures that are null", with(r#""signatures":null"#)),
        ("an unprotected header", with(r#""header":{"kid":"x"}"#)),
        ("an empty unprotected header", with(r#""header":{}"#)),
        ("an unprotected header that is null", with(r#""header":null"#)),
        ("a detached payload", format!(r#"{{"protected":"{protected}","signature":"{signature}"}}"#)),
        ("a payload that is null", good.replace(&format!("\"{payload}\""), "null")),
        ("a payload that is an object", good.replace(&format!("\"{payload}\""), "{}")),
        ("no signature", format!(r#"{{"protected":"{protected}","payload":"{payload}"}}"#)),
        ("no protected header", format!(r#"{{"payload":"{payload}","signature":"{signature}"}}"#)),
        ("an array", format!("[{good}]")),
        ("an empty array", "[]".into()),
        ("an open brace", "{".into()),
        ("nothing", String::new()),
        ("a payload twice", with(&format!(r#""payload":"{payload}""#))),
        ("a payload twice, once with an escape", with(&format!(r#""p\u0061yload":"{payload}""#))),
        ("something after it", format!("{good}{{}}")),
        ("a byte order mark", format!("\u{feff}{good}")),
        ("deep nesting", with(&format!(r#""x":{}{}"#, "[".repeat(5000), "]".repeat(5000)))),
    ]);
    // RFC 7515 section 7.2.2: other members are ignored; white space around and escapes within are JSON's.
    assert_eq!(refusal(&with(r#""other":[1]"#)), None);
    assert_eq!(refusal(&format!("\r\n {good}\n")), None);
    assert_eq!(refusal(&good.replace("payload", r"p\u0061yload")), None);
}

#[test]
fn a_general_jws_and_an_unprotected_header_are_named() {
    let general = FlattenedJws::parse(br#"{"payload":"","signatures":[]}"#);
    assert_eq!(general.err(), Some(JwsError::General));
    let unprotected = FlattenedJws::parse(br#"{"header":{},"protected":"","payload":"","signature":""}"#);
    assert_eq!(unprotected.err(), Some(JwsError::UnprotectedHeader));
    let detached = FlattenedJws::parse(br#"{"protected":"","signature":""}"#).err().unwrap();
    assert!(detached.problem().detail.contains("payload"), "{detached}");
}

// conformance: 8555-6.1-09 8555-6.1-11 8555-6.1-12
#[test]
fn base64url_has_one_form() {
    let (protected, payload, signature) = signed_members(&header_with(""), PAYLOAD);
    // 64 octets of signature end in a character with four unused bits, so it has fifteen other spellings.
    let last = signature.chars().last().unwrap();
    let stray_bits = char::from(u8::try_from(last).unwrap() + 1);
    let respelled = format!("{}{stray_bits}", &signature[..signature.len() - 1]);
    let mut table = vec![("stray bits in the signature", body(&protected, &payload, &respelled))];
    for (what, suffix) in
        [("a pad", "="), ("two pads", "=="), ("a space", " "), ("a line break", "\\n"), ("a plus", "+")]
    {
        table.push((what, body(&format!("{protected}{suffix}"), &payload, &signature)));
        table.push((what, body(&protected, &format!("{payload}{suffix}"), &signature)));
        table.push((what, body(&protected, &payload, &format!("{signature}{suffix}"))));
    }
    for (what, at) in [("standard alphabet", "+/"), ("white space", "\\r\\n"), ("a character beyond ASCII", "é")] {
        table.push((what, body(&protected, &format!("{}{at}{}", &payload[..4], &payload[4..]), &signature)));
    }
    all_malformed(&table);
}

// conformance: 7515-2-01
#[test]
fn the_protected_header_is_one_strict_json_object() {
    let good = header_with("");
    let jwk = certus_acme::Jwk::from_public_key(ACCOUNT.public_key()).canonical_json().to_owned();
    let with_jwk = |jwk: &str| format!(r#"{{"alg":"ES256","jwk":{jwk},"nonce":"{NONCE}","url":"{URL}"}}"#);
    let in_string = |octets: &[u8]| [&good.as_bytes()[..good.len() - 1], b",\"x\":\"", octets, b"\"}"].concat();
    let utf_16 = |order: fn(u16) -> [u8; 2]| good.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    // What the headers below are made of is accepted: they are refused for the one fault that each has.
    for (what, header) in [
        ("members", good.clone().into_bytes()),
        ("unknown members", header_with(r#","x":1,"y":2"#).into_bytes()),
        ("the key itself", with_jwk(&jwk).into_bytes()),
        ("UTF-8 beyond ASCII", in_string("é".as_bytes())),
    ] {
        assert_eq!(refusal(&signed_octets(&header)), None, "{what}");
    }
    all_malformed(&[
        ("empty", signed("")),
        ("an array of the members in order", signed(&format!(r#"["ES256","{NONCE}","{URL}","{KID}"]"#))),
        ("an array of the object", signed(&format!("[{good}]"))),
        ("a string", signed(&serde_json::to_string(&good).unwrap())),
        ("null", signed("null")),
        ("two alg members", signed(&header_with(r#","alg":"ES256""#))),
        ("two alg members, one escaped", signed(&header_with(r#","\u0061lg":"ES256""#))),
        ("two kid members", signed(&header_with(&format!(r#","kid":"{KID}""#)))),
        ("an unknown member twice", signed(&header_with(r#","x":1,"x":2"#))),
        ("an unknown member twice, once with an escape", signed(&header_with(r#","x":1,"\u0078":2"#))),
        ("a member of an unknown member twice", signed(&header_with(r#","x":[{"y":1,"y":2}]"#))),
        ("an unknown member twice within jwk", signed(&with_jwk(&format!(r#"{{"z":1,"z":2,{}"#, &jwk[1..])))),
        ("something after it", signed(&format!("{good}x"))),
        ("no UTF-8", signed_octets(&in_string(b"\xff"))),
        ("an octet of Latin-1", signed_octets(&in_string(b"\xe9"))),
        ("UTF-16, big end first", signed_octets(&utf_16(u16::to_be_bytes))),
        ("UTF-16, little end first", signed_octets(&utf_16(u16::to_le_bytes))),
        ("deep nesting", signed(&header_with(&format!(r#","x":{}{}"#, "[".repeat(900), "]".repeat(900))))),
        ("a lone surrogate", signed(&header_with(r#","typ":"\ud800","kid2":"""#))),
    ]);
}

// conformance: 8555-6.2-05 7515-2-02 7515-2-03
#[test]
fn critical_and_unencoded_are_refused() {
    let more = |members: &str| signed(&header_with(members));
    all_malformed(&[
        ("b64", more(r#","b64":false,"crit":["b64"]"#)),
        ("b64 that changes nothing", more(r#","b64":true"#)),
        ("b64 that is null", more(r#","b64":null"#)),
        ("crit of an unknown member", more(r#","crit":["exp"],"exp":1"#)),
        ("crit of a known member", more(r#","crit":["nonce"]"#)),
        ("an empty crit", more(r#","crit":[]"#)),
        ("crit that is a string", more(r#","crit":"x""#)),
        ("crit that is null", more(r#","crit":null"#)),
    ]);
}

// conformance: 7515-2-05 7515-2-06
#[test]
fn other_header_members_are_ignored() {
    let foreign = r#","typ":"x","foo":1,"jku":"https://evil.example/keys","x5u":"https://evil.example","x5c":["AA"]"#;
    assert_eq!(refusal(&signed(&header_with(foreign))), None);
    // They stand in for nothing: without kid and jwk there is no key.
    let keyless = format!(r#"{{"alg":"ES256","nonce":"{NONCE}","url":"{URL}"{foreign}}}"#);
    assert_eq!(refusal(&signed(&keyless)), Some(ProblemKind::Malformed));
}

// conformance: 8555-6.2-08 8555-6.2-12 8555-6.2-13 8555-6.2-14 8555-6.4-05 8555-6.5.2-01
#[test]
fn required_header_members_are_there_and_are_strings() {
    let jwk = certus_acme::Jwk::from_public_key(ACCOUNT.public_key());
    let jwk = jwk.canonical_json();
    let header = |members: &str| signed(&format!("{{{members}}}"));
    let (alg, kid, nonce, url) = (
        r#""alg":"ES256""#.to_owned(),
        format!(r#""kid":"{KID}""#),
        format!(r#""nonce":"{NONCE}""#),
        format!(r#""url":"{URL}""#),
    );
    assert_eq!(refusal(&header(&format!("{alg},{kid},{nonce},{url}"))), None);
    assert_eq!(refusal(&header(&format!(r#"{alg},"jwk":{jwk},{nonce},{url}"#))), None);
    all_malformed(&[
        ("no alg", header(&format!("{kid},{nonce},{url}"))),
        ("alg that is a number", header(&format!(r#""alg":1,{kid},{nonce},{url}"#))),
        ("alg that is null", header(&format!(r#""alg":null,{kid},{nonce},{url}"#))),
        ("no url", header(&format!("{alg},{kid},{nonce}"))),
        ("url that is a number", header(&format!(r#"{alg},{kid},{nonce},"url":1"#))),
        ("url that is an array", header(&format!(r#"{alg},{kid},{nonce},"url":["{URL}"]"#))),
        ("url that is null", header(&format!(r#"{alg},{kid},{nonce},"url":null"#))),
        ("neither kid nor jwk", header(&format!("{alg},{nonce},{url}"))),
        ("both kid and jwk", header(&format!(r#"{alg},{kid},"jwk":{jwk},{nonce},{url}"#))),
        ("kid that is null beside jwk", header(&format!(r#"{alg},"kid":null,"jwk":{jwk},{nonce},{url}"#))),
        ("jwk that is null", header(&format!(r#"{alg},"jwk":null,{nonce},{url}"#))),
        ("jwk that is a string", header(&format!(r#"{alg},"jwk":"x",{nonce},{url}"#))),
        ("nonce that is a number", header(&format!(r#"{alg},{kid},"nonce":1,{url}"#))),
        ("nonce that is not base64url", header(&format!(r#"{alg},{kid},"nonce":"not valid!",{url}"#))),
        ("an empty nonce", header(&format!(r#"{alg},{kid},"nonce":"",{url}"#))),
    ]);
    assert_eq!(refusal(&header(&format!("{alg},{kid},{url}"))), Some(ProblemKind::BadNonce));
}

// conformance: 8555-6.2-09 8555-6.2-10 8555-6.2-23 8555-6.2-24
#[test]
fn another_algorithm_is_answered_with_the_list() {
    for algorithm in
        ["none", "None", "", "HS256", "HS384", "HS512", "ES256K", "PS256", "RS1", "RS384", "es256", "ES256 ", "Ed448"]
    {
        let header = header_with("").replace("ES256", algorithm);
        let (protected, payload, _) = signed_members(&header, PAYLOAD);
        for signature in ["", "AA", &base64url::encode(&[7; 32])] {
            let problem = accept(body(&protected, &payload, signature).as_bytes()).unwrap_err().problem();
            assert_eq!(problem.kind, ProblemKind::BadSignatureAlgorithm, "{algorithm}");
            assert_eq!(problem.algorithms, ["ES256", "ES384", "ES512", "RS256", "EdDSA"]);
        }
    }
}

#[test]
fn a_refusal_repeats_a_strangers_text_short_and_escaped() {
    let header = header_with("").replace("ES256", &format!("\\u001b[31m<script>{}", "A".repeat(5000)));
    let detail = accept(signed(&header).as_bytes()).unwrap_err().problem().detail;
    assert!(detail.len() < 300 && detail.contains(r"\u{1b}") && !detail.contains('\u{1b}'), "{detail}");
}

#[test]
fn debug_shows_no_payload() {
    let (protected, payload, signature) = signed_members(&header_with(""), b"{\"secret\":true}");
    let jws = FlattenedJws::parse(body(&protected, &payload, &signature).as_bytes()).unwrap();
    let algorithm = jws.algorithm().unwrap();
    let before = format!("{jws:?}");
    let after = format!("{:?}", jws.verify(ACCOUNT.public_key(), algorithm).unwrap());
    for shown in [before, after] {
        let octets = format!("{:?}", b"secret");
        assert!(!shown.contains("secret") && !shown.contains(&octets[1..octets.len() - 1]), "{shown}");
        assert!(shown.contains(URL), "{shown}");
    }
}
