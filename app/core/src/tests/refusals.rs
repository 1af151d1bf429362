//! The table of refusals, `refusals.txt`: what can break which rule, and what is then said. Here
//! is what breaks them; any other test fails that meets a pair without a row.

use std::collections::BTreeSet;
use std::fmt::Write;

use guts_schema::Code;

use super::{candidates, pushes, rules};
use crate::modules::account::tests as account;
use crate::modules::discussion::tests as discussion;
use crate::modules::faucet::tests as faucet;
use crate::modules::governance::tests as governance;
use crate::modules::issue::tests as issue;
use crate::modules::org::tests as org;
use crate::modules::push::tests as push;
use crate::modules::repo::tests as repo;
use crate::modules::staking::tests as staking;
use crate::testing::refusals::{Row, TABLE, heard, table};
use crate::{mempool, query};

/// Tests that break rules: all that the table has, together.
const BREAKING: &[fn()] = &[
    account::order_is_checked_before_anything_is_spent,
    account::what_fails_spends_fee_and_nonce_and_nothing_else,
    account::payment_is_checked,
    account::a_network_takes_what_its_parameters_say,
    account::keys_and_accounts_must_fit,
    account::handles_are_claimed_by_commit_and_reveal,
    account::keys_come_and_go,
    account::a_key_for_one_repository_pushes_there_and_nothing_else,
    account::a_key_expires,
    account::handles_are_given_and_given_up,
    account::guardians_recover_an_account,
    account::an_owner_stops_a_recovery_and_a_change_of_mind_delays_it,
    staking::bonding_has_rules,
    staking::stake_is_given_and_comes_back_when_it_is_due,
    staking::what_is_under_way_is_bounded,
    staking::so_much_is_under_way_in_all,
    staking::stake_moves_once_and_answers_for_where_it_was,
    staking::two_signatures_at_one_height_end_a_validator,
    staking::who_misses_too_much_is_jailed_and_comes_back,
    staking::a_validator_that_lost_its_stake_stays_out,
    staking::operators_edit_within_bounds,
    staking::fees_and_issuance_are_shared,
    governance::a_vote_opens_when_enough_is_laid_down,
    governance::a_larger_deposit_pushes_out_the_smallest,
    governance::so_many_lay_something_down_and_no_more,
    governance::parameters_that_cannot_be_are_not_voted_on,
    governance::nobody_is_locked_out_by_parameters,
    governance::the_treasury_pays,
    governance::an_upgrade_that_is_known_begins_at_its_height,
    governance::what_can_be_no_longer_fails_and_says_why,
    faucet::work_is_paid_once_an_epoch,
    faucet::only_work_is_paid,
    faucet::all_accounts_together_have_a_bound,
    faucet::a_shut_faucet_says_so,
    org::an_organisation_is_founded_under_a_claimed_handle,
    org::members_are_invited_and_accept,
    org::there_is_always_an_owner,
    org::teams_are_of_members,
    org::owners_spend_what_an_organisation_has,
    repo::broken_rules_have_their_codes,
    repo::a_former_name_leads_to_the_repository,
    repo::a_repository_is_offered_and_accepted,
    repo::an_account_has_so_many_repositories,
    repo::collaborators_have_roles,
    repo::teams_and_owners_of_an_organisation_have_roles,
    repo::a_fork_says_where_it_comes_from,
    repo::stars_are_counted,
    repo::protected_refs_are_protected,
    push::a_third_refuses_with_the_reason,
    push::a_push_fails_at_its_deadline,
    push::a_certificate_is_used_once_and_goes_stale,
    push::only_the_owner_pushes_and_only_to_what_is_there,
    push::what_is_in_flight_is_bounded,
    push::what_all_have_in_flight_is_bounded,
    push::a_certificate_brought_by_another_first_spoils_nothing,
    push::a_lost_race_is_told_when_refs_would_move,
    push::rules_are_asked_again_when_refs_would_move,
    push::files_and_directories_of_refs_exclude_each_other,
    push::refs_are_bounded_and_the_default_branch_stays,
    discussion::comments_are_numbered_and_keep_their_history,
    discussion::reactions_are_counted,
    discussion::a_locked_thread_is_for_those_with_a_role,
    issue::an_issue_is_opened_closed_and_opened_again,
    issue::a_locked_issue_is_for_those_with_a_role,
    issue::labels_are_made_before_they_are_used,
    issue::milestones_are_numbered,
    issue::people_with_a_role_are_assigned,
    issue::so_many_issues_are_pinned_and_no_more,
    candidates::more_stake_takes_the_place_of_one_that_waits,
    candidates::no_stake_takes_the_place_of_one_in_the_set,
    candidates::who_left_jail_and_is_outbid_is_told,
    pushes::a_push_in_flight_is_held_to_the_rules_that_came_meanwhile,
    pushes::a_push_in_flight_finds_what_another_did_first,
    rules::a_repository_that_is_not_there_is_nobodys,
    rules::an_archived_repository_stays_as_it_is,
    rules::a_number_that_is_not_there_is_no_thread,
    rules::a_locked_thread_and_the_issues_of_others_are_left_alone,
    rules::only_owners_run_an_organisation_that_is_there,
    rules::nobody_acts_before_there_is_an_account,
    rules::a_key_that_was_somebodys_makes_no_account,
    rules::an_offer_is_accepted_where_there_is_room_for_it,
    rules::stake_moves_under_the_rules_of_what_it_leaves_and_where_it_comes_to,
    rules::a_vote_and_a_deposit_are_for_a_proposal,
    mempool::tests::an_account_has_so_many_waiting_and_no_more,
    query::tests::what_cannot_be_answered_is_refused,
];

/// Each row is said by something, to the letter; and what is said has a row, with this or another
/// sentence: amounts differ.
#[test]
fn every_rule_of_every_action_is_broken_and_says_what_it_is() {
    let heard = heard(|| BREAKING.iter().for_each(|breaks| breaks()));
    let table = table();
    let of = |row: &Row| (row.what, row.code);
    let mut wrong = String::new();
    for row in table.iter().filter(|row| !heard.contains(row)) {
        writeln!(wrong, "nothing says:  {row}").unwrap();
        for other in heard.iter().filter(|one| of(one) == of(row)) {
            writeln!(wrong, "  but rather:  {other}").unwrap();
        }
    }
    let pairs: BTreeSet<_> = table.iter().map(of).collect();
    for row in heard.iter().filter(|row| !pairs.contains(&of(row))) {
        writeln!(wrong, "has no row:    {row}").unwrap();
    }
    assert!(wrong.is_empty(), "tests/refusals.txt and what is said differ\n{wrong}");
}

#[test]
fn the_table_has_every_code_in_order_and_each_sentence_a_way_out() {
    let mut rows = table();
    // Below 100 is what needs no state, and a server of its own says that it is busy.
    let ours = |code: &&Code| code.number() >= 100 && **code != Code::QueryBusy;
    let has = |code: &&Code| rows.iter().any(|row| row.code == **code);
    let missing: Vec<_> = Code::ALL.iter().filter(ours).filter(|code| !has(code)).collect();
    assert!(missing.is_empty(), "no row has {missing:?}");
    // A rule, and after it the way out.
    let silent = rows.iter().find(|row| !row.sentence.contains([':', ';']));
    assert_eq!(silent, None);
    rows.sort();
    rows.dedup();
    let sorted: String = rows.iter().map(|row| format!("{row}\n")).collect();
    for (line, sorted) in TABLE.lines().zip(sorted.lines()) {
        assert_eq!(line, sorted, "in order and aligned");
    }
    assert_eq!(TABLE, sorted, "each once");
}
