//! `certus up`: a laboratory in one command.
//!
//! What makes it a laboratory (loopback, `localhost` names, high ports) is set here, in memory, and nowhere else: the
//! same directory under `certus ca serve` has none of it.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use certus_pki::{Certificate, DnsName, KeyAlgorithm, SubjectName, random_bytes};
use certus_signer::sync_directory;
use certus_validate::{Dnssec, LocalNames};
use serde::Serialize;
use tokio::net::TcpListener;

use super::absolute;
use super::init::{check_store, fingerprint};
use super::serve::{Listeners, listen, serve};
use crate::cli::UpArgs;
use crate::compose::{self, Hooks, Surroundings};
use crate::config::{self, Config, ExternalUrl, PkiUrl, SecretSource};
use crate::exit::{Exit, usage};
use crate::output::{self, HEADING};
use crate::plan::{ISSUING_LIFETIME, Plan, ROOT_LIFETIME, Signing, hex};
use crate::state_dir::StateDir;
use crate::telemetry;

/// Where a laboratory listens unless told otherwise.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 14000);
/// The host of a laboratory's URLs.
const HOST: &str = "localhost";
/// The name whose certificate the pasted lines obtain.
const SITE: &str = "site.localhost";

pub(super) async fn run(args: &UpArgs, surroundings: &Surroundings, hooks: Hooks) -> anyhow::Result<Exit> {
    let directory = absolute(&args.dir)?;
    if directory.to_str().is_none() {
        bail!("{} is not UTF-8, so no line to paste could name it; choose another --dir", directory.display());
    }
    if let Some(path) = &args.ready_file {
        check_ready_file(path)?;
    }
    let (config, listeners) = match prepare(args, &directory).await? {
        Prepared::Known(config) => (*config, None),
        Prepared::New(listeners) => (make(args, &directory, &listeners, surroundings).await?, Some(listeners)),
    };
    telemetry::start(&config.log)?;
    let lock = StateDir::of(&directory).lock()?;
    if let Some(path) = &args.ready_file {
        // One that an earlier run left would tell whoever waits for it of a process that is gone.
        remove_if_there(path).with_context(|| format!("--ready-file {} cannot be replaced", path.display()))?;
    }
    let listeners = match listeners {
        Some(listeners) => listeners,
        None => Listeners::bind(config.listen, config.pki_listen).await?,
    };
    let config = as_laboratory(config, args);
    let root = compose::root(&config)?;
    let more_names =
        [SubjectName::Ip(Ipv4Addr::LOCALHOST.into()), SubjectName::Ip(Ipv6Addr::LOCALHOST.into()), localhost()?];
    let ended = serve(&config, surroundings, hooks, listeners, &more_names, lock, |ready| {
        let told = Told::new(&config, &root, ready.directory_url, args.http_01_port);
        if args.json {
            output::json("up", &told)?;
        } else {
            output::text(&told.text())?;
        }
        if let Some(path) = &args.ready_file {
            write_ready_file(path, &told)?;
        }
        Ok(())
    })
    .await;
    if let Some(path) = args.ready_file.as_ref().filter(|path| told_by(path) == Some(std::process::id().into())) {
        // Nobody answers any more; it is another's if one has begun since.
        drop(remove_if_there(path));
    }
    ended
}

/// Refuses a ready file that could not be written, before anything is made.
fn check_ready_file(path: &Path) -> anyhow::Result<()> {
    if path.parent().is_some_and(|parent| !parent.as_os_str().is_empty() && !parent.is_dir()) {
        return Err(usage(format!("--ready-file {}: there is no such directory", path.display())));
    }
    if path.exists() && told_by(path).is_none() {
        return Err(usage(format!("--ready-file {} is there and is no ready file; name another", path.display())));
    }
    Ok(())
}

/// The process that a ready file tells of, if it is one.
fn told_by(path: &Path) -> Option<u64> {
    let ready: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    ready.get("directory_url").and_then(|_| ready.get("pid")?.as_u64())
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn localhost() -> anyhow::Result<SubjectName> {
    Ok(SubjectName::Dns(DnsName::parse(HOST)?))
}

/// What is there already.
enum Prepared {
    /// A laboratory.
    Known(Box<Config>),
    /// Nothing yet. The listeners are bound first: the URLs have their ports.
    New(Listeners),
}

async fn prepare(args: &UpArgs, directory: &Path) -> anyhow::Result<Prepared> {
    if directory.join(config::FILE).exists() {
        let config = Config::load(directory)?;
        return known(args, config).map(Box::new).map(Prepared::Known);
    }
    let empty = match std::fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", directory.display())),
    };
    // A ready file or a log beside it does no harm, but a home directory is not where a laboratory belongs.
    if !empty && args.dir == Path::new(".") {
        return Err(usage(format!(
            "{} is neither empty nor a laboratory; say where one shall be made: certus up --dir lab",
            directory.display()
        )));
    }
    let (listen_at, pki_listen_at) = addresses(args)?;
    let acme = listen("--listen", listen_at).await?;
    let pki = listen("--pki-listen", pki_listen_at).await?;
    Ok(Prepared::New(Listeners { acme, pki }))
}

fn addresses(args: &UpArgs) -> anyhow::Result<(SocketAddr, SocketAddr)> {
    if let (Some(acme), Some(pki)) = (args.listen, args.pki_listen)
        && config::overlap(acme, pki)
    {
        return Err(usage(format!("--listen {acme} and --pki-listen {pki} are one; give each its own port")));
    }
    let acme = args.listen.unwrap_or(LISTEN);
    let pki = match args.pki_listen {
        Some(pki) => pki,
        // A free port is somebody else's neighbour: the other one is free as well.
        None if acme.port() == 0 => acme,
        None => {
            let next =
                acme.port().checked_add(1).ok_or_else(|| usage("there is no port after 65535; give --pki-listen"))?;
            SocketAddr::new(acme.ip(), next)
        }
    };
    Ok((acme, pki))
}

/// A laboratory that is there already, with what the flags say of its listeners.
fn known(args: &UpArgs, mut config: Config) -> anyhow::Result<Config> {
    let directory = config.directory.display();
    if *config.external_url.host() != localhost()? {
        return Err(usage(format!(
            "{directory} is the authority for {}, not a laboratory; run it with: certus ca serve --dir {directory}, or \
             choose another --dir",
            config.external_url
        )));
    }
    if let Some(listen) = args.listen.filter(|listen| listen.port() != 0) {
        let url = external_url(listen.port())?;
        if url != config.external_url {
            return Err(usage(format!(
                "--listen {listen} would make the external URL {url}, but the laboratory in {directory} is {}, and its \
                 accounts with it; leave --listen out, or choose another --dir",
                config.external_url
            )));
        }
        config.listen = listen;
    }
    if let Some(pki_listen) = args.pki_listen.filter(|listen| listen.port() != 0) {
        let url = pki_url(pki_listen.port())?;
        if url != config.pki_url {
            return Err(usage(format!(
                "--pki-listen {pki_listen} would publish at {url}, but certificates of the laboratory in {directory} name \
                 {}; leave --pki-listen out, or choose another --dir",
                config.pki_url
            )));
        }
        config.pki_listen = pki_listen;
    }
    if let Some(store) = &args.store {
        // Before it is repeated: a password may stand in it.
        check_store(store)?;
    }
    if let Some(store) = args.store.as_ref().filter(|store| **store != config.store.url) {
        return Err(usage(format!(
            "--store {store} is not the store of the laboratory in {directory}, {}; leave --store out, or choose another \
             --dir",
            config.store.url
        )));
    }
    let passfile = args.store_passfile.as_deref().map(absolute).transpose()?;
    let credential = args.store_credential.clone().map(SecretSource::Credential);
    let other_file = passfile.is_some() && passfile != config.store.passfile;
    if other_file || credential.is_some_and(|credential| credential != config.store.password) {
        return Err(usage(format!(
            "the laboratory in {directory} has its store's password from elsewhere; leave --store-passfile and \
             --store-credential out, or change [store] of its certus.toml"
        )));
    }
    Ok(config)
}

/// Makes a laboratory for the listeners that are bound.
async fn make(
    args: &UpArgs,
    directory: &Path,
    listeners: &Listeners,
    surroundings: &Surroundings,
) -> anyhow::Result<Config> {
    let (acme, pki) = (local(&listeners.acme)?, local(&listeners.pki)?);
    let store = args.store.clone().unwrap_or_else(|| config::defaults::STORE.to_owned());
    check_store(&store)?;
    let passfile = args.store_passfile.as_deref().map(absolute).transpose()?;
    let password = args.store_credential.clone().map_or(SecretSource::None, SecretSource::Credential);
    let store = config::Store { url: store, password, passfile };
    // A store that cannot be reached would be what the laboratory is bound to from now on.
    let url = compose::store_url(directory, &store, surroundings)?;
    certus_store::schema(&url).await.context("nothing was made: the store cannot be opened")?;
    let plan = Plan {
        directory: directory.to_owned(),
        external_url: external_url(acme.port())?,
        pki_url: pki_url(pki.port())?,
        listen: acme,
        pki_listen: pki,
        signing: Signing::New {
            algorithm: KeyAlgorithm::EcP256,
            // Trust stores list roots by name: two laboratories are told apart by it.
            name: format!("Certus Lab {}", hex(&random_bytes::<3>())),
            organization: None,
            country: None,
            permitted: Vec::new(),
            root_lifetime: ROOT_LIFETIME,
            issuing_lifetime: ISSUING_LIFETIME,
        },
        passphrase: (SecretSource::None, None),
        store,
    };
    plan.carry_out(compose::clock().as_ref()).await?;
    Ok(Config::load(directory)?)
}

fn local(listener: &TcpListener) -> anyhow::Result<SocketAddr> {
    listener.local_addr().context("a listener has no address")
}

fn external_url(port: u16) -> anyhow::Result<ExternalUrl> {
    Ok(ExternalUrl::parse(&format!("https://{HOST}:{port}"))?)
}

fn pki_url(port: u16) -> anyhow::Result<PkiUrl> {
    Ok(PkiUrl::parse(&format!("http://{HOST}:{port}"))?)
}

/// What holds in a laboratory alone.
fn as_laboratory(mut config: Config, args: &UpArgs) -> Config {
    config.limits.enabled &= args.limits;
    // Beside the names that its file permits, if that permits names alone.
    config.names.addresses_listed |= !args.permit_addresses.is_empty();
    let validation = &mut config.validation;
    validation.http_port = args.http_01_port;
    // https redirects go where tls-alpn-01 does: a laboratory has no port 443.
    validation.https_port = args.tls_alpn_01_port;
    validation.tls_alpn_port = args.tls_alpn_01_port;
    let addresses = || args.permit_addresses.iter().map(|network| network.0);
    validation.permit.extend(addresses());
    validation.permit_identifiers.extend(addresses());
    validation.local_names = LocalNames::Localhost;
    // A laboratory works without a network, with resolvers that sign nothing, unless its file says otherwise.
    if !config.dnssec_said {
        validation.dnssec = Dnssec::Off;
    }
    if let Some(resolver) = args.resolver {
        validation.resolvers = vec![resolver];
    }
    config
}

/// What a person needs next.
#[derive(Debug, Serialize)]
struct Told {
    directory_url: String,
    pki_url: String,
    root_path: PathBuf,
    root_sha256: String,
    pid: u32,
    commands: Commands,
}

/// Lines to paste.
#[derive(Debug, Serialize)]
struct Commands {
    certus: String,
    certbot: String,
    lego: String,
    curl: String,
    curl_root: String,
}

impl Told {
    fn new(config: &Config, root: &Certificate, directory_url: &str, http_01_port: u16) -> Self {
        let clients = config.directory.join("clients");
        let path = |path: &Path| quote(&path.to_string_lossy());
        let root_path = path(&config.root);
        let certbot = clients.join("certbot");
        // Nobody has put a program just built on the PATH.
        let program = std::env::current_exe().unwrap_or_else(|_error| PathBuf::from("certus"));
        let commands = Commands {
            certus: format!(
                "{} obtain -d {SITE} --ca {directory_url} --ca-root {root_path} --listen 127.0.0.1:{http_01_port} --dir {}",
                path(&program),
                path(&clients.join("certus")),
            ),
            certbot: format!(
                "REQUESTS_CA_BUNDLE={root_path} certbot certonly --standalone --http-01-port {http_01_port} --server \
                 {directory_url} --config-dir {} --work-dir {} --logs-dir {} -d {SITE} --agree-tos \
                 --register-unsafely-without-email -n",
                path(&certbot.join("config")),
                path(&certbot.join("work")),
                path(&certbot.join("logs")),
            ),
            lego: format!(
                "LEGO_CA_CERTIFICATES={root_path} lego --server {directory_url} --path {} --email you@{SITE} \
                 --accept-tos --http --http.port :{http_01_port} --domains {SITE} run",
                path(&clients.join("lego")),
            ),
            curl: format!("curl --fail --silent --show-error --cacert {root_path} {directory_url}"),
            curl_root: format!("curl --fail --silent --show-error {}/root.pem", config.pki_url),
        };
        Self {
            directory_url: directory_url.to_owned(),
            pki_url: config.pki_url.as_str().to_owned(),
            root_path: config.root.clone(),
            root_sha256: fingerprint(root),
            pid: std::process::id(),
            commands,
        }
    }

    fn text(&self) -> String {
        let Self { directory_url, pki_url, root_path, root_sha256, pid: _, commands } = self;
        let Commands { certus, certbot, lego, curl, curl_root } = commands;
        let root_path = root_path.display();
        format!(
            "{HEADING}Certus answers.{HEADING:#} This is a laboratory on one machine; Ctrl-C ends it; run again, it carries on.\n\n\
             Directory  {directory_url}\n\
             Root       {root_path}\n\
             SHA-256    {root_sha256}\n\
             Published  {pki_url}\n\n\
             {HEADING}Obtain a certificate for {SITE}{HEADING:#}, in another terminal:\n\n  {certus}\n\n\
             with Certbot:\n\n  {certbot}\n\n\
             with lego:\n\n  {lego}\n\n\
             {HEADING}Look around{HEADING:#} with curl; the root is published as well:\n\n  {curl}\n  {curl_root}\n"
        )
    }
}

/// A word as a POSIX shell reads it back.
fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%,=".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Writes the ready file: whole, by renaming, so that whoever waits for it never reads half of it.
fn write_ready_file(path: &Path, told: &Told) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Ready<'a> {
        directory_url: &'a str,
        root_path: &'a Path,
        pid: u32,
    }
    let ready = Ready { directory_url: &told.directory_url, root_path: &told.root_path, pid: told.pid };
    let text = serde_json::to_string(&ready)?;
    let write = || -> std::io::Result<()> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".partial-{}", std::process::id()));
        let partial = path.with_file_name(name);
        let mut file = std::fs::File::create(&partial)?;
        writeln!(file, "{text}")?;
        file.sync_all()?;
        std::fs::rename(&partial, path)?;
        path.parent().map_or(Ok(()), sync_directory)
    };
    write().with_context(|| format!("--ready-file {} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_a_shell_reads_them() {
        for word in ["/srv/lab", "/srv/my lab", "it's", "", "$HOME", "a;b", "ü"] {
            let script = format!("printf %s {}", quote(word));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
        assert_eq!(quote("/srv/lab"), "/srv/lab");
    }
}
