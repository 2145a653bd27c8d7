//! The audit: one entry for every change, written in the transaction that makes the change.

use std::fmt;

use certus_pki::Timestamp;

use crate::id::{AccountId, RequestId};

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A client, by its account.
    Account(AccountId),
    /// Whoever has a certificate's key.
    KeyHolder,
    /// A person at the machine, by the user id the socket's peer has.
    Operator {
        /// Numeric user id.
        uid: u32,
    },
    /// The authority itself.
    Authority,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account:{id}"),
            Self::KeyHolder => f.write_str("key-holder"),
            Self::Operator { uid } => write!(f, "uid:{uid}"),
            Self::Authority => f.write_str("authority"),
        }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])+ $variant:ident => $name:literal;)+) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $($(#[$doc])+ $variant,)+ }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The action as the audit has it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

actions! {
    /// An account was made.
    AccountCreated => "account.created";
    /// An account's contacts were changed.
    AccountUpdated => "account.updated";
    /// An account's key was replaced.
    AccountKeyChanged => "account.key-changed";
    /// An operator set a limit of an account; the object is the account, the limit and its number.
    AccountLimitSet => "account.limit-set";
    /// An account was deactivated by its owner.
    AccountDeactivated => "account.deactivated";
    /// An account was revoked by an operator.
    AccountRevoked => "account.revoked";
    /// A key of external account binding was made.
    BindingKeyMade => "binding-key.made";
    /// A key of external account binding was revoked.
    BindingKeyRevoked => "binding-key.revoked";
    /// An account was made that is bound to the key.
    BindingKeyUsed => "binding-key.used";
    /// An order and its authorizations were made.
    OrderOpened => "order.opened";
    /// An authorization was made ahead of orders.
    AuthorizationOpened => "authorization.opened";
    /// A challenge is being validated.
    ValidationBegun => "validation.begun";
    /// A challenge failed and is tried again; the object is its authorization.
    ValidationRetried => "validation.retried";
    /// A challenge that waits for its next try is tried at once, since its client says so.
    ValidationHurried => "validation.hurried";
    /// An authorization became valid or invalid.
    AuthorizationSettled => "authorization.settled";
    /// An authorization was given up by its owner.
    AuthorizationDeactivated => "authorization.deactivated";
    /// An order was finalized.
    IssuanceBegun => "issuance.begun";
    /// A serial number was spent.
    IntentRecorded => "intent.recorded";
    /// A certificate was issued.
    CertificateIssued => "certificate.issued";
    /// A certificate was revoked.
    CertificateRevoked => "certificate.revoked";
    /// A key was blocked; the object is SHA-256 of its subjectPublicKeyInfo.
    KeyBlocked => "key.blocked";
    /// The time to renew was moved for a set of certificates; the object is the rule.
    RenewalsAdvanced => "renewals.advanced";
    /// A rule that moves times to renew was ended.
    RenewalRuleEnded => "renewals.ended";
    /// An operator emptied a limit's bucket; the object is the limit and whose bucket it was.
    LimitCleared => "limit.cleared";
    /// Buckets of limits that are empty again were removed.
    LimitsSwept => "limits.swept";
    /// Issuing failed for good.
    IssuanceFailed => "issuance.failed";
    /// CAA records forbade a certificate, so an authorization or an order has failed; the object is its id, the account, and
    /// what was found.
    CaaForbade => "caa.forbade";
    /// A process took up a job that nobody held.
    JobLeased => "job.leased";
    /// A job was put back, to be done later.
    JobReleased => "job.released";
    /// The jobs of processes that have fallen silent were freed; the object is the process that noticed.
    SilentFreed => "process.silent-freed";
    /// A job was given up, because its object no longer wanted it.
    JobDropped => "job.dropped";
    /// A process began to work on the store.
    ProcessRegistered => "process.registered";
    /// A process ended in good order.
    ProcessRetired => "process.retired";
    /// A certificate revocation list was published.
    CrlPublished => "crl.published";
    /// A setting of the authority was written.
    SettingWritten => "setting.written";
    /// An issuer was made known.
    IssuerRegistered => "issuer.registered";
    /// Certificates were loaded from elsewhere.
    CertificatesLoaded => "certificates.loaded";
    /// Orders and authorizations whose time is long over were removed.
    Reaped => "reaped";
}

/// One entry: who, what, on what, when, in which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// When, by the authority's clock.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// The id of what it was done to.
    pub object: String,
    /// The request it was done in; `None` for what the authority does of itself.
    pub request: Option<RequestId>,
}
