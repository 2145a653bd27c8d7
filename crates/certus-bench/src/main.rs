//! Measures an authority from outside.
//!
//! Starts `certus up` as a process of its own, drives whole flows or single requests against it from this one, and reads
//! what the authority's process cost: how many per second and per CPU-second, the time of each step, memory. Deliberately
//! absent: limits that fail; figures go to `docs/proofs.md`, where people compare them.
#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

mod authority;
mod client;
mod database;
mod measure;
mod rate;
mod report;
mod stored;
mod target;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;

use authority::Authority;
use measure::{Measure, Steps, What};
use report::Run;
use target::Target;

/// Drives whole flows, or single requests, against a fresh laboratory and prints what they cost.
#[derive(Debug, Parser)]
struct Arguments {
    /// The certus binary to measure (a release build).
    #[arg(long, default_value = "target/release/certus")]
    certus: PathBuf,
    /// Another certus binary to compare with: both run in turn, and the medians are printed.
    #[arg(long)]
    against: Option<PathBuf>,
    /// How often each of the two runs.
    #[arg(long, default_value_t = 5, requires = "against")]
    rounds: usize,
    /// Where the authority keeps its records: `sqlite`, or `postgres` for a server started by this program.
    #[arg(long, default_value = "sqlite")]
    store: String,
    /// What is measured, one run each.
    #[arg(long, value_delimiter = ',', value_enum, default_value = "http-01")]
    measure: Vec<Measure>,
    /// Clients at once, one run each.
    #[arg(long, value_delimiter = ',', default_value = "1,8,32,128")]
    clients: Vec<usize>,
    /// Seconds of each run.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Certificates to load into the store before the runs.
    #[arg(long, default_value_t = 0, conflicts_with = "against")]
    stored: u64,
    /// The folder to work in (its disk is what is measured); a temporary one by default.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print JSON, one object a run.
    #[arg(long, conflicts_with = "against")]
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
    let target = Target::start().await?;
    match &arguments.against {
        None => measure_all(&arguments, scratch.path(), &target).await,
        Some(before) => compare_all(&arguments, before, scratch.path(), &target).await,
    }
}

async fn measure_all(arguments: &Arguments, scratch: &Path, target: &Arc<Target>) -> anyhow::Result<()> {
    let sync = report::fdatasync(scratch).context("measuring fdatasync")?;
    let authority = start(arguments, &arguments.certus, scratch, target).await?;
    if !arguments.json {
        println!("{}", report::heading(&arguments.store, arguments.stored, sync));
        if let Some(cost) = &authority.cost {
            println!("{}", report::stored(cost));
        }
    }
    let (before, mut flows) = (authority.octets()?, 0);
    for measure in &arguments.measure {
        for clients in &arguments.clients {
            let run = one_run(arguments, &authority, *measure, *clients, sync, target).await?;
            println!("{}", if arguments.json { run.json() } else { run.text() });
            flows += match measure.what() {
                What::Flows(_) => u64::try_from(run.steps.len())?,
                What::Requests(_) => 0,
            };
        }
    }
    let grown = authority.stop().await?.octets()?.saturating_sub(before);
    if flows > 0 && !arguments.json {
        println!(
            "     {} octets of the database for each of {flows} flows, with all that belongs to one",
            grown / flows
        );
    }
    Ok(())
}

async fn compare_all(arguments: &Arguments, before: &Path, scratch: &Path, target: &Arc<Target>) -> anyhow::Result<()> {
    for measure in &arguments.measure {
        for clients in &arguments.clients {
            let rates = rate::compare(arguments, before, *measure, *clients, scratch, target).await?;
            let unit = measure.unit();
            println!(
                "{clients} clients, {}, medians of {} runs in turn: {:.1} {unit} per CPU-second before, {:.1} now: {:.3}",
                measure.name(),
                arguments.rounds,
                rates.before,
                rates.now,
                rates.now / rates.before,
            );
        }
    }
    Ok(())
}

/// One run of a binary in a laboratory of its own.
async fn once(
    arguments: &Arguments,
    certus: &Path,
    measure: Measure,
    clients: usize,
    dir: &Path,
    target: &Arc<Target>,
) -> anyhow::Result<Run> {
    std::fs::create_dir_all(dir)?;
    let sync = report::fdatasync(dir)?;
    let authority = start(arguments, certus, dir, target).await?;
    let run = one_run(arguments, &authority, measure, clients, sync, target).await?;
    println!("{}: {}", certus.display(), run.text());
    authority.stop().await?;
    Ok(run)
}

async fn start(arguments: &Arguments, certus: &Path, dir: &Path, target: &Arc<Target>) -> anyhow::Result<Authority> {
    let authority = Authority::start(certus, &arguments.store, dir, target, arguments.stored).await?;
    // Warm-up: connections, caches, the first page writes.
    drive(&authority, target, Measure::Http01, 4, Duration::from_secs(1)).await?;
    Ok(authority)
}

async fn one_run(
    arguments: &Arguments,
    authority: &Authority,
    measure: Measure,
    clients: usize,
    sync: Duration,
    target: &Arc<Target>,
) -> anyhow::Result<Run> {
    let (steps, elapsed, usage) =
        drive(authority, target, measure, clients, Duration::from_secs(arguments.seconds)).await?;
    Ok(Run { measure, clients, elapsed, usage, sync, steps })
}

/// Lets `clients` work for `duration`: what each did, how long it really took, and what it cost.
async fn drive(
    authority: &Authority,
    target: &Arc<Target>,
    measure: Measure,
    clients: usize,
    duration: Duration,
) -> anyhow::Result<(Vec<Steps>, Duration, authority::Usage)> {
    let mut ready = Vec::new();
    for _ in 0..clients {
        let mut client = client::Client::register(authority, Arc::clone(target)).await?;
        client.prepare(measure).await?;
        ready.push(client);
    }
    let before = authority.usage()?;
    let started = Instant::now();
    let deadline = started + duration;
    let mut running = tokio::task::JoinSet::new();
    for client in ready {
        running.spawn(async move { client.run_until(measure, deadline).await });
    }
    let mut steps = Vec::new();
    while let Some(finished) = running.join_next().await {
        steps.extend(finished??);
    }
    Ok((steps, started.elapsed(), authority.usage()?.since(&before)))
}
