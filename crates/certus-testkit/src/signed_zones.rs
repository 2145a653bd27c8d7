//! A small signed DNS of a test's own: a root and zones beneath it, served by a BIND and signed by BIND's own programs.
//!
//! Zones can also be unsigned, or signed so that the signatures do not hold. What no zone file can express, such as answers
//! changed on the way, is done by [`crate::tampering`].

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::bind::{BindServer, zone_file};

/// Where Debian puts the programs.
const KEYGEN: &str = "/usr/bin/dnssec-keygen";
const SIGNZONE: &str = "/usr/bin/dnssec-signzone";

/// How a zone is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// As it should be, with NSEC records.
    Nsec,
    /// As it should be, with NSEC3 records.
    Nsec3,
    /// By signatures whose time was over in 2020.
    Expired,
    /// Well, but the first text was put in place of the second afterwards.
    Changed(&'static str, &'static str),
    /// Not at all, although the root says that it is.
    Stripped,
    /// Not at all, and the root proves it.
    None,
}

/// A zone.
#[derive(Debug, Clone, Copy)]
pub struct Zone<'a> {
    /// Its name, without the last dot.
    pub name: &'a str,
    /// Lines of its file, names relative to it.
    pub records: &'a [&'a str],
    /// How it is signed.
    pub signing: Signing,
}

/// The running server. It ends when this is dropped.
#[derive(Debug)]
pub struct SignedZones {
    /// The server, which answers for all zones and for the root.
    pub server: BindServer,
    /// The root's key, as a file of trust anchors has it.
    pub anchors: String,
    /// The keys of the signed zones, in their order.
    pub zone_keys: Vec<String>,
}

impl SignedZones {
    /// Signs the zones and a root that has nothing but them, and serves all.
    ///
    /// # Errors
    ///
    /// What the system, BIND or its programs say.
    pub async fn start(zones: &[Zone<'_>]) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("certus-zones-").tempdir()?;
        let mut root = zone_file(&[]);
        let mut clauses = String::new();
        let mut zone_keys = Vec::new();
        for zone in zones {
            let (delegation, key) = write(&directory, zone)?;
            root.push_str(&delegation);
            zone_keys.extend(key);
            clauses.push_str(&clause(zone.name, &format!("{}.zone", zone.name)));
        }
        fs::write(directory.path().join("root"), root)?;
        let key = keygen(directory.path(), ".")?;
        sign(directory.path(), ".", "root", "root.zone", &key, &[])?;
        clauses.push_str(&clause(".", "root.zone"));
        let file = directory.path().join(format!("{key}.key"));
        let anchors = fs::read_to_string(&file)?;
        let server = BindServer::serve(directory, &clauses, ".", file).await?;
        Ok(Self { server, anchors, zone_keys })
    }
}

fn clause(zone: &str, file: &str) -> String {
    format!("zone \"{zone}\" {{ type primary; file \"{file}\"; }};\n")
}

/// Writes a zone's file. Returns what the root has about it, and its key.
fn write(directory: &TempDir, zone: &Zone<'_>) -> io::Result<(String, Option<String>)> {
    let Zone { name, records, signing } = zone;
    let directory = directory.path();
    let mut delegation = delegation(name);
    let (plain, served) = (format!("{name}.plain"), format!("{name}.zone"));
    fs::write(directory.join(&plain), zone_file(records))?;
    let options: &[&str] = match signing {
        Signing::None => {
            fs::copy(directory.join(&plain), directory.join(&served))?;
            return Ok((delegation, None));
        }
        Signing::Nsec | Signing::Changed(..) | Signing::Stripped => &[],
        Signing::Nsec3 => &["-3", "-"],
        Signing::Expired => &["-s", "20200101000000", "-e", "20200201000000"],
    };
    let key = keygen(directory, name)?;
    sign(directory, name, &plain, &served, &key, options)?;
    delegation.push_str(&fs::read_to_string(directory.join(format!("dsset-{name}.")))?);
    match signing {
        Signing::Nsec | Signing::Nsec3 | Signing::Expired | Signing::None => {}
        Signing::Stripped => {
            fs::copy(directory.join(&plain), directory.join(&served))?;
        }
        Signing::Changed(by, what) => {
            let text = fs::read_to_string(directory.join(&served))?;
            if !text.contains(what) {
                return Err(io::Error::other(format!("{what} does not stand in the zone {name}")));
            }
            fs::write(directory.join(&served), text.replace(what, by))?;
        }
    }
    Ok((delegation, Some(fs::read_to_string(directory.join(format!("{key}.key")))?)))
}

/// What a root has about a zone, but for its key.
pub(crate) fn delegation(zone: &str) -> String {
    format!("{zone}. IN NS ns.{zone}.\nns.{zone}. IN A 127.0.0.1\n")
}

/// Makes a key that signs a zone and its own key set. Returns its name.
pub(crate) fn keygen(directory: &Path, zone: &str) -> io::Result<String> {
    let output = Command::new(KEYGEN)
        .args(["-q", "-a", "ECDSAP256SHA256", "-f", "KSK", zone])
        .current_dir(directory)
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("{KEYGEN}: {error}; install bind9-utils")))?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Signs a zone's file by a key of [`keygen`].
pub(crate) fn sign(
    directory: &Path,
    zone: &str,
    plain: &str,
    signed: &str,
    key: &str,
    options: &[&str],
) -> io::Result<()> {
    let text = fs::read_to_string(directory.join(plain))?;
    let with_key = format!("{plain}.with-key");
    fs::write(directory.join(&with_key), text + &fs::read_to_string(directory.join(format!("{key}.key")))?)?;
    let output = Command::new(SIGNZONE)
        .args(["-q", "-P", "-z", "-O", "full", "-o", zone, "-f", signed])
        .args(options)
        .args([&with_key, key])
        .current_dir(directory)
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    // Its complaints go to both.
    let told = [output.stdout, output.stderr].concat();
    Err(io::Error::other(format!("{SIGNZONE} of {zone}: {}", String::from_utf8_lossy(&told))))
}
