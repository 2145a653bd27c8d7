//! Jobs, leases, processes.

use std::collections::HashSet;
use std::time::Duration;

use certus_ca::audit::{Action, AuditEvent};
use certus_ca::id::{OrderId, ProcessId};
use certus_ca::job::{Job, LEASE, Lease, Task};
use certus_ca::ports::StoreError;

use super::{Subject, made};

/// As many issuing jobs as asked for, leased to the subject's process; oldest first.
async fn jobs(subject: &Subject, count: usize) -> Vec<(OrderId, Lease)> {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let mut jobs = Vec::new();
    for n in 0..count {
        let (order, _) = made::kept_order(store, &account, &[&format!("n{n}.example")]).await;
        made::validate(store, subject.process, order.id).await;
        jobs.push((order.id, made::begin_issuance(store, subject.process, order.id).await.0));
    }
    jobs
}

fn noticed(process: ProcessId) -> AuditEvent {
    made::event(Action::SilentFreed, process)
}

pub(crate) async fn a_job_is_leased_to_one_process(subject: &Subject) {
    let store = &*subject.store;
    let account = made::kept_account(store).await;
    let (_, authorizations) = made::kept_order(store, &account, &["a.example"]).await;
    let (begun, challenge) = made::begun(authorizations[0].clone());
    let job = made::job(Task::Validate { authorization: begun.id, challenge });
    let audit = made::event(Action::ValidationBegun, begun.id);
    let version = certus_ca::ports::Version(1);
    let lease = store.begin_validation(version, &begun, &job, subject.process, audit).await.unwrap();
    assert_eq!(store.lease_jobs(subject.process, 10, made::NOW).await.unwrap(), [], "it is leased from the start");
    store.release_job(lease, Duration::ZERO, made::released(lease)).await.unwrap();
    let leased = store.lease_jobs(subject.process, 10, made::NOW).await.unwrap();
    assert_eq!(leased.len(), 1);
    let Job { id, task, request } = leased[0].job.clone();
    assert_eq!((id, task, request), (job.id, job.task, job.request));
    assert_eq!(leased[0].lease, Lease { job: job.id, fence: 2 });
    assert_eq!(store.lease_jobs(subject.process, 10, made::NOW).await.unwrap(), []);
    store.drop_job(leased[0].lease, made::event(Action::JobDropped, job.id)).await.unwrap();
    let gone = store.drop_job(leased[0].lease, made::event(Action::JobDropped, job.id)).await;
    assert!(matches!(gone, Err(StoreError::LeaseLost)), "{gone:?}");
    assert_eq!(subject.tables.number("SELECT count(*) FROM jobs"), 0);
}

pub(crate) async fn a_process_learns_which_leases_it_holds(subject: &Subject) {
    let store = &*subject.store;
    let jobs = jobs(subject, 2).await;
    let held = |jobs: &[(OrderId, Lease)]| jobs.iter().map(|(_, lease)| *lease).collect::<HashSet<_>>();
    let leases = async || store.leases(subject.process).await.unwrap().into_iter().collect::<HashSet<_>>();
    assert_eq!(leases().await, held(&jobs));
    store.release_job(jobs[0].1, Duration::ZERO, made::released(jobs[0].1)).await.unwrap();
    assert_eq!(leases().await, held(&jobs[1..]));
    let again = store.release_job(jobs[0].1, Duration::from_secs(3600), made::released(jobs[0].1)).await;
    assert!(matches!(again, Err(StoreError::LeaseLost)), "it was put back already: {again:?}");
    let leased = store.lease_jobs(subject.process, 10, made::NOW).await.unwrap();
    assert_eq!(leases().await, HashSet::from([leased[0].lease, jobs[1].1]));
    assert_eq!(store.leases(ProcessId::random()).await.unwrap(), []);
}

pub(crate) async fn a_job_waits_for_its_time(subject: &Subject) {
    let store = &*subject.store;
    let (_, lease) = jobs(subject, 1).await[0];
    store.release_job(lease, Duration::from_secs(3600), made::released(lease)).await.unwrap();
    assert_eq!(store.lease_jobs(subject.process, 10, made::NOW).await.unwrap(), []);
    subject.tables.run("UPDATE jobs SET due = due - 3600001");
    assert_eq!(store.lease_jobs(subject.process, 10, made::NOW).await.unwrap().len(), 1);
}

pub(crate) async fn jobs_are_leased_by_their_time(subject: &Subject) {
    let store = &*subject.store;
    let jobs = jobs(subject, 5).await;
    // Whoever is put back again and again comes after those that wait.
    for ((_, lease), wait) in jobs.iter().rev().zip(1_u64..) {
        store.release_job(*lease, Duration::from_secs(1000 * wait), made::released(*lease)).await.unwrap();
    }
    subject.tables.run("UPDATE jobs SET due = due - 5000001");
    let mut seen = Vec::new();
    for expected in [2, 2, 1, 0] {
        let leased = store.lease_jobs(subject.process, 2, made::NOW).await.unwrap();
        assert_eq!(leased.len(), expected);
        seen.extend(leased.into_iter().map(|job| job.lease.job));
    }
    assert_eq!(seen, jobs.iter().rev().map(|(_, lease)| lease.job).collect::<Vec<_>>());
}

pub(crate) async fn a_process_that_ends_leaves_its_jobs(subject: &Subject) {
    let store = &*subject.store;
    let jobs = jobs(subject, 2).await;
    store.retire_process(subject.process, made::event(Action::ProcessRetired, subject.process)).await.unwrap();
    let other = subject.another_process().await;
    let leased = store.lease_jobs(other, 10, made::NOW).await.unwrap();
    assert_eq!(
        leased.iter().map(|job| job.lease).collect::<Vec<_>>(),
        jobs.iter().map(|(_, lease)| Lease { fence: 2, ..*lease }).collect::<Vec<_>>()
    );
}

pub(crate) async fn a_silent_process_loses_its_jobs(subject: &Subject) {
    let store = &*subject.store;
    let jobs = jobs(subject, 1).await;
    let silence = i64::try_from(LEASE.as_millis()).unwrap();
    // One that is almost silent long enough keeps them; it was seen before the other one came.
    let first = subject.process;
    subject.tables.run(&format!("UPDATE processes SET seen = seen - {}", silence - 10_000));
    store.heartbeat(first, noticed(first)).await.unwrap();
    assert_eq!(store.lease_jobs(first, 10, made::NOW).await.unwrap(), []);
    subject.tables.run(&format!("UPDATE processes SET seen = seen - {}", silence + 1));
    let other = made::process();
    // Not registered as SQLite knows it, which would free everything at once: only known.
    subject.tables.run(&format!(
        "INSERT INTO processes (id, host, pid, program, started, seen) SELECT {}, host, pid, program, started,
            seen + {silence} + 1 FROM processes",
        literal(other.id),
    ));
    store.heartbeat(other.id, noticed(other.id)).await.unwrap();
    let leased = store.lease_jobs(other.id, 10, made::NOW).await.unwrap();
    assert_eq!(leased.iter().map(|job| job.lease).collect::<Vec<_>>(), [Lease { fence: 2, ..jobs[0].1 }]);
    // That jobs were freed is told; that somebody lives is not.
    assert_eq!(subject.tables.number("SELECT count(*) FROM audit WHERE action = 'process.silent-freed'"), 1);
    // The silent one wakes up. Its heartbeat is heard, but the job is another's.
    store.heartbeat(first, noticed(first)).await.unwrap();
    let refused = store.release_job(jobs[0].1, Duration::ZERO, made::released(jobs[0].1)).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost)), "{refused:?}");
    let unknown = store.heartbeat(ProcessId::random(), noticed(ProcessId::random())).await;
    assert!(matches!(unknown, Err(StoreError::Inconsistent { table: "processes", .. })), "{unknown:?}");
}

/// Octets in a notation that both backends read: text cast where it is needed.
fn literal(id: ProcessId) -> String {
    let hex: String = id.as_bytes().iter().map(|octet| format!("{octet:02x}")).collect();
    format!("OCTETS'{hex}'")
}
