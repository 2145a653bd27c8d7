//! In which order a batch takes its locks: the rows it writes, and the order of its statements.

use certus_ca::state::{KnownCertificate, Order};

use crate::operation::Operation;

/// The rows that a batch writes to, by their public ids. Rows that it makes are not among them.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) binding_keys: Vec<Vec<u8>>,
    pub(super) accounts: Vec<Vec<u8>>,
    pub(super) orders: Vec<Vec<u8>>,
    pub(super) authorizations: Vec<Vec<u8>>,
    /// Orders for which a serial is spent: their accounts, the keys that these are bound to, and their authorizations are held
    /// too.
    pub(super) issued: Vec<Vec<u8>>,
    /// Certificates that are revoked or replaced, or are to be.
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) jobs: Vec<Vec<u8>>,
}

impl Rows {
    /// Takes in what an operation writes to.
    pub(super) fn add(&mut self, operation: &Operation) {
        match operation {
            Operation::UpdateAccount { account, .. } => self.accounts.push(account.id.as_bytes().to_vec()),
            Operation::DeactivateAuthorization { authorization, .. }
            | Operation::BeginValidation { authorization, .. } => {
                self.authorizations.push(authorization.id.as_bytes().to_vec());
            }
            Operation::SettleAuthorization { lease, authorization, .. }
            | Operation::RetryValidation { lease, authorization, .. } => {
                self.authorizations.push(authorization.id.as_bytes().to_vec());
                self.jobs.push(lease.job.as_bytes().to_vec());
            }
            Operation::BeginIssuance { order, .. } => self.orders.push(order.id.as_bytes().to_vec()),
            Operation::CompleteIssuance { lease, order, .. } | Operation::FailIssuance { lease, order, .. } => {
                self.orders.push(order.id.as_bytes().to_vec());
                self.jobs.push(lease.job.as_bytes().to_vec());
                self.certificates.extend(predecessor(order));
            }
            Operation::OpenOrder { order, .. } => self.certificates.extend(predecessor(order)),
            Operation::Revoke { certificate: KnownCertificate { certificate, .. }, .. } => {
                self.certificates.push(certificate.id.as_bytes().to_vec());
            }
            Operation::RecordIntent { lease, intent } => {
                self.issued.extend(intent.order.map(|order| order.as_bytes().to_vec()));
                self.jobs.push(lease.job.as_bytes().to_vec());
            }
            Operation::ReleaseJob { lease, .. } | Operation::DropJob { lease } => {
                self.jobs.push(lease.job.as_bytes().to_vec())
            }
            Operation::CreateAccount { account } => {
                self.binding_keys.extend(account.binding.as_ref().map(|binding| binding.key.as_bytes().to_vec()));
            }
            Operation::RevokeBindingKey { id, .. } => self.binding_keys.push(id.as_bytes().to_vec()),
            Operation::CreateBindingKey { .. }
            | Operation::OpenAuthorization { .. }
            | Operation::HurryValidation { .. }
            | Operation::RecordOwnIntent { .. }
            | Operation::CompleteOwn { .. }
            | Operation::LoadCertificates { .. }
            | Operation::BlockKey { .. }
            | Operation::CreateRenewalRule { .. }
            | Operation::EndRenewalRule { .. }
            | Operation::RegisterProcess { .. }
            | Operation::Heartbeat { .. }
            | Operation::RetireProcess { .. }
            | Operation::LeaseJobs { .. }
            | Operation::WriteSetting { .. }
            | Operation::RegisterIssuer { .. }
            | Operation::PublishCrl { .. }
            | Operation::Reap { .. }
            | Operation::ClearLimit { .. }
            | Operation::SweepLimits { .. }
            | Operation::Probe => {}
        }
    }
}

/// The certificate that an order replaces.
fn predecessor(order: &Order) -> Option<Vec<u8>> {
    order.replaces.as_ref().map(|replaces| replaces.certificate.as_bytes().to_vec())
}

/// An operation's place in its batch: by kind, and within a kind by the unique value it takes. A transaction that
/// inserts a value which another has inserted and not committed waits for it; as all do so in the same order, none
/// waits in a circle.
pub(super) fn rank(operation: &Operation) -> (u8, Vec<u8>) {
    match operation {
        Operation::WriteSetting { name, .. } => (0, name.as_bytes().to_vec()),
        Operation::RegisterIssuer { id, .. } => (1, id.as_bytes().to_vec()),
        Operation::RegisterProcess { process } => (2, process.id.as_bytes().to_vec()),
        Operation::Heartbeat { process } => (3, process.as_bytes().to_vec()),
        Operation::RetireProcess { process } => (4, process.as_bytes().to_vec()),
        Operation::LeaseJobs { process, .. } => (5, process.as_bytes().to_vec()),
        Operation::ReleaseJob { lease, .. } => (6, lease.job.as_bytes().to_vec()),
        Operation::DropJob { lease } => (7, lease.job.as_bytes().to_vec()),
        Operation::CreateAccount { account } => (8, account.key.thumbprint().as_bytes().to_vec()),
        Operation::CreateBindingKey { key } => (22, key.id.as_bytes().to_vec()),
        Operation::RevokeBindingKey { id, .. } => (23, id.as_bytes().to_vec()),
        Operation::UpdateAccount { account, .. } => (9, account.id.as_bytes().to_vec()),
        Operation::OpenOrder { order, .. } => (10, order.id.as_bytes().to_vec()),
        Operation::OpenAuthorization { authorization } => (10, authorization.id.as_bytes().to_vec()),
        Operation::DeactivateAuthorization { authorization, .. } => (11, authorization.id.as_bytes().to_vec()),
        Operation::BeginValidation { authorization, .. } => (12, authorization.id.as_bytes().to_vec()),
        Operation::SettleAuthorization { authorization, .. } | Operation::RetryValidation { authorization, .. } => {
            (13, authorization.id.as_bytes().to_vec())
        }
        Operation::HurryValidation { challenge } => (6, challenge.as_bytes().to_vec()),
        Operation::BeginIssuance { order, .. } => (14, order.id.as_bytes().to_vec()),
        Operation::RecordIntent { intent, .. } | Operation::RecordOwnIntent { intent } => {
            (15, serial(&intent.issuer, intent.shard, intent.serial.as_bytes()))
        }
        Operation::CompleteIssuance { certificate, .. } | Operation::CompleteOwn { certificate } => {
            (16, serial(&certificate.issuer, certificate.shard, certificate.serial.as_bytes()))
        }
        Operation::FailIssuance { order, .. } => (17, order.id.as_bytes().to_vec()),
        Operation::LoadCertificates { .. } => (18, Vec::new()),
        Operation::PublishCrl { crl } => (19, serial(&crl.issuer, crl.shard, &[])),
        Operation::Revoke { certificate: KnownCertificate { certificate, .. }, .. } => {
            (20, serial(&certificate.issuer, certificate.shard, certificate.serial.as_bytes()))
        }
        Operation::BlockKey { spki_sha256, .. } => (21, spki_sha256.to_vec()),
        Operation::CreateRenewalRule { rule } => (24, rule.id.as_bytes().to_vec()),
        Operation::EndRenewalRule { id, .. } => (25, id.as_bytes().to_vec()),
        Operation::Reap { .. } => (22, Vec::new()),
        Operation::Probe => (23, Vec::new()),
        Operation::ClearLimit { limit, subject } => (24, [limit.name(), " ", subject].concat().into_bytes()),
        Operation::SweepLimits { .. } => (25, Vec::new()),
    }
}

fn serial(issuer: &str, shard: u32, serial: &[u8]) -> Vec<u8> {
    [issuer.as_bytes(), &shard.to_be_bytes(), serial].concat()
}
