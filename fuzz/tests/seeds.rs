//! What fuzzing begins with is right: every seed passes its check, and is read rather than refused.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use certus_acme::{
    Account, AccountUpdate, Authorization, AuthorizationUpdate, CertId, Challenge, Directory, Finalize, FlattenedJws,
    Jwk, NewAccount, NewOrder, Order, Problem, ProtectedHeader, strict_object,
};
use certus_fuzz::{TARGETS, seeds};
use certus_pki::{
    Certificate, CertificateChain, CertificateList, CertificationRequest, DnsName, SubjectName, challenge_certificate,
};
use certus_validate::{read_addresses, read_texts};
use serde::de::DeserializeOwned;

#[test]
fn every_seed_passes_its_check() {
    for (target, check) in TARGETS {
        let seeds = seeds::of(target);
        let names: BTreeSet<&str> = seeds.iter().map(|seed| seed.name.as_str()).collect();
        assert!(names.len() == seeds.len() && !names.is_empty(), "{target}");
        for seed in &seeds {
            check(&seed.octets);
        }
        for wrong in ["", "{", "{}", "0", "\0", "-----BEGIN CERTIFICATE-----\n"] {
            check(wrong.as_bytes());
        }
    }
}

#[test]
fn every_seed_is_read() {
    for seed in seeds::of("certificate") {
        Certificate::parse(&seed.octets).unwrap_or_else(|error| panic!("{}: {error:?}", seed.name));
    }
    for seed in seeds::of("crl") {
        CertificateList::parse(&seed.octets).unwrap_or_else(|error| panic!("{}: {error:?}", seed.name));
    }
    for seed in seeds::of("csr") {
        CertificationRequest::parse(&seed.octets).unwrap_or_else(|error| panic!("{}: {error:?}", seed.name));
    }
    for seed in seeds::of("cert_id") {
        CertId::parse(str::from_utf8(&seed.octets).unwrap()).unwrap();
    }
    for seed in seeds::of("answer") {
        let name = DnsName::parse("www.a.example").unwrap();
        let found = match seed.name.as_str() {
            "txt" => read_texts(&name, &seed.octets).unwrap().len(),
            "nothing" | "no-such-name" => usize::from(read_addresses(&name, &seed.octets).is_err()),
            "circle" => usize::from(read_addresses(&name, &seed.octets).unwrap_or_default().is_empty()),
            _ => read_addresses(&name, &seed.octets).unwrap().len(),
        };
        assert!(found > 0, "{}", seed.name);
    }
    for seed in seeds::of("binding") {
        let read = match seed.name.as_str() {
            "key" => Jwk::parse(str::from_utf8(&seed.octets).unwrap()).is_ok(),
            name if name.ends_with("-header") => reads::<ProtectedHeader>(&seed.octets),
            _ => FlattenedJws::parse(&seed.octets).is_ok_and(|jws| jws.mac_algorithm().is_ok()),
        };
        assert!(read, "{}", seed.name);
    }
    for seed in seeds::of("challenge_certificate").iter().filter(|seed| !seed.name.ends_with("-extensions")) {
        let subject = match seed.name.starts_with("address-") {
            true => SubjectName::Ip(Ipv4Addr::new(192, 0, 2, 1).into()),
            false => SubjectName::Dns(DnsName::parse("www.example.com").unwrap()),
        };
        let judged = challenge_certificate::check(&seed.octets, &subject, &[0xa5; 32]);
        judged.unwrap_or_else(|error| panic!("{}: {error:?}", seed.name));
    }
    for seed in seeds::of("chain") {
        CertificateChain::from_pem(str::from_utf8(&seed.octets).unwrap()).unwrap();
    }
    for seed in seeds::of("jws") {
        let read = if seed.name.ends_with("-key") {
            Jwk::parse(str::from_utf8(&seed.octets).unwrap()).is_ok()
        } else if seed.name.ends_with("-header") {
            reads::<ProtectedHeader>(&seed.octets)
        } else {
            FlattenedJws::parse(&seed.octets).is_ok()
        };
        assert!(read, "{}", seed.name);
    }
    for seed in seeds::of("payload") {
        let read = match seed.name.as_str() {
            "new-account" => reads::<NewAccount>(&seed.octets),
            "account-update" => reads::<AccountUpdate>(&seed.octets),
            "new-order" => reads::<NewOrder>(&seed.octets),
            "finalize" => reads::<Finalize>(&seed.octets),
            "authorization-update" | "challenge-answer" => reads::<AuthorizationUpdate>(&seed.octets),
            "directory" => reads::<Directory>(&seed.octets),
            "account" => reads::<Account>(&seed.octets),
            "order" => reads::<Order>(&seed.octets),
            "authorization" => reads::<Authorization>(&seed.octets),
            "challenge" => reads::<Challenge>(&seed.octets),
            "problem" => reads::<Problem>(&seed.octets),
            other => panic!("{other} is not known here"),
        };
        assert!(read, "{}", seed.name);
    }
}

fn reads<T: DeserializeOwned>(octets: &[u8]) -> bool {
    strict_object::<T>(octets).is_ok()
}
