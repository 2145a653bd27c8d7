//! Which public keys are good enough: BR 6.1.1.3, 6.1.5 and 6.1.6 for subscribers, nearly the same for accounts.
//!
//! That a key is well-formed and its point on its curve was settled when it was read ([`crate::PublicKey`]). Lists of
//! keys known to be compromised (Debian's, block lists) are not here.

use num_bigint::BigUint;

use crate::key::{PublicKey, PublicKeyKind};

/// Why a key is not taken; the texts are meant for the person who has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// A kind of key that is not certified (BR 6.1.5: RSA and ECDSA only).
    #[error("keys of kind {0} are not certified")]
    Kind(PublicKeyKind),
    /// An RSA modulus below 2048 or above 4096 bits, or of a length that 8 does not divide.
    #[error("the RSA modulus has {0} bits; it must have 2048 to 4096, and a multiple of 8")]
    ModulusLength(usize),
    /// An RSA exponent below 65537.
    #[error("the RSA public exponent is below 65537")]
    SmallExponent,
    /// An RSA modulus with a factor below 752.
    #[error("the RSA modulus is divisible by {0}")]
    SmallFactor(u32),
    /// An RSA modulus that is a power.
    #[error("the RSA modulus is the power of a number")]
    Power,
    /// CVE-2017-15361.
    #[error("the RSA key was made by the faulty generator of CVE-2017-15361 (ROCA)")]
    Roca,
    /// An RSA modulus that Fermat's method factors within [`FERMAT_ROUNDS`].
    #[error("the primes of the RSA modulus are too close to each other")]
    ClosePrimes,
}

/// Rounds of Fermat's factorization that a modulus must withstand (BR 6.1.1.3).
pub const FERMAT_ROUNDS: usize = 100;

/// Checks a key that a subscriber wants certified: RSA of 2048 to 4096 bits without known weakness, or EC on P-256,
/// P-384 or P-521.
///
/// # Errors
///
/// [`KeyRefused`] says what is wrong with it.
pub fn check_subscriber_key(key: &PublicKey) -> Result<(), KeyRefused> {
    match key.kind() {
        PublicKeyKind::Ec(_) => Ok(()),
        PublicKeyKind::Rsa { bits } => check_rsa(key, bits),
        PublicKeyKind::Ed25519 => Err(KeyRefused::Kind(PublicKeyKind::Ed25519)),
    }
}

/// Checks the key of an ACME account: as for subscribers, and Ed25519.
///
/// # Errors
///
/// [`KeyRefused`] says what is wrong with it.
pub fn check_account_key(key: &PublicKey) -> Result<(), KeyRefused> {
    match key.kind() {
        PublicKeyKind::Ec(_) | PublicKeyKind::Ed25519 => Ok(()),
        PublicKeyKind::Rsa { bits } => check_rsa(key, bits),
    }
}

fn check_rsa(key: &PublicKey, bits: usize) -> Result<(), KeyRefused> {
    if !(2048..=4096).contains(&bits) || !bits.is_multiple_of(8) {
        return Err(KeyRefused::ModulusLength(bits));
    }
    let (modulus, exponent) = key.rsa_parts().ok_or(KeyRefused::Kind(key.kind()))?;
    if BigUint::from_bytes_be(exponent) < BigUint::from(65_537_u32) {
        return Err(KeyRefused::SmallExponent);
    }
    let modulus = BigUint::from_bytes_be(modulus);
    if let Some(factor) = primes_below(752).find(|prime| &modulus % *prime == BigUint::ZERO) {
        return Err(KeyRefused::SmallFactor(factor));
    }
    if is_power(&modulus) {
        return Err(KeyRefused::Power);
    }
    if has_roca_fingerprint(&modulus) {
        return Err(KeyRefused::Roca);
    }
    if has_close_primes(&modulus) {
        return Err(KeyRefused::ClosePrimes);
    }
    Ok(())
}

fn primes_below(limit: u32) -> impl Iterator<Item = u32> {
    (2..limit).filter(|number| {
        (2..*number).take_while(|divisor| divisor * divisor <= *number).all(|divisor| !number.is_multiple_of(divisor))
    })
}

/// Squares, cubes, and fifth and seventh powers. Higher ones would need primes so small that no generator makes them.
fn is_power(modulus: &BigUint) -> bool {
    [2_u32, 3, 5, 7].into_iter().any(|exponent| modulus.nth_root(exponent).pow(exponent) == *modulus)
}

/// The faulty generator made primes of the form `k M + (65537^a mod M)`, with `M` the product of the first primes, so
/// that the modulus is a power of 65537 modulo each of them ("The Return of Coppersmith's Attack", 2017). The primes to
/// 167 are in the `M` of every key size; an honest modulus passes for such a power with a chance of 2^-150.
fn has_roca_fingerprint(modulus: &BigUint) -> bool {
    primes_below(168).skip(1).all(|prime| {
        let residue = u32::try_from(modulus % prime).unwrap_or(0);
        let mut power = 1;
        for _ in 0..prime {
            if power == residue {
                return true;
            }
            power = power * 65_537 % prime;
        }
        false
    })
}

/// Fermat: a product of two close numbers is `a² - b²` with an `a` just above its square root.
fn has_close_primes(modulus: &BigUint) -> bool {
    let mut a = modulus.sqrt() + 1_u32;
    let mut difference = &a * &a - modulus;
    (0..FERMAT_ROUNDS).any(|_| {
        let found = is_square(&difference);
        difference += (&a << 1) + 1_u32;
        a += 1_u32;
        found
    })
}

fn is_square(number: &BigUint) -> bool {
    // Three out of four numbers are told from squares by their last bits, most of the others by small remainders.
    let last = u32::try_from(number % 64_u32).unwrap_or(0);
    let may_be = [0, 1, 4, 9, 16, 17, 25, 33, 36, 41, 49, 57].contains(&last)
        && [63_u32, 65, 11, 17, 19, 23].into_iter().all(|divisor| {
            let residue = u32::try_from(number % divisor).unwrap_or(0);
            (0..divisor).any(|root| root * root % divisor == residue)
        });
    may_be && {
        let root = number.sqrt();
        &root * &root == *number
    }
}
