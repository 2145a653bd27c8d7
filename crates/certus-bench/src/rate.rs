//! Two binaries side by side: runs of one and of the other in turn, so that whatever else the machine does meanwhile
//! meets both.

use std::path::Path;
use std::sync::Arc;

use crate::Arguments;
use crate::measure::Measure;
use crate::target::Target;

/// The median flows per CPU-second of each.
#[derive(Debug)]
pub(crate) struct Rates {
    pub(crate) before: f64,
    pub(crate) now: f64,
}

/// Runs each binary so often, with a laboratory of its own each time.
pub(crate) async fn compare(
    arguments: &Arguments,
    before: &Path,
    measure: Measure,
    clients: usize,
    scratch: &Path,
    target: &Arc<Target>,
) -> anyhow::Result<Rates> {
    let (mut of_before, mut of_now) = (Vec::new(), Vec::new());
    for round in 0..arguments.rounds {
        for (which, binary, rates) in
            [("before", before, &mut of_before), ("now", arguments.certus.as_path(), &mut of_now)]
        {
            let dir = scratch.join(format!("{measure:?}-{clients}-{round}-{which}"));
            let run = crate::once(arguments, binary, measure, clients, &dir, target).await?;
            rates.push(run.per_cpu_second());
        }
    }
    Ok(Rates { before: median(of_before), now: median(of_now) })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
