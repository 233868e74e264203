//! One test for each rule of real miners' and pools' behaviour that a proxy must
//! not break. The names say the rules; this table says where they are. What a
//! session cannot show (sockets, TLS, the accept loop) is the appliance's to test.
//!
//! | all dialects | held by |
//! |---|---|
//! | lines end with LF, CRLF is tolerated | `dialect::crlf_and_empty_lines_are_tolerated` |
//! | the id is echoed verbatim, always an answer, `error` null on success | `dialect::the_id_comes_back_verbatim`, `dialect::a_request_without_an_id_is_answered_with_null`, `dialect::the_error_is_null_on_success` |
//! | an unknown method: an error, no disconnect | `dialect::an_unknown_method_gets_an_error_and_no_disconnect` |
//! | codes 20 to 25 | `miner::the_version_mask_is_what_miner_and_pool_have_in_common` (20), `shares::a_job_that_is_not_on_the_board_is_stale` (21), `shares::a_share_sent_twice_is_refused_here_..` (22), `shares::a_share_that_is_not_enough_work_is_refused_here` (23), `dialect::a_submit_before_the_login_says_what_is_missing` (24, 25) |
//! | the handshake waits for no pool | `dialect::the_handshake_is_answered_at_once_with_every_pool_down` |
//! | a switch waits for the first job | `dialect::a_switch_waits_for_the_new_pools_first_job` |
//! | shares of old jobs go to the old pool for 10 s | `routing`: `profit::the_old_pools_jobs_live_10_s_..`, `outage::shares_of_the_old_pools_jobs_..`; `narrow::a_groups_old_jobs_live_10_s_..`, `resume::shares_of_a_pool_that_was_left_wait_for_it_..` |
//! | job ids are ours, never reused | `dialect::job_ids_are_ours_and_never_reused`, `routing`: `links::a_new_process_begins_with_job_ids_of_its_own` |
//! | a new job at the latest every 30 s, not clean | `dialect::a_quiet_pool_is_covered_by_new_ids_every_30_s_..`, `dialect::a_job_issued_again_is_new_work_..`, `dialect::while_nothing_can_be_mined_..` |
//! | `client.reconnect` is not reliable | `miner::a_switch_is_difficulty_mask_and_a_clean_job_..` (never sent), `pool::a_pool_that_asks_to_reconnect_is_left` |
//! | worker names: 63 characters, %-encoding | `miner::names_are_cut_at_63_characters_..`, `miner::percent_encoded_worker_names_..` |
//! | `d=N`, and `x` is filler | `difficulty::a_difficulty_in_the_password_stays_..`, `difficulty::the_usual_filler_is_no_difficulty` |
//! | a silent pool: asked, then down | `silence::*`, `pool::a_pool_without_a_line_for_120_s_is_down`, `pool::a_pool_that_says_nothing_for_5_s_after_a_share_is_deaf` |
//! | never a faked accept; a local verdict is labelled | `dialect::a_dead_pool_is_never_covered_by_accepts`, `pool::nothing_but_a_plain_true_is_an_accept`, `difficulty::a_share_below_the_pools_difficulty_..`, `difficulty::a_share_that_the_pool_pays_for_always_goes_there` |
//! | 15 s for the login, never closed for want of shares | `dialect::a_miner_that_does_not_log_in_within_15_s_..`, `dialect::a_slow_miner_is_never_closed_..` |
//! | port scanners | `dialect::junk_from_port_scanners_..`, and all of `hostile` |
//! | pools' requests are answered, unknown ones tolerated | `pool::the_pools_requests_are_answered`, `pool::unknown_notifications_and_stray_answers_..` |
//! | extensions can be switched off per pool | `pool::with_extensions_off_..`, `silence::a_quiet_pool_is_asked_what_it_answered_before_..` |
//!
//! | Bitcoin SV1 | held by |
//! |---|---|
//! | configure, subscribe, authorize in any order, pipelined | `miner::configure_subscribe_and_authorize_come_in_any_order`, `miner::esp_miners_burst_..` |
//! | configure answers every extension | `miner::configure_answers_every_extension_..`, `difficulty::a_minimum_difficulty_is_kept_..` |
//! | version rolling: the common mask, bits inside it | `miner::the_version_mask_..`, `miner::a_miner_that_did_not_ask_to_roll_may_not`, `miner::a_submit_without_version_bits_..`, `miner::a_pool_without_version_rolling_turns_it_off` |
//! | a new mask is told before the clean job | `miner::a_new_version_mask_is_told_before_..` |
//! | difficulty before the job, counts from the next | `miner::the_difficulty_precedes_the_job_..`, `pool::the_pools_difficulty_counts_from_the_next_job`, `difficulty::another_difficulty_waits_for_the_next_job_..` |
//! | S19: a change comes with a clean job | `miner::a_changed_difficulty_comes_with_a_clean_job`; every miner of these tests insists on it |
//! | the older of two difficulties | `difficulty::a_share_of_a_job_from_before_the_change_..`, `miner::shares_of_a_job_are_judged_by_the_difficulty_..` |
//! | share targets, scrypt 65536 times finer | `difficulty::scrypt_difficulty_counts_..` |
//! | suggest_difficulty, suggest_target, multi_version, get_transactions | `dialect::the_error_is_null_on_success`, `difficulty::a_suggested_difficulty_..`, `difficulty::a_suggested_target_..` |
//! | extranonce2 of 2 to 8 bytes for a miner | `miner::extranonce1_is_one_constant_byte_and_extranonce2_has_three` |
//! | no set_extranonce is needed; a pool's counts from its next job | `miner::a_switch_is_difficulty_mask_..`, `pool::a_set_extranonce_counts_from_the_next_job` |
//! | ESP-Miner ignores a job id it knows | `miner::the_first_job_after_a_subscribe_is_clean`, `dialect::a_board_that_changed_elsewhere_..` |
//! | vardiff, and its floor | `difficulty::a_slow_and_a_fast_miner_..`, `difficulty::nobody_is_asked_less_than_the_floor_..` |
//! | each worker under its own name, else the login's | `shares::each_worker_is_paid_..`, `shares::where_the_pool_refuses_or_ignores_..`, `shares::a_worker_mismatch_..`, `miner::several_workers_may_be_authorized_..` |
//! | accounts never mix, the agent is the farm's | `routing`: `candidates::a_connection_never_mixes_..`; `pool::the_login_is_configure_subscribe_authorize_..` |
//! | minerd's constant ids, its old session id, pools that collide | `shares::minerds_constant_submit_ids_..`, `miner::an_old_session_id_..`, `resume::two_pools_may_give_the_same_..` |
//! | jobs before the login is answered | `pool::jobs_and_difficulty_before_the_login_..` |
//! | session resumption | `resume::*` |
//! | constant extranonce, byte for byte, every size | `shares::the_miners_coinbase_is_the_pools_..`, `shares::every_size_of_extranonce2_..`, `shares::a_pool_with_an_extranonce2_of_1_..` |
//! | one connection per 256 miners where n is 4 | `narrow::*` |
//! | below that one a miner, by set_extranonce or a new connection | `dedicated::*` |
//! | the switch of a port: constant, announce, reconnect | `announced::*` |

mod announced;
mod dedicated;
mod dialect;
mod difficulty;
mod miner;
mod narrow;
mod pool;
mod resume;
mod shares;
mod silence;
#[path = "../support/mod.rs"]
mod support;
