//! Everything that runs for as long as the authority does, and how it ends.
//!
//! The first signal asks every task to finish what it has in hand (soft); a second one, or [`PATIENCE`], tells it to
//! stop (hard). A task that ends before it was asked to is a crash of the whole: the supervisor starts it again.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;
use crate::unix::Endings;

/// How long open requests and running jobs may take to finish: as long as a validation takes at most.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long tasks may take after they were told to stop.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// The running parts of an authority.
#[derive(Debug)]
pub(crate) struct Tasks {
    /// Cancelled when no more work is to be taken.
    pub(crate) soft: CancellationToken,
    /// Cancelled when everything is to stop.
    pub(crate) hard: CancellationToken,
    running: JoinSet<()>,
    names: HashMap<Id, &'static str>,
    /// How long work may take to finish.
    patience: Duration,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self {
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
            running: JoinSet::new(),
            names: HashMap::new(),
            patience: PATIENCE,
        }
    }

    /// Runs a part; it watches [`Tasks::soft`] and [`Tasks::hard`] itself.
    pub(crate) fn spawn(&mut self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        let handle = self.running.spawn(part);
        self.names.insert(handle.id(), name);
    }

    /// Until a signal has ended everything, or a part has ended by itself.
    pub(crate) async fn run(mut self, signals: &mut Endings) -> Exit {
        let exit = tokio::select! {
            name = signals.next() => {
                tracing::info!(signal = name, "ending: no new work is taken; another signal ends at once");
                Exit::Done
            }
            ended = self.running.join_next_with_id() => {
                self.report(ended);
                Exit::Crashed
            }
        };
        self.soft.cancel();
        tokio::select! {
            () = drain(&mut self.running) => return exit,
            () = tokio::time::sleep(self.patience) => tracing::warn!("some work did not finish in time and is cut off"),
            name = signals.next() => tracing::warn!(signal = name, "running work is cut off"),
        }
        self.hard.cancel();
        if tokio::time::timeout(LAST_PATIENCE, drain(&mut self.running)).await.is_err() {
            tracing::warn!("some parts did not stop when told to");
        }
        exit
    }

    fn report(&self, ended: Option<Result<(Id, ()), JoinError>>) {
        let (id, why) = match ended {
            Some(Ok((id, ()))) => (id, "it returned".to_owned()),
            Some(Err(error)) => (error.id(), error.to_string()),
            None => return,
        };
        let part = self.names.get(&id).copied().unwrap_or("a part");
        tracing::error!(part, why, "a part of the authority ended by itself; all of it ends, to be started again");
    }
}

async fn drain(running: &mut JoinSet<()>) {
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a part of the authority did not end well");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_ends_by_itself_is_a_crash_and_the_others_are_asked_to_end() {
        for panics in [false, true] {
            let mut tasks = Tasks::new();
            let soft = tasks.soft.clone();
            let (asked, was_asked) = tokio::sync::oneshot::channel();
            tasks.spawn("steady", async move {
                soft.cancelled().await;
                asked.send(()).unwrap();
            });
            tasks.spawn("broken", async move { assert!(!panics, "as a bug would") });
            assert_eq!(tasks.run(&mut Endings::new().unwrap()).await, Exit::Crashed);
            was_asked.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_part_that_does_not_finish_is_told_to_stop() {
        let mut tasks = Tasks { patience: Duration::from_millis(20), ..Tasks::new() };
        let (soft, hard) = (tasks.soft.clone(), tasks.hard.clone());
        tasks.spawn("stubborn", async move { hard.cancelled().await });
        tasks.spawn("broken", async {});
        tasks.run(&mut Endings::new().unwrap()).await;
        assert!(soft.is_cancelled());
    }
}
