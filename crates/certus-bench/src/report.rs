//! Figures for people and for machines.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::authority::Usage;
use crate::measure::{Measure, Steps, What};
use crate::stored::Cost;

/// Writes measured for the median of fdatasync.
const SYNCS: usize = 200;

/// The median time of a 4 KiB write with fdatasync on the disk that is measured.
pub(crate) fn fdatasync(dir: &Path) -> std::io::Result<Duration> {
    let mut file = std::fs::File::create(dir.join("fdatasync"))?;
    let mut taken = Vec::new();
    for _ in 0..SYNCS {
        let started = Instant::now();
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
        taken.push(started.elapsed());
    }
    Ok(percentile(taken, 50))
}

/// The line above the runs.
pub(crate) fn heading(store: &str, stored: u64, sync: Duration) -> String {
    format!("store {store}, {stored} certificates stored before; fdatasync of 4 KiB: median {:.2} ms", millis(sync))
}

/// What certificates cost that were stored before, in room and in lists.
pub(crate) fn stored(cost: &Cost) -> String {
    let (read, made) = (millis(cost.list.read), millis(cost.list.made));
    format!(
        "     {} octets of the database per stored certificate; the list of a shard with {} revoked: {} octets, read in \
         {read:.1} ms, written and signed in {made:.1} ms",
        cost.octets_per_certificate, cost.list.entries, cost.list.octets
    )
}

/// One run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) measure: Measure,
    pub(crate) clients: usize,
    pub(crate) elapsed: Duration,
    pub(crate) usage: Usage,
    pub(crate) sync: Duration,
    pub(crate) steps: Vec<Steps>,
}

impl Run {
    #[expect(clippy::cast_precision_loss, reason = "flows of a run are far below 2^52")]
    pub(crate) fn flows(&self) -> f64 {
        self.steps.len() as f64
    }

    /// Flows, or requests, for each second that certus used.
    pub(crate) fn per_cpu_second(&self) -> f64 {
        self.flows() / self.usage.cpu()
    }

    fn polls(&self) -> u32 {
        self.steps.iter().map(|steps| steps.polls).sum()
    }

    fn of_step(&self, index: usize, percent: usize) -> f64 {
        millis(percentile(self.steps.iter().filter_map(|steps| steps.taken.get(index).copied()).collect(), percent))
    }

    fn of_flow(&self, percent: usize) -> f64 {
        millis(percentile(self.steps.iter().map(Steps::total).collect(), percent))
    }

    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 octets")]
    fn rss_mib(&self) -> f64 {
        self.usage.rss as f64 / f64::from(1 << 20)
    }

    pub(crate) fn text(&self) -> String {
        let cpu = self.usage.cpu();
        let unit = self.measure.unit();
        let mut text = format!(
            "{:>4} clients, {}: {:>7.1} {unit}/s, {:>7.1} {unit} per CPU-second of certus ({:.2} ms each), PostgreSQL \
             {:.2} CPU-s, RSS {:.0} MiB, {} {unit}, {} polls\n     p50 {:.2} ms p99 {:.2} ms",
            self.clients,
            self.measure.name(),
            self.flows() / self.elapsed.as_secs_f64(),
            self.per_cpu_second(),
            1000.0 * cpu / self.flows(),
            self.usage.postgres_cpu(),
            self.rss_mib(),
            self.steps.len(),
            self.polls(),
            self.of_flow(50),
            self.of_flow(99),
        );
        for (index, name) in self.measure.steps().iter().enumerate() {
            text.push_str(&format!("; {name} {:.1}/{:.1}", self.of_step(index, 50), self.of_step(index, 99)));
        }
        if self.clients == 1 && matches!(self.measure.what(), What::Flows(_)) {
            let limit = 6.0 * millis(self.sync) + 6.0;
            text.push_str(&format!(
                "\n     six fdatasyncs and 6 ms: {limit:.1} ms; the median flow is {:.1} ms",
                self.of_flow(50)
            ));
        }
        text
    }

    pub(crate) fn json(&self) -> String {
        let steps: serde_json::Map<String, serde_json::Value> = self
            .measure
            .steps()
            .iter()
            .enumerate()
            .map(|(index, name)| {
                let value = serde_json::json!({ "p50_ms": self.of_step(index, 50), "p99_ms": self.of_step(index, 99) });
                ((*name).to_owned(), value)
            })
            .collect();
        serde_json::json!({
            "schema": "certus.bench/1",
            "measure": self.measure.name(),
            "clients": self.clients,
            "flows": self.steps.len(),
            "seconds": self.elapsed.as_secs_f64(),
            "flows_per_second": self.flows() / self.elapsed.as_secs_f64(),
            "flows_per_cpu_second": self.per_cpu_second(),
            "cpu_seconds": self.usage.cpu(),
            "postgres_cpu_seconds": self.usage.postgres_cpu(),
            "rss_mib": self.rss_mib(),
            "polls": self.polls(),
            "fdatasync_ms": millis(self.sync),
            "p50_ms": self.of_flow(50),
            "p99_ms": self.of_flow(99),
            "steps": steps,
        })
        .to_string()
    }
}

fn percentile(mut values: Vec<Duration>, percent: usize) -> Duration {
    values.sort_unstable();
    let index = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(index).copied().unwrap_or_default()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
