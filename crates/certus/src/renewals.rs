//! Rules that move times to renew, as the control socket speaks of them. The same types are written and read.

use std::time::Duration;

use anyhow::{Context, bail};
use certus_ca::Ca;
use certus_ca::ca::Advance;
use certus_ca::id::RenewalRuleId;
use certus_ca::ports::Page;
use certus_ca::state::{RenewalRule, SelectedName, Selection};
use certus_pki::Timestamp;
use data_encoding::HEXLOWER_PERMISSIVE;
use serde::{Deserialize, Serialize};

use crate::control::MAX_PAGE;
use crate::control::words::{account_id, told};
use crate::plan::hex;

/// How to find what is not there.
const LIST: &str = "list them with: certus ca renewals list";

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "renewals", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// Move times to renew.
    Advance(Wish),
    /// Which rules there are.
    List {
        /// Only those after this one.
        after: Option<i64>,
        /// How many at most.
        limit: u32,
    },
    /// End a rule.
    End {
        /// Its id.
        id: String,
    },
}

/// Whose times, and when to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// Every certificate; then nothing else may be selected by.
    pub(crate) all: bool,
    pub(crate) selected: Selected,
    /// `null` for at once.
    pub(crate) within_seconds: Option<u64>,
    pub(crate) holds_seconds: u64,
    pub(crate) explanation_url: Option<String>,
}

/// Which certificates. What is empty does not narrow.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Selected {
    pub(crate) issuers: Vec<String>,
    pub(crate) profiles: Vec<String>,
    /// A name stands for itself and all beneath it, behind `=` for itself alone.
    pub(crate) names: Vec<String>,
    pub(crate) accounts: Vec<String>,
    /// SHA-256 of subjectPublicKeyInfo, hexadecimal.
    pub(crate) keys: Vec<String>,
}

/// A page of rules.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rules {
    pub(crate) rules: Vec<Rule>,
    /// What to pass as `--after` for the next page; `null` at the end.
    pub(crate) next: Option<i64>,
}

/// A rule. Times are RFC 3339 in UTC.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) id: String,
    /// Whether it holds.
    pub(crate) active: bool,
    #[serde(flatten)]
    pub(crate) selected: Selected,
    /// Over which time the renewals are spread.
    pub(crate) window_start: String,
    pub(crate) window_end: String,
    pub(crate) explanation_url: Option<String>,
    /// Whoever made it, as the audit has it.
    pub(crate) author: String,
    /// Certificates that were issued until then are meant.
    pub(crate) made: String,
    /// Until when it holds unless it is ended before.
    pub(crate) ends: String,
    pub(crate) ended: Option<String>,
}

impl Rule {
    fn of(rule: RenewalRule, now: Timestamp) -> Self {
        let active = rule.is_active(now);
        let Selection { issuers, profiles, keys, names, accounts } = rule.selection;
        let selected = Selected {
            issuers,
            profiles,
            names: names.iter().map(ToString::to_string).collect(),
            accounts: accounts.iter().map(ToString::to_string).collect(),
            keys: keys.iter().map(|key| hex(key)).collect(),
        };
        Self {
            id: rule.id.to_string(),
            active,
            selected,
            window_start: rule.window.start().rfc3339(),
            window_end: rule.window.end().rfc3339(),
            explanation_url: rule.explanation_url,
            author: certus_ca::audit::Actor::Operator { uid: rule.author }.to_string(),
            made: rule.made.rfc3339(),
            ends: rule.ends.rfc3339(),
            ended: rule.ended.map(Timestamp::rfc3339),
        }
    }
}

/// Answers, for the person of that user id.
pub(crate) async fn answer(ca: &Ca, uid: u32, ask: Ask) -> anyhow::Result<serde_json::Value> {
    Ok(match ask {
        Ask::Advance(wish) => {
            let rule = ca.advance_renewals(uid, advance(wish)?).await.map_err(|error| told(error, LIST))?;
            serde_json::to_value(Rule::of(rule, ca.now()))?
        }
        Ask::List { after, limit } => {
            let Page { entries, next } =
                ca.renewal_rules(after, limit.clamp(1, MAX_PAGE)).await.map_err(|error| told(error, LIST))?;
            let rules = entries.into_iter().map(|rule| Rule::of(rule, ca.now())).collect();
            serde_json::to_value(Rules { rules, next })?
        }
        Ask::End { id } => {
            let id = RenewalRuleId::parse(&id).with_context(|| format!("{id:?} is no rule's id"))?;
            let rule = ca.end_renewal_rule(uid, id).await.map_err(|error| told(error, LIST))?;
            serde_json::to_value(Rule::of(rule, ca.now()))?
        }
    })
}

fn advance(wish: Wish) -> anyhow::Result<Advance> {
    let Wish { all, selected, within_seconds, holds_seconds, explanation_url } = wish;
    // Whoever meant some and named none would renew all.
    if all != (selected == Selected::default()) {
        bail!("certificates are selected, or all of them are meant: not both, and not neither");
    }
    let Selected { issuers, profiles, names, accounts, keys } = selected;
    let name = |text: &String| text.parse::<SelectedName>().with_context(|| format!("{text:?} is no name"));
    let selection = Selection {
        issuers,
        profiles,
        keys: keys.iter().map(|text| key(text)).collect::<anyhow::Result<_>>()?,
        names: names.iter().map(name).collect::<anyhow::Result<_>>()?,
        accounts: accounts.iter().map(|text| account_id(text)).collect::<anyhow::Result<_>>()?,
    };
    let within = within_seconds.map(Duration::from_secs);
    Ok(Advance { selection, within, holds: Duration::from_secs(holds_seconds), explanation_url })
}

/// As OpenSSL prints it, too.
fn key(text: &str) -> anyhow::Result<[u8; 32]> {
    let octets = HEXLOWER_PERMISSIVE.decode(text.replace(':', "").as_bytes());
    let octets = octets.with_context(|| format!("{text:?} is not hexadecimal"))?;
    octets.try_into().ok().with_context(|| format!("{text:?} is no SHA-256, which has 64 hexadecimal digits"))
}
