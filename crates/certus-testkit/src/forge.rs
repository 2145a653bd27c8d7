//! Signed requests in which every part can be wrong, and only that part: the signature covers what is sent, unless the
//! signature itself is what is forged.

use certus_acme::{Algorithm, Jwk, base64url};
use certus_pki::{CryptoError, KeyPair, SignatureEncoding, sha256};
use serde_json::Value;

/// A request to take apart. Starts as a right one with `jwk` and without a nonce.
#[derive(Debug, Clone)]
pub struct Forge {
    key: KeyPair,
    /// Name and JSON of each member of the protected header, in order; a name may stand twice.
    protected: Vec<(String, String)>,
    payload: Vec<u8>,
    signature: Signing,
    texts: Vec<(Member, Rewrite)>,
    outer: Vec<(String, String)>,
    left_out: Vec<Member>,
    unencoded: bool,
    trailing: Vec<u8>,
}

/// A member of a flattened JWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// `protected`
    Protected,
    /// `payload`
    Payload,
    /// `signature`
    Signature,
}

impl Member {
    /// Every member.
    pub const ALL: [Self; 3] = [Self::Protected, Self::Payload, Self::Signature];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Protected => "protected",
            Self::Payload => "payload",
            Self::Signature => "signature",
        }
    }
}

type Rewrite = fn(&str) -> String;

#[derive(Debug, Clone)]
enum Signing {
    Right,
    By(Box<KeyPair>),
    Flipped(usize),
    HmacWithPublicKey,
    Octets(Vec<u8>),
}

impl Forge {
    /// A right request of that key, with `jwk`, without a nonce.
    #[must_use]
    pub fn new(key: &KeyPair, url: &str, payload: impl Into<Vec<u8>>) -> Self {
        let forge = Self {
            key: key.clone(),
            protected: Vec::new(),
            payload: payload.into(),
            signature: Signing::Right,
            texts: Vec::new(),
            outer: Vec::new(),
            left_out: Vec::new(),
            unencoded: false,
            trailing: Vec::new(),
        };
        forge.alg(Algorithm::of(key.public_key()).name()).jwk_of(key).url(url)
    }

    /// Sets a member of the protected header.
    #[must_use]
    pub fn set(self, name: &str, value: impl Into<Value>) -> Self {
        let json = value.into().to_string();
        self.set_json(name, &json)
    }

    /// Sets a member of the protected header to a JSON text, which need not be right.
    #[must_use]
    pub fn set_json(mut self, name: &str, json: &str) -> Self {
        match self.protected.iter_mut().find(|(present, _)| present == name) {
            Some((_, value)) => json.clone_into(value),
            None => self.protected.push((name.to_owned(), json.to_owned())),
        }
        self
    }

    /// Adds a member to the protected header, even when it is there already.
    #[must_use]
    pub fn add_json(mut self, name: &str, json: &str) -> Self {
        self.protected.push((name.to_owned(), json.to_owned()));
        self
    }

    /// Takes a member out of the protected header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.protected.retain(|(present, _)| present != name);
        self
    }

    /// Says another algorithm; what signs stays the same.
    #[must_use]
    pub fn alg(self, name: &str) -> Self {
        self.set("alg", name)
    }

    /// Another nonce.
    #[must_use]
    pub fn nonce(self, nonce: &str) -> Self {
        self.set("nonce", nonce)
    }

    /// Another URL.
    #[must_use]
    pub fn url(self, url: &str) -> Self {
        self.set("url", url)
    }

    /// `kid` instead of `jwk`.
    #[must_use]
    pub fn kid(self, account_url: &str) -> Self {
        self.without("jwk").set("kid", account_url)
    }

    /// `jwk` (the signing key's) instead of `kid`.
    #[must_use]
    pub fn jwk(self) -> Self {
        let key = self.key.clone();
        self.without("kid").jwk_of(&key)
    }

    /// `jwk` and `kid` together.
    #[must_use]
    pub fn jwk_and_kid(self, account_url: &str) -> Self {
        self.jwk().set("kid", account_url)
    }

    /// Neither `jwk` nor `kid`.
    #[must_use]
    pub fn without_key(self) -> Self {
        self.without("jwk").without("kid")
    }

    fn jwk_of(self, key: &KeyPair) -> Self {
        self.set_json("jwk", Jwk::from_public_key(key.public_key()).canonical_json())
    }

    /// Another payload.
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = payload.into();
        self
    }

    /// The unencoded payload option, done right (RFC 7797 section 3): the payload as it is, `b64` and `crit` in the header.
    #[must_use]
    pub fn unencoded(mut self) -> Self {
        self.unencoded = true;
        self.set("b64", false).set("crit", vec!["b64"])
    }

    /// Signed by another key than the header says.
    #[must_use]
    pub fn signed_by(mut self, key: &KeyPair) -> Self {
        self.signature = Signing::By(Box::new(key.clone()));
        self
    }

    /// One bit of the signature is another; bits are counted from the first octet's lowest, and around.
    #[must_use]
    pub fn flip_signature_bit(mut self, bit: usize) -> Self {
        self.signature = Signing::Flipped(bit);
        self
    }

    /// Says HS256, with the public key's `SubjectPublicKeyInfo` as the secret.
    #[must_use]
    pub fn hs256_with_public_key(mut self) -> Self {
        self.signature = Signing::HmacWithPublicKey;
        self.alg("HS256")
    }

    /// These octets for a signature.
    #[must_use]
    pub fn signature(mut self, octets: impl Into<Vec<u8>>) -> Self {
        self.signature = Signing::Octets(octets.into());
        self
    }

    /// Rewrites a member's base64url text. What is signed is the rewritten text.
    #[must_use]
    pub fn rewrite(mut self, member: Member, rewrite: fn(&str) -> String) -> Self {
        self.texts.push((member, rewrite));
        self
    }

    /// Pads a member's base64url text.
    #[must_use]
    pub fn padded(self, member: Member) -> Self {
        self.rewrite(member, |text| {
            let pad = (4 - text.len() % 4) % 4;
            // A text that needs none gets one nevertheless, or nothing would be forged.
            format!("{text}{}", "=".repeat(pad.max(1)))
        })
    }

    /// Leaves a member out; without a payload, the JWS is detached (RFC 7515 appendix F).
    #[must_use]
    pub fn leave_out(mut self, member: Member) -> Self {
        self.left_out.push(member);
        self
    }

    /// A detached payload: signed, but not there.
    #[must_use]
    pub fn detached(self) -> Self {
        self.leave_out(Member::Payload)
    }

    /// An unprotected header, of that JSON.
    #[must_use]
    pub fn unprotected(self, json: &str) -> Self {
        self.outer_json("header", json)
    }

    /// Adds a member to the outer object, even when it is there already (then it stands last).
    #[must_use]
    pub fn outer_json(mut self, name: &str, json: &str) -> Self {
        self.outer.push((name.to_owned(), json.to_owned()));
        self
    }

    /// Appends octets to the body.
    #[must_use]
    pub fn trailing(mut self, octets: &[u8]) -> Self {
        self.trailing.extend_from_slice(octets);
        self
    }

    /// The flattened serialization (RFC 7515 section 7.2.2).
    ///
    /// # Errors
    ///
    /// [`CryptoError`] when the key cannot sign.
    pub fn body(&self) -> Result<Vec<u8>, CryptoError> {
        let parts = self.parts()?;
        let kept = Member::ALL.into_iter().filter(|member| !self.left_out.contains(member));
        let mut members: Vec<String> = kept.map(|member| parts.json(member)).collect();
        members.extend(self.outer.iter().map(|(name, json)| format!("{}:{json}", quoted(name))));
        Ok(self.end(format!("{{{}}}", members.join(","))))
    }

    /// The general serialization with one signature (RFC 7515 section 7.2.1).
    ///
    /// # Errors
    ///
    /// [`CryptoError`] when the key cannot sign.
    pub fn general(&self) -> Result<Vec<u8>, CryptoError> {
        let parts = self.parts()?;
        let (payload, protected) = (parts.json(Member::Payload), parts.json(Member::Protected));
        Ok(self.end(format!("{{{payload},\"signatures\":[{{{protected},{}}}]}}", parts.json(Member::Signature))))
    }

    /// Flattened, with a `signatures` member as well.
    ///
    /// # Errors
    ///
    /// [`CryptoError`] when the key cannot sign.
    pub fn flattened_and_general(&self) -> Result<Vec<u8>, CryptoError> {
        let parts = self.parts()?;
        let (protected, signature) = (parts.json(Member::Protected), parts.json(Member::Signature));
        self.clone().outer_json("signatures", &format!("[{{{protected},{signature}}}]")).body()
    }

    /// The compact serialization (RFC 7515 section 7.1).
    ///
    /// # Errors
    ///
    /// [`CryptoError`] when the key cannot sign.
    pub fn compact(&self) -> Result<Vec<u8>, CryptoError> {
        let Parts { protected, payload, signature } = self.parts()?;
        Ok(self.end(format!("{protected}.{payload}.{signature}")))
    }

    fn end(&self, body: String) -> Vec<u8> {
        [body.as_bytes(), &self.trailing].concat()
    }

    fn parts(&self) -> Result<Parts, CryptoError> {
        let members: Vec<String> =
            self.protected.iter().map(|(name, json)| format!("{}:{json}", quoted(name))).collect();
        let protected =
            self.text(Member::Protected, base64url::encode(format!("{{{}}}", members.join(",")).as_bytes()));
        let payload = if self.unencoded {
            String::from_utf8_lossy(&self.payload).into_owned()
        } else {
            base64url::encode(&self.payload)
        };
        let payload = self.text(Member::Payload, payload);
        let signature = self.sign(format!("{protected}.{payload}").as_bytes())?;
        let signature = self.text(Member::Signature, base64url::encode(&signature));
        Ok(Parts { protected, payload, signature })
    }

    fn text(&self, member: Member, text: String) -> String {
        self.texts.iter().filter(|(named, _)| *named == member).fold(text, |text, (_, rewrite)| rewrite(&text))
    }

    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match &self.signature {
            Signing::Right => signed(&self.key, input),
            Signing::By(key) => signed(key, input),
            Signing::Flipped(bit) => {
                let mut octets = signed(&self.key, input)?;
                let place = bit / 8 % octets.len().max(1);
                octets.iter_mut().skip(place).take(1).for_each(|octet| *octet ^= 1 << (bit % 8));
                Ok(octets)
            }
            Signing::HmacWithPublicKey => Ok(hmac_sha256(self.key.public_key().spki_der(), input).to_vec()),
            Signing::Octets(octets) => Ok(octets.clone()),
        }
    }
}

struct Parts {
    protected: String,
    payload: String,
    signature: String,
}

impl Parts {
    fn json(&self, member: Member) -> String {
        let text = match member {
            Member::Protected => &self.protected,
            Member::Payload => &self.payload,
            Member::Signature => &self.signature,
        };
        format!("\"{}\":{}", member.name(), quoted(text))
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn signed(key: &KeyPair, input: &[u8]) -> Result<Vec<u8>, CryptoError> {
    key.sign(Algorithm::of(key.public_key()).signature_algorithm(), SignatureEncoding::Fixed, input)
}

/// HMAC of RFC 2104 with SHA-256. Only here: the authority knows no MACs.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let mut block = if key.len() > BLOCK { sha256(key).to_vec() } else { key.to_vec() };
    block.resize(BLOCK, 0);
    let with = |pad: u8| block.iter().map(|octet| octet ^ pad).collect::<Vec<u8>>();
    let inner = sha256(&[with(0x36).as_slice(), message].concat());
    sha256(&[with(0x5c).as_slice(), &inner].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mac_is_that_of_rfc_4231() {
        let hex = |octets: [u8; 32]| data_encoding::HEXLOWER.encode(&octets);
        // Test cases 2 and 6: a short key, and one longer than a block.
        assert_eq!(
            hex(hmac_sha256(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(hmac_sha256(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
