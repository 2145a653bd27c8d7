//! Every limit of the authority: a number, and the reason for it.
//!
//! Limits on bytes and connections stand in `certus-http`, those of a validation's traffic in `certus-validate`.

use std::time::Duration;

use crate::rate_limits::Rate;

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
/// How long a challenge that failed waits for its next try, where a profile has retries.
///
/// Long enough for a slow deployment, and for the host to notice nothing (RFC 8555 section 8.2: 5 to 10 seconds at first).
pub const CHALLENGE_RETRIES: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(10), Duration::from_secs(20)];
/// How long after the client said that it is ready the last try may begin: clients wait for minutes, not more.
pub const CHALLENGE_RETRY_PERIOD: Duration = Duration::from_secs(60);
/// How long an order stays open. The usual week lets a person mend a firewall in between.
pub const ORDER_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long an authorization stays valid once it is. It serves its own order alone, so it need not outlive it.
pub const AUTHORIZATION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long what CAA said is good for issuing: 8 hours (Baseline Requirements 3.2.2.8), less a minute in which what was
/// judged is signed.
pub const CAA_FRESH: Duration = Duration::from_secs(8 * 3600 - 60);
/// The octets of an audit entry about a refusal by CAA that are kept: the records of several names.
pub const MAX_CAA_AUDIT: usize = 4 * 1024;
/// The reuse of authorizations that were made ahead of orders: longer than they live, so that no profile's shortens it.
pub const AHEAD_OF_ORDERS: Duration = Duration::from_secs(7 * 24 * 3600 + 1);
/// How long orders and authorizations can be read after they expired.
pub const KEEP_EXPIRED: Duration = Duration::from_secs(30 * 24 * 3600);
/// Orders reaped in one transaction: short enough that no request waits noticeably behind it.
pub const REAP_BATCH: u32 = 500;
/// Names, suffixes and profiles of one key of external account binding.
pub const MAX_BINDING_NAMES: usize = 100;
/// Values of each kind in one rule that moves times to renew.
pub const MAX_SELECTED: usize = 100;
/// Rules that move times to renew at once: each is held against every certificate that is asked for.
pub const MAX_RENEWAL_RULES: usize = 100;
/// Octets of the URL that explains such a rule; clients log it.
pub const MAX_EXPLANATION: usize = 1_024;
/// How old the rules that one node goes by may be. It is nothing beside the hours after which clients ask again.
pub const RENEWAL_RULES_KEPT: Duration = Duration::from_secs(2);
/// What Retry-After says of renewal information, at most.
///
/// A quarter of the day within which the worst of certificates are revoked (BR 4.9.1.1, RFC 9773 section 4.3.1), which leaves
/// as long again to renew.
pub const RENEWAL_INFO_AFTER: Duration = Duration::from_secs(6 * 3600);
/// The same, at least: clients treat less as a minute (RFC 9773 section 4.3.2).
pub const RENEWAL_INFO_AFTER_LEAST: Duration = Duration::from_secs(60);
/// The same of a certificate that has ended, which nobody has reason to ask for again (RFC 9773 section 4.3).
pub const RENEWAL_INFO_AFTER_END: Duration = Duration::from_secs(24 * 3600);
/// How far back a time lies that tells clients to renew at once: their clocks may be slow by as much.
pub const RENEW_AT_ONCE: Duration = Duration::from_secs(3600);
/// How long a CRL is good (Baseline Requirements 7.2: at most 10 days).
pub const CRL_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// The age at which a CRL is replaced: daily, which leaves six days to mend a signer.
pub const CRL_RENEWAL: Duration = Duration::from_secs(24 * 3600);

const HOUR: Duration = Duration::from_secs(3600);

// Rate limits where settings say nothing. Each may be spent at once and is refilled evenly.

/// A fleet behind one address, each host with an account of its own, is set up a hundred hosts an hour (Let's Encrypt: 10
/// in 3 hours); a script that makes accounts without end gets no further.
pub const NEW_ACCOUNTS_PER_ADDRESS: Rate = Rate::built_in(100, HOUR);
/// Ten such addresses (Let's Encrypt: 500 in 3 hours from a /48).
pub const NEW_ACCOUNTS_PER_NETWORK: Rate = Rate::built_in(1_000, HOUR);
/// A thousand hosts an hour behind one account (Let's Encrypt: 300 in 3 hours); a client in a loop is slowed to one order in
/// 3.6 s.
pub const NEW_ORDERS_PER_ACCOUNT: Rate = Rate::built_in(3_000, Duration::from_secs(3 * 3600));
/// All hosts of an organisation lie beneath one domain: ten thousand of them with certificates of six days, renewed every
/// three, and as many again (Let's Encrypt, for the hosts of strangers: 50).
pub const CERTIFICATES_PER_REGISTERED_DOMAIN: Rate = Rate::built_in(50_000, Duration::from_secs(7 * 24 * 3600));
/// A cluster of twenty hosts, each of which obtains the same certificate twice a week (Let's Encrypt: 5); a client that
/// forgets what it obtained at every start is noticed within the hour.
pub const CERTIFICATES_PER_EXACT_SET: Rate = Rate::built_in(50, Duration::from_secs(7 * 24 * 3600));
/// A person who mends a firewall tries every other minute (Let's Encrypt: 5).
pub const FAILED_VALIDATIONS_PER_ACCOUNT_AND_NAME: Rate = Rate::built_in(30, HOUR);
/// Twelve days of a try every quarter of an hour without a single success: nobody looks after that client any more.
///
/// From then on it may try once a day, so that one that was mended comes back by itself; once a day is never too often.
pub const CONSECUTIVE_FAILURES_PER_ACCOUNT_AND_NAME: Rate =
    Rate::built_in(1_152, Duration::from_secs(1_152 * 24 * 3600));
/// Buckets that are empty again, removed in one transaction.
pub const SWEEP_BATCH: u32 = 500;
/// The share of a limit from which on `certus ca limits` shows a bucket: four fifths, soon enough to ask for more.
pub const NEAR: (u32, u32) = (4, 5);
