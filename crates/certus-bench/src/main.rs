//! Measures an authority from outside.
//!
//! Starts `certus up` as a process of its own, drives whole http-01 flows against it from this one, and reads what the
//! authority's process cost: flows per second and per CPU-second, the time of each step, memory. Deliberately absent:
//! limits that fail; figures go to `docs/proofs.md`, where people compare them.
#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

mod authority;
mod client;
mod flow;
mod report;
mod target;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;

use authority::Authority;
use flow::Steps;
use target::Target;

/// Drives whole http-01 flows against a fresh laboratory and prints what they cost.
#[derive(Debug, Parser)]
struct Arguments {
    /// The certus binary to measure (a release build).
    #[arg(long, default_value = "target/release/certus")]
    certus: PathBuf,
    /// Where the authority keeps its records: `sqlite`, or `postgres` for a server started by this program.
    #[arg(long, default_value = "sqlite")]
    store: String,
    /// Clients at once, one run each.
    #[arg(long, value_delimiter = ',', default_value = "1,8,32,128")]
    clients: Vec<usize>,
    /// Seconds of each run.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Certificates to load into the store before the runs.
    #[arg(long, default_value_t = 0)]
    stored: u64,
    /// The folder to work in (its disk is what is measured); a temporary one by default.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print JSON, one object a run.
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let scratch = match &arguments.dir {
        Some(dir) => tempfile::tempdir_in(dir)?,
        None => tempfile::tempdir()?,
    };
    let sync = report::fdatasync(scratch.path()).context("measuring fdatasync")?;
    let target = Target::start().await?;
    let authority =
        Authority::start(&arguments.certus, &arguments.store, scratch.path(), target.port(), arguments.stored).await?;
    if !arguments.json {
        println!("{}", report::heading(&arguments.store, arguments.stored, sync));
    }
    // Warm-up: connections, caches, the first page writes.
    drive(&authority, &target, 4, Duration::from_secs(1)).await?;
    for clients in &arguments.clients {
        let before = authority.usage()?;
        let (steps, elapsed) = drive(&authority, &target, *clients, Duration::from_secs(arguments.seconds)).await?;
        let usage = authority.usage()?.since(&before);
        let run = report::Run { clients: *clients, elapsed, usage, sync, steps };
        println!("{}", if arguments.json { run.json() } else { run.text() });
    }
    authority.stop().await
}

/// Lets `clients` run flows for `duration`; the steps of every flow, and how long it really took.
async fn drive(
    authority: &Authority,
    target: &Arc<Target>,
    clients: usize,
    duration: Duration,
) -> anyhow::Result<(Vec<Steps>, Duration)> {
    let mut ready = Vec::new();
    for _ in 0..clients {
        ready.push(client::Client::register(authority, Arc::clone(target)).await?);
    }
    let started = Instant::now();
    let deadline = started + duration;
    let mut running = tokio::task::JoinSet::new();
    for client in ready {
        running.spawn(async move { client.run_until(deadline).await });
    }
    let mut steps = Vec::new();
    while let Some(finished) = running.join_next().await {
        steps.extend(finished??);
    }
    Ok((steps, started.elapsed()))
}
