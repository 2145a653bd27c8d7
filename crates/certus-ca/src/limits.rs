//! Every limit of the authority: a number, and the reason for it.
//!
//! Limits on bytes and connections stand in `certus-http`, those of a validation's traffic in `certus-validate`.

use std::time::Duration;

/// 100 names an order: what large public authorities allow, so clients already split there.
pub const MAX_IDENTIFIERS: usize = 100;
/// Open orders an account may have: a fleet of hundreds of hosts on one account fits, a client in a loop does not.
pub const MAX_OPEN_ORDERS: u64 = 1_000;
/// Orders on a page of an account's list: 8 KiB of URLs, and an account that has as many open as it may is read in ten
/// requests.
pub const ORDERS_A_PAGE: u32 = 100;
/// Pending authorizations an account may have: as many full orders as would fill an hour of one client's work.
pub const MAX_PENDING_AUTHORIZATIONS: u64 = 5_000;
/// Contacts an account may have; more than a handful of addresses is a mailing list's job.
pub const MAX_CONTACTS: usize = 10;
/// Length of a contact URL: 320 characters of the longest address, and room for the scheme.
pub const MAX_CONTACT_LENGTH: usize = 400;
/// Validations that run at once in one process: each holds two sockets and a few KiB, and the machine has better use
/// for thousands of threads of DNS.
pub const MAX_PARALLEL_VALIDATIONS: usize = 128;
/// Validations that may wait for their turn. At the rate of a process that is seconds, not minutes; whoever comes later
/// is told when to come again.
pub const MAX_QUEUED_VALIDATIONS: usize = 2_048;
/// Validations of one name that may run at once, and that may run or wait of one account: two clients of one name do no
/// harm, a hundred are an attack on the host behind it.
pub const MAX_VALIDATIONS_PER_TARGET: usize = 4;
/// Validations of one account that may run or wait at once: an eighth of the queue, and still two orders of 100 names.
pub const MAX_QUEUED_PER_ACCOUNT: usize = 256;
/// Validations of one account that run at once: a quarter of all, so that one whose hosts answer slowly leaves the
/// others their turns.
pub const MAX_PARALLEL_PER_ACCOUNT: usize = 32;
/// Certificates being issued at once in one process.
pub const MAX_PARALLEL_ISSUANCES: usize = 64;
/// How long an answer is held back for its outcome: most validations and issuances are done by then, and no proxy's
/// time-out is near.
pub const HOLD: Duration = Duration::from_secs(2);
/// Answers held at once; whoever comes later is answered at once and polls.
pub const MAX_HELD: usize = 512;
/// What Retry-After says when something is still under way: twice the usual time of a validation that was not done
/// within [`HOLD`].
pub const POLL_AFTER: Duration = Duration::from_secs(3);
/// What Retry-After says when a queue is full.
pub const BUSY_AFTER: Duration = Duration::from_secs(10);
/// How often a write is tried when others write the same thing.
pub const MAX_CONFLICTS: usize = 8;
/// Serials spent on one order before it fails: a signer that was restarted once or twice is forgiven.
pub const MAX_SIGNING_TRIES: usize = 3;
/// How far the clock may stand behind the newest time in the store: nodes' clocks differ by seconds, not by minutes.
pub const MAX_CLOCK_BEHIND: Duration = Duration::from_secs(60);
/// How long a job waits after a failure of our own; doubled with each, up to [`MAX_RETRY_WAIT`].
pub const RETRY_WAIT: Duration = Duration::from_secs(2);
/// The longest such wait.
pub const MAX_RETRY_WAIT: Duration = Duration::from_secs(60);
/// How long an order stays open. The usual week lets a person mend a firewall in between.
pub const ORDER_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long an authorization stays valid once it is. It serves its own order alone, so it need not outlive it.
pub const AUTHORIZATION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long what CAA said is good for issuing: 8 hours (Baseline Requirements 3.2.2.8), less a minute in which what was
/// judged is signed.
pub const CAA_FRESH: Duration = Duration::from_secs(8 * 3600 - 60);
/// The octets of an audit entry about a refusal by CAA that are kept: the records of several names.
pub const MAX_CAA_AUDIT: usize = 4 * 1024;
/// How long orders and authorizations can be read after they expired.
pub const KEEP_EXPIRED: Duration = Duration::from_secs(30 * 24 * 3600);
/// Orders reaped in one transaction: short enough that no request waits noticeably behind it.
pub const REAP_BATCH: u32 = 500;
/// Names, suffixes and profiles of one key of external account binding.
pub const MAX_BINDING_NAMES: usize = 100;
/// How long a CRL is good (Baseline Requirements 7.2: at most 10 days).
pub const CRL_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// The age at which a CRL is replaced: daily, which leaves six days to mend a signer.
pub const CRL_RENEWAL: Duration = Duration::from_secs(24 * 3600);
