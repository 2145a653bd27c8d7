//! How much memory there is in use, and a store that is large enough for that to mean something: as long as the database
//! is smaller than the page caches of its connections, they grow with it.

use std::collections::BTreeSet;
use std::time::Duration;

use certus_ca::audit::{Action, Actor, AuditEvent};
use certus_ca::id::CertificateId;
use certus_ca::state::IssuedCertificate;
use certus_pki::{Clock as _, SerialNumber, random_bytes, sha256};

use crate::common::World;

/// Certificates that are stored before: of a KiB each, twice the writer's cache, which is the largest.
const STORED: usize = 50_000;
const AT_ONCE: usize = 1_000;

/// Stores certificates until every cache is full.
pub(super) async fn fill_caches(world: &World) {
    let (ca, now) = (&world.authority.ca, world.clock.now());
    let issuer = ca.issuers().configured[0].id().to_owned();
    for _ in 0..STORED / AT_ONCE {
        let batch: Vec<IssuedCertificate> = std::iter::repeat_with(|| {
            let der: Vec<u8> = std::iter::repeat_with(random_bytes::<64>).take(12).flatten().collect();
            IssuedCertificate {
                id: CertificateId::random(),
                account: None,
                issuer: issuer.clone(),
                serial: SerialNumber::random(),
                sha256: sha256(&der),
                der,
                spki_sha256: random_bytes(),
                names: BTreeSet::new(),
                profile: "classic".to_owned(),
                shard: 0,
                not_before: now,
                not_after: now + Duration::from_secs(90 * 24 * 3600),
                issued: now,
            }
        })
        .take(AT_ONCE)
        .collect();
        let (actor, action) = (Actor::Authority, Action::CertificatesLoaded);
        let audit = AuditEvent { at: now, actor, action, object: issuer.clone(), request: None };
        ca.store().load_certificates(&batch, audit).await.unwrap();
    }
}

/// The resident memory of this process, authority and client, in octets; none where the machine does not say.
pub(super) fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}
