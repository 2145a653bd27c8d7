//! `certus obtain`: one certificate for this host.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context;
use certus_acme::MacAlgorithm;
use certus_agent::client::{Binding, Http, Roots};
use certus_agent::solver::SolverError;
use certus_agent::solver::http_01::Http01;
use certus_agent::store::CertificateName;
use certus_agent::{Link, ObtainError, Obtained, Progress, Store, Wish, obtain};
use certus_pki::{MacKey, SubjectName, SystemClock};
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use zeroize::Zeroizing;

use super::absolute;
use crate::cli::obtain::ObtainArgs;
use crate::config::{Log, LogFormat};
use crate::exit::{Exit, usage};
use crate::output;
use crate::telemetry;

/// The authorities that have a short name, and their directories.
const KNOWN: &[(&str, &str)] = &[
    ("letsencrypt", "https://acme-v02.api.letsencrypt.org/directory"),
    ("letsencrypt-staging", "https://acme-staging-v02.api.letsencrypt.org/directory"),
    ("zerossl", "https://acme.zerossl.com/v2/DV90"),
    ("google", "https://dv.acme-v02.api.pki.goog/directory"),
];

/// What is told of a certificate that was obtained.
#[derive(Serialize)]
struct Told {
    name: String,
    folder: String,
    names: Vec<String>,
    serial: String,
    not_before: String,
    not_after: String,
}

pub(super) async fn run(args: &ObtainArgs) -> anyhow::Result<Exit> {
    telemetry::start(&Log { level: "warn,certus_agent=info".to_owned(), format: LogFormat::Text })?;
    let wish = wish(args)?;
    let roots = match &args.ca_root {
        Some(file) => {
            let pem = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
            Roots::Pem(pem)
        }
        None => Roots::System,
    };
    let http = Http::new(&roots).with_context(|| match &args.ca_root {
        Some(file) => format!("{} does not hold the root of an authority", file.display()),
        None => "this machine believes no authority".to_owned(),
    })?;
    let store = Store::open(&absolute(&args.dir)?).await?;
    if args.cert_name.is_none() {
        covers(&store, &wish)?;
    }
    let solver = match args.listen.as_slice() {
        [] => everywhere().await?,
        addresses => Http01::listen(addresses).await?,
    };
    let mut watch = |progress: Progress<'_>| {
        if !args.json {
            tell(progress);
        }
    };
    let obtained = obtain(&store, http, Arc::new(SystemClock), &[&solver], &wish, &mut watch).await;
    solver.close().await;
    let obtained = obtained.map_err(|error| match error {
        ObtainError::Terms { .. } => usage(format!("{error}: read them, and say --agree-tos")),
        ObtainError::Binding { .. } => {
            usage(format!("{error}: ask its operator for a key, and say --eab-kid and --eab-key-file"))
        }
        ObtainError::TooLong { .. }
        | ObtainError::Client(_)
        | ObtainError::Flow(_)
        | ObtainError::Solver(_)
        | ObtainError::Chain(_)
        | ObtainError::Store(_)
        | ObtainError::Key(_)
        | ObtainError::Request(_) => error.into(),
    })?;
    let told = told(&wish, &obtained);
    if args.json {
        output::json("obtain", &told)?;
    } else {
        output::text(&format!("{} until {}, in {}\n", told.names.join(" "), told.not_after, told.folder))?;
    }
    Ok(Exit::Done)
}

fn wish(args: &ObtainArgs) -> anyhow::Result<Wish> {
    let directory = KNOWN.iter().find(|(name, _)| *name == args.ca).map_or(args.ca.as_str(), |(_, url)| *url);
    let directory = Link::parse(directory).map_err(|error| {
        let known: Vec<&str> = KNOWN.iter().map(|(name, _)| *name).collect();
        usage(format!("--ca {}: {error}, nor one of {}", args.ca, known.join(", ")))
    })?;
    let mut names = BTreeSet::new();
    let mut first = None;
    for text in &args.names {
        let name = match text.parse::<IpAddr>() {
            Ok(address) => SubjectName::Ip(address),
            Err(_) => SubjectName::parse_dns(text).map_err(|error| usage(format!("-d {text}: {error}")))?,
        };
        first.get_or_insert_with(|| name.clone());
        names.insert(name);
    }
    let called = match (&args.cert_name, first) {
        (Some(name), _) => CertificateName::parse(name).map_err(|error| usage(format!("--cert-name: {error}")))?,
        (None, Some(first)) => CertificateName::of(&first),
        (None, None) => return Err(usage("say which names the certificate is for, with -d")),
    };
    Ok(Wish {
        directory,
        contact: args.email.iter().map(|address| format!("mailto:{address}")).collect(),
        agree_terms: args.agree_tos,
        names,
        called,
        key: args.key.algorithm(),
        profile: args.profile.clone(),
        binding: binding(args)?,
    })
}

fn binding(args: &ObtainArgs) -> anyhow::Result<Option<Binding>> {
    let (Some(kid), Some(file)) = (&args.eab_kid, &args.eab_key_file) else { return Ok(None) };
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let text = Zeroizing::new(text);
    // Authorities hand it out with padding, too.
    let key = BASE64URL_NOPAD.decode(text.trim().trim_end_matches('=').as_bytes());
    let key = key.map_err(|_error| usage(format!("{} holds no MAC key in base64url", file.display())))?;
    let key = MacKey::from_bytes(&Zeroizing::new(key));
    let algorithm = MacAlgorithm::from_name(&args.eab_alg).ok_or_else(|| usage("--eab-alg: HS256, HS384 or HS512"))?;
    Ok(Some(Binding { kid: kid.clone(), key, algorithm }))
}

/// Sees that what is in use under the name is not replaced by something that would do less, unless the name was said.
fn covers(store: &Store, wish: &Wish) -> anyhow::Result<()> {
    let used = store.live(&wish.called)?;
    let Some(leaf) = used.as_ref().and_then(|chain| chain.certificates().first()) else { return Ok(()) };
    match leaf.subject_names().iter().find(|name| !wish.names.contains(name)) {
        None => Ok(()),
        Some(missing) => Err(usage(format!(
            "the certificate {0} of this host is for {missing}, too, which the new one would not be: name it as well, or \
             say --cert-name, {0} to replace it or another to have both",
            wish.called
        ))),
    }
}

/// Port 80 of every address: a listener for IPv6 takes IPv4, too, unless the system says otherwise; and some have no IPv6.
async fn everywhere() -> anyhow::Result<Http01> {
    const PORT: u16 = 80;
    let (v6, v4) = (SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)), SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)));
    let error = match Http01::listen(&[v6, v4]).await {
        Ok(solver) => return Ok(solver),
        Err(error) => error,
    };
    let SolverError::Listen { address, source } = &error;
    let kind = source.kind();
    if *address == v4 && kind == ErrorKind::AddrInUse {
        return Ok(Http01::listen(&[v6]).await?);
    }
    if *address == v6 && matches!(kind, ErrorKind::AddrNotAvailable | ErrorKind::Unsupported) {
        return Ok(Http01::listen(&[v4]).await?);
    }
    Err(error.into())
}

/// Says how far it is, on standard error.
fn tell(progress: Progress<'_>) {
    let sentence = match progress {
        Progress::Account(url) => format!("account {url}"),
        Progress::Ordered => "the order is made".to_owned(),
        Progress::Presented(presentation) => {
            format!("{}: {} is ready to be looked at", presentation.identifier, presentation.method.name())
        }
        Progress::Proved => "every name is proved".to_owned(),
        Progress::Issued(certificate) => format!("issued: serial {}", certificate.serial()),
        _ => return,
    };
    output::progress(&sentence);
}

fn told(wish: &Wish, obtained: &Obtained) -> Told {
    let leaf = obtained.chain.certificates().first();
    Told {
        name: wish.called.to_string(),
        folder: obtained.live.folder.display().to_string(),
        names: wish.names.iter().map(ToString::to_string).collect(),
        serial: leaf.map(|leaf| leaf.serial().to_string()).unwrap_or_default(),
        not_before: leaf.map(|leaf| leaf.not_before().rfc3339()).unwrap_or_default(),
        not_after: leaf.map(|leaf| leaf.not_after().rfc3339()).unwrap_or_default(),
    }
}
