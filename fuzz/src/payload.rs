//! The JSON objects that a client sends, and those of a server's answers.

use std::sync::LazyLock;

use certus_acme::{
    Account, AccountUpdate, Authorization, AuthorizationUpdate, Challenge, Directory, Finalize, FlattenedJws,
    Identifier, KeyAuthorization, NewAccount, NewOrder, Order, Problem, Protected, Thumbprint, Token, base64url,
    check_contact, jose, strict_object,
};
use certus_pki::{CertificationRequest, KeyAlgorithm, KeyPair, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::text::{printable, told};

/// The input as each payload and each object.
pub fn payload(data: &[u8]) {
    if let Some(account) = read::<NewAccount>(data) {
        contacts(account.contact.as_deref());
        if let Some(binding) = account.external_account_binding
            && let Err(error) = FlattenedJws::parse(binding.get().as_bytes())
        {
            told(&error.problem());
        }
    }
    if let Some(update) = read::<AccountUpdate>(data) {
        contacts(update.contact.as_deref());
    }
    if let Some(order) = read::<NewOrder>(data) {
        new_order(&order);
    }
    if let Some(finalize) = read::<Finalize>(data) {
        match finalize.csr_der() {
            Ok(der) => {
                assert_eq!(Finalize::new(&der), finalize);
                if let Err(error) = CertificationRequest::parse(&der) {
                    printable(&error);
                }
            }
            Err(error) => printable(&error),
        }
    }
    read::<AuthorizationUpdate>(data);
    if let Some(challenge) = read::<Challenge>(data)
        && let Ok(token) = Token::parse(&challenge.token)
    {
        let authorization = KeyAuthorization::new(&token, &Thumbprint::from_bytes([7; 32]));
        assert_eq!(authorization.as_str().split_once('.').map(|(token, _)| token), Some(token.as_str()));
    }
    read::<Directory>(data);
    read::<Account>(data);
    read::<Order>(data);
    read::<Authorization>(data);
    read::<Problem>(data);
}

/// Reads an object; what is written of it is read again, signed or not.
fn read<T: DeserializeOwned + Serialize>(data: &[u8]) -> Option<T> {
    match strict_object::<T>(data) {
        Ok(object) => {
            let written = serde_json::to_vec(&object).expect("an object can be written");
            let again = strict_object::<T>(&written).expect("what is written can be read");
            assert_eq!(serde_json::to_vec(&again).expect("an object can be written"), written);
            signed(data);
            Some(object)
        }
        Err(error) => {
            told(&error.problem());
            None
        }
    }
}

/// A signed payload arrives as it was.
fn signed(payload: &[u8]) {
    let header = Protected { kid: Some("https://ca.example/acme/account/1"), nonce: None, url: "https://ca.example/" };
    let body = jose::sign(&KEY, &header, payload).expect("a key in memory signs");
    let jws = FlattenedJws::parse(body.as_bytes()).expect("our own request is read");
    let algorithm = jws.algorithm().expect("our own algorithm is supported");
    let verified = jws.verify(KEY.public_key(), algorithm).expect("our own signature verifies");
    assert_eq!(verified.payload(), payload);
}

fn contacts(contacts: Option<&[String]>) {
    for contact in contacts.unwrap_or_default() {
        if let Err(error) = check_contact(contact) {
            told(&error.problem());
        }
    }
}

fn new_order(order: &NewOrder) {
    for raw in &order.identifiers {
        match Identifier::parse(raw) {
            Ok(identifier) => {
                assert_eq!(Identifier::parse(&identifier.to_raw()).as_ref(), Ok(&identifier));
                assert_eq!(identifier.value(), raw.value.to_ascii_lowercase());
            }
            Err(error) => printable(&error),
        }
    }
    for time in [&order.not_before, &order.not_after].into_iter().flatten() {
        match Timestamp::parse_rfc3339(time) {
            Ok(at) => {
                let again = Timestamp::parse_rfc3339(&at.rfc3339()).expect("a time that is written can be read");
                assert_eq!(again.unix_seconds(), at.unix_seconds(), "{time:?}");
            }
            Err(error) => printable(&error),
        }
    }
    for text in [&order.replaces, &order.profile].into_iter().flatten() {
        if let Ok(octets) = base64url::decode(text) {
            assert_eq!(&base64url::encode(&octets), text);
        }
    }
}

static KEY: LazyLock<KeyPair> =
    LazyLock::new(|| KeyPair::generate(KeyAlgorithm::EcP256).expect("a key pair can be made"));
