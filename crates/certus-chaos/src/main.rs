//! Certus as it is, but for a store that can kill this process before or after a commit, and a signer that writes down
//! what it signs before it signs. Deliberately absent: anything else that differs from the program.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use certus::Hooks;
use certus_pki::Signer;
use certus_testkit::{Fault, FaultyStore, RecordingSigner, RefusingSigner};
use clap::Parser;

/// Runs certus with faults.
#[derive(Debug, Parser)]
struct Arguments {
    /// `METHOD:before|after:error|kill`, and perhaps `:NTH`
    #[arg(long = "fault")]
    faults: Vec<Fault>,
    /// The file for what is signed
    #[arg(long)]
    record: Option<PathBuf>,
    /// Refuse to sign what contains this text
    #[arg(long)]
    refuse: Option<String>,
    /// What certus is to do
    #[arg(last = true)]
    certus: Vec<OsString>,
}

/// Puts a signer that refuses before one that signs, when a text was given.
fn refusing(signer: Arc<dyn Signer>) -> Arc<dyn Signer> {
    match ARGUMENTS.get().and_then(|arguments| arguments.refuse.clone()) {
        Some(text) => Arc::new(RefusingSigner::new(signer, text)),
        None => signer,
    }
}

static ARGUMENTS: OnceLock<Arguments> = OnceLock::new();

fn main() -> ExitCode {
    let arguments = ARGUMENTS.get_or_init(Arguments::parse);
    let hooks = Hooks {
        store: |store| match ARGUMENTS.get() {
            Some(arguments) => Arc::new(FaultyStore::new(store, arguments.faults.clone())),
            None => store,
        },
        signer: |signer| match ARGUMENTS.get().and_then(|arguments| arguments.record.as_deref()) {
            Some(record) => match RecordingSigner::new(Arc::clone(&signer), record) {
                Ok(recording) => refusing(Arc::new(recording)),
                // Without its record nothing may be signed: what is proved here rests on it.
                Err(_) => std::process::abort(),
            },
            None => refusing(signer),
        },
    };
    let name = OsString::from("certus");
    certus::run(std::iter::once(name).chain(arguments.certus.iter().cloned()), hooks)
}
