//! Rate limits, as the control socket speaks of them. The same types are written and read.

use anyhow::{Context, bail};
use certus_ca::ca::{Bucket, Shown};
use certus_ca::ports::Page;
use certus_ca::rate_limits::Rate;
use certus_ca::{Ca, LimitName};
use certus_pki::Timestamp;
use serde::{Deserialize, Serialize};

use crate::control::MAX_PAGE;
use crate::control::words::{WHERE_ACCOUNTS_ARE, account_id, told};

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "limits", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// Which limits there are, and who is near them.
    Show {
        /// Everything that is spent, however little.
        all: bool,
        /// Only those after this one.
        after: Option<i64>,
        /// How many at most.
        limit: u32,
    },
    /// Empty a bucket.
    Clear {
        /// The limit.
        name: String,
        /// Whose bucket.
        key: String,
    },
    /// Give an account a number of its own.
    Override {
        /// The account's id.
        account: String,
        /// The limit.
        name: String,
        /// How many in its period; none for the authority's own number.
        count: Option<u32>,
    },
}

/// The limits, and a page of buckets.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Limits {
    /// Whether they are kept.
    pub(crate) enabled: bool,
    pub(crate) limits: Vec<Limit>,
    pub(crate) keys: Vec<Key>,
    /// What to pass as `--after` for the next page; `null` at the end.
    pub(crate) next: Option<i64>,
}

/// A limit.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Limit {
    pub(crate) name: String,
    pub(crate) count: u32,
    pub(crate) period_seconds: u64,
}

/// A bucket. Times are RFC 3339 in UTC.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) spent: u32,
    /// The number that holds, which may be the account's own.
    pub(crate) count: u32,
    pub(crate) period_seconds: u64,
    /// When one may be spent again; `null` when it may be now.
    pub(crate) again: Option<String>,
}

/// A bucket that is empty now.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cleared {
    pub(crate) name: String,
    pub(crate) key: String,
}

/// The number that holds for an account from now on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Overridden {
    pub(crate) account: String,
    #[serde(flatten)]
    pub(crate) limit: Limit,
}

impl Limit {
    fn of(limit: LimitName, rate: Rate) -> Self {
        Self { name: limit.name().to_owned(), count: rate.count(), period_seconds: rate.period().as_secs() }
    }
}

impl From<Bucket> for Key {
    fn from(bucket: Bucket) -> Self {
        let Bucket { limit, subject, rate, spent, again } = bucket;
        let Limit { name, count, period_seconds } = Limit::of(limit, rate);
        Self { name, key: subject, spent, count, period_seconds, again: again.map(Timestamp::rfc3339) }
    }
}

/// Answers, for the person of that user id.
pub(crate) async fn answer(ca: &Ca, uid: u32, ask: Ask) -> anyhow::Result<serde_json::Value> {
    Ok(match ask {
        Ask::Show { all, after, limit } => {
            let shown = if all { Shown::All } else { Shown::Near };
            let Page { entries, next } = ca
                .limit_buckets(shown, after, limit.clamp(1, MAX_PAGE))
                .await
                .map_err(|error| told(error, WHERE_ACCOUNTS_ARE))?;
            let limits = ca.rate_limits();
            serde_json::to_value(Limits {
                enabled: limits.enabled,
                limits: LimitName::ALL.iter().map(|limit| Limit::of(*limit, limits.rate(*limit))).collect(),
                keys: entries.into_iter().map(Key::from).collect(),
                next,
            })?
        }
        Ask::Clear { name, key } => {
            let limit = named(&name)?;
            if !ca.clear_limit(uid, limit, &key).await.map_err(|error| told(error, WHERE_ACCOUNTS_ARE))? {
                bail!("nothing is spent of {limit} for {key:?}; list what is with: certus ca limits --all");
            }
            serde_json::to_value(Cleared { name, key })?
        }
        Ask::Override { account, name, count } => {
            let limit = named(&name)?;
            let id = account_id(&account)?;
            let rate =
                ca.override_limit(uid, id, limit, count).await.map_err(|error| told(error, WHERE_ACCOUNTS_ARE))?;
            serde_json::to_value(Overridden { account, limit: Limit::of(limit, rate) })?
        }
    })
}

fn named(name: &str) -> anyhow::Result<LimitName> {
    LimitName::parse(name).with_context(|| {
        let names: Vec<&str> = LimitName::ALL.iter().map(|limit| limit.name()).collect();
        format!("there is no limit {name:?}; choose one of {}", names.join(", "))
    })
}
