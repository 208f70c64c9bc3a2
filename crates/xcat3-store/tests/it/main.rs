//! The store as its users see it: one battery of tests, run over each kind of database, and what
//! only one of them can be asked.

mod discovered;
mod feed;
mod fixture;
mod images;
mod jobs;
mod networks;
mod nics;
mod nodes;
mod postgres;
mod provisioning;
mod rejections;
mod reservations;
mod scale;
mod services;
mod sqlite;

/// Makes a test of each function of the battery, over the stores that `$open` makes, with `$tier` as
/// another attribute.
macro_rules! battery {
    ($tier:tt $open:path: $($module:ident { $($test:ident),+ $(,)? })+) => {
        $(mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #$tier
            async fn $test() {
                let lab = $open().await;
                crate::$module::$test(lab.store.clone()).await;
            })+
        })+
    };
}

macro_rules! everything {
    ($tier:tt $open:path) => {
        battery! { $tier $open:
            nodes {
                enrolling_answers_for_each, a_name_or_mac_that_is_taken_is_named,
                a_refused_node_claims_nothing, a_node_comes_back_as_it_was_declared,
                names_come_in_the_order_asked_for, changing_answers_for_each,
                only_what_is_declared_can_be_changed, addresses_pass_from_node_to_node,
                removing_answers_for_each, a_node_that_is_held_stays_as_it_is,
                the_list_of_names_is_kept_until_it_changes,
                a_request_is_one_though_it_is_looked_at_in_parts,
            }
            nics { a_nic_comes_changes_and_goes, a_nic_moves_to_another_node, what_is_wrong_is_named }
            networks { a_network_comes_changes_and_goes, overlaps_name_the_other, parts_have_to_fit }
            images {
                an_image_comes_changes_and_goes, an_image_in_use_stays_and_names_its_users,
                a_passwd_comes_changes_and_goes, leases_are_kept_by_address_and_machine,
            }
            services {
                services_are_listed, a_service_is_as_many_as_its_workers_online,
                a_network_service_lags_until_it_serves,
                a_network_service_serves_when_all_its_workers_do,
            }
            jobs {
                a_job_is_split_and_done_when_all_are_answered, what_is_no_job_is_said_or_passed_over,
                the_first_outcome_counts, a_report_is_kept_as_it_was_told, a_page_has_room_for_so_many_bytes_of_reports, a_reader_goes_on_where_it_stopped,
                a_batch_given_again_has_only_what_is_left, an_ended_batch_leaves_nobody_waiting,
                whoever_hears_of_an_outcome_finds_the_node_free, who_lost_its_nodes_writes_nothing,
                who_holds_a_node_for_the_job_has_the_word,
                waves_begin_one_after_another, a_job_stops_when_too_many_fail,
                a_job_without_waves_stops_too, cancelling_leaves_alone_what_has_not_begun,
                a_request_sent_again_is_the_same_job, the_same_request_at_once_is_one_job,
                jobs_are_listed_the_newest_first,
            }
            reservations {
                what_is_held_is_locked_until_it_is_given_back, an_expired_reservation_is_free_to_take,
                a_reservation_can_be_extended, overlapping_races_never_share_a_node,
                an_owner_gives_back_what_it_held, the_same_work_is_taken_over,
                who_comes_too_late_can_do_nothing, who_got_its_outcome_meanwhile_is_passed_over,
            }
            provisioning {
                a_deploy_is_written_with_its_way, only_the_holder_writes,
                an_image_that_is_gone_is_not_deployed, progress_only_goes_on,
                deploys_that_take_too_long_are_found,
            }
            discovered {
                who_is_seen_again_stays_one_machine, discovered_machine_enrolled_or_forgotten_is_not_listed,
                discovered_machines_are_bounded_in_number_and_time,
            }
            rejections {
                what_a_bmc_rejected_is_known_to_all_who_ask_it, what_an_operator_writes_is_tried_again,
            }
            feed {
                each_change_is_told_once, a_request_is_one_revision, what_nobody_serves_is_not_told,
                a_listener_is_woken, a_reader_of_another_store_starts_anew,
                a_change_of_many_nodes_comes_in_parts,
            }
            scale { ten_thousand_nodes }
        }
    };
}

mod over_sqlite_file {
    everything!([doc = "Quick."] crate::fixture::file);
}

mod over_sqlite_memory {
    everything!([doc = "Quick."] crate::fixture::memory);
}

mod over_postgres {
    everything!([ignore = "real: PostgreSQL"] crate::fixture::postgres);
}
