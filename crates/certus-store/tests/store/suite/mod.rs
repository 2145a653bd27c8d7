//! The suite that every backend passes: what the authority relies on, whichever database is beneath.
//!
//! A backend's test file names it in `store_conformance!` together with a function that makes an empty store.

pub(crate) mod accounts;
pub(crate) mod audit;
pub(crate) mod authority;
pub(crate) mod bindings;
pub(crate) mod certificates;
pub(crate) mod concurrency;
pub(crate) mod issuing;
pub(crate) mod jobs;
pub(crate) mod limits;
pub(crate) mod made;
pub(crate) mod orders;
pub(crate) mod reaping;
pub(crate) mod renewals;
pub(crate) mod revocation;
pub(crate) mod schema;
pub(crate) mod tls;
pub(crate) mod unix;

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use certus_ca::id::ProcessId;
use certus_ca::ports::{Process, Store};
use certus_store::{StoreUrl, connect};

/// An empty store with one process at work on it, and a way past it into its tables.
#[derive(Debug)]
pub(crate) struct Subject {
    /// The store.
    pub(crate) store: Arc<dyn Store>,
    /// Where it is.
    pub(crate) url: StoreUrl,
    /// A process that is registered.
    pub(crate) process: ProcessId,
    /// A way to its tables.
    pub(crate) tables: Box<dyn Tables>,
}

/// Statements past the store: what no version of Certus writes, and clocks that have moved on.
pub(crate) trait Tables: Debug + Any + Send + Sync {
    /// Runs statements; where the backends' SQL differs, the test says it in words that both know.
    fn run(&self, statements: &str);
    /// The single number that a query gives.
    fn number(&self, query: &str) -> i64;
}

impl Subject {
    /// A store that was just made.
    pub(crate) async fn new(url: StoreUrl, tables: Box<dyn Tables>) -> Self {
        let store = connect(&url).await.unwrap();
        let process = made::process();
        store
            .register_process(&process, made::event(certus_ca::audit::Action::ProcessRegistered, process.id))
            .await
            .unwrap();
        Self { store, url, process: process.id, tables }
    }

    /// Another handle on the same store, as on another node.
    pub(crate) async fn again(&self) -> Arc<dyn Store> {
        connect(&self.url).await.unwrap()
    }

    /// Another process at work on it. On SQLite it takes over.
    pub(crate) async fn another_process(&self) -> ProcessId {
        let process: Process = made::process();
        self.store
            .register_process(&process, made::event(certus_ca::audit::Action::ProcessRegistered, process.id))
            .await
            .unwrap();
        process.id
    }
}

/// Runs the whole suite on the stores that a function makes.
#[macro_export]
macro_rules! store_conformance {
    ($fresh:path) => {
        store_conformance! { $fresh;
            accounts: an_account_is_found_by_id_and_by_key
                a_key_has_one_account
                an_update_needs_the_version_that_was_read
                an_account_that_no_version_writes_is_told_by_its_place;
            bindings: a_key_reads_back_as_it_was_made
                an_account_keeps_its_binding
                a_key_that_is_over_binds_nobody
                of_many_at_once_one_account_has_a_key_of_single_use
                a_serial_is_spent_within_the_quota
                nothing_is_spent_under_a_revoked_key;
            limits: what_goes_beyond_is_refused_and_costs_nothing
                what_is_refused_otherwise_costs_nothing
                a_number_is_exact_whatever_comes_at_once
                what_failed_stands_in_nobodys_way
                every_write_pays_its_price
                a_bucket_follows_the_rule_of_the_authority
                buckets_are_listed_cleared_and_swept
                an_account_keeps_its_own_numbers;
            orders: an_order_reads_back_as_it_was_opened
                a_validation_begins_once_and_ends_with_its_job
                a_validation_that_failed_is_kept_with_its_reason
                a_validation_that_failed_is_tried_again
                what_a_key_vouches_for_is_kept_as_valid
                an_authorization_serves_later_orders_where_it_may an_authorization_is_given_up_once
                what_is_open_is_counted
                an_account_has_its_orders_page_by_page
                what_came_to_nothing_is_not_listed
                a_hundred_names_are_an_order;
            issuing: an_order_gets_its_certificate
                nothing_is_spent_on_proofs_that_were_given_up
                no_intent_is_recorded_for_a_blocked_key
                a_serial_is_spent_once
                an_intent_without_outcome_is_retired_by_the_next
                a_failed_order_retires_its_intent
                a_late_worker_is_refused
                a_certificate_needs_an_intent
                the_authority_has_a_certificate_of_its_own
                an_abandoned_intent_of_its_own_is_retired;
            jobs: a_job_is_leased_to_one_process
                a_process_learns_which_leases_it_holds
                a_job_waits_for_its_time
                jobs_are_leased_by_their_time
                a_process_that_ends_leaves_its_jobs
                a_silent_process_loses_its_jobs;
            certificates: lists_go_on_after_a_key
                a_suffix_finds_what_lies_beneath_it
                certificates_are_loaded_all_or_none
                addresses_are_names_too;
            revocation: a_certificate_is_revoked_once_and_its_shard_tells
                a_list_has_what_is_revoked_and_retired_until_it_ends
                a_key_is_blocked_for_ever
                an_account_holds_what_it_has_met;
            renewals: a_rule_reads_back_as_it_was_made
                a_certificate_is_found_by_its_serial
                a_certificate_is_replaced_once
                an_order_that_came_to_nothing_frees_its_predecessor
                of_many_replacements_at_once_one_wins;
            authority: settings_are_written_over
                issuers_are_registered_once
                crl_numbers_only_grow
                a_check_changes_nothing;
            audit: every_write_leaves_an_entry
                what_was_refused_leaves_none
                entries_are_read_page_by_page;
            reaping: what_expired_goes_and_evidence_stays
                what_is_being_worked_on_stays
                reaping_goes_in_steps;
            concurrency: one_of_many_writers_wins_each_version
                many_flows_at_once_all_succeed
                a_caller_that_leaves_undoes_nothing
                what_is_refused_halfway_takes_nothing_with_it;
            // These close the store and open it anew.
            => schema: a_newer_store_is_refused
                everything_is_there_after_a_restart;
        }
    };
    ($fresh:path; $($module:ident: $($test:ident)+;)+ => $last:ident: $($closing:ident)+;) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let subject = $fresh().await;
                $crate::suite::$module::$test(&subject).await;
            }
        )+)+
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $closing() {
                $crate::suite::$last::$closing($fresh().await).await;
            }
        )+
    };
}
