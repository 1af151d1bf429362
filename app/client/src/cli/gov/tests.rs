//! Parameters on the command line, and what is said of proposals.
use super::*;
use guts_schema::proto::ProposalStatus;
use guts_schema::tally::{Bars, Tally};

fn changes(set: &[&str]) -> Result<String, Error> {
    let set = set.iter().map(|text| setting(text).expect("a setting")).collect();
    Changes { set }.object()
}

#[test]
fn parameters_are_given_in_json() {
    let found = changes(&["epoch_s=7200", "accept_fee=false", "prices=[]"]).expect("an object");
    let expected = json!({ "epoch_s": 7200, "accept_fee": false, "prices": [] });
    assert_eq!(found.parse::<Value>().expect("JSON"), expected);
    for text in ["epoch_s", "=1", "epoch_s=", "epoch_s=two", "epoch_s=1 2"] {
        assert!(setting(text).is_err(), "{text}");
    }
    let twice = changes(&["epoch_s=1", "epoch_s=2"]).expect_err("twice");
    assert_eq!((twice.exit_code(), twice.to_string().contains("epoch_s")), (2, true));
}

#[test]
fn every_status_is_said_with_what_belongs_to_it() {
    for (status, name, text) in [
        (ProposalStatus::Deposit, "deposit", "takes deposits until 2024-03-14T15:09:26Z"),
        (ProposalStatus::Voting, "voting", "takes votes until 2024-03-14T15:09:26Z"),
        (ProposalStatus::Queued, "queued", "carried out after 2024-03-14T15:09:26Z"),
        (ProposalStatus::Done, "done", "carried out"),
        (ProposalStatus::Rejected, "rejected", "rejected: why"),
        (ProposalStatus::Vetoed, "vetoed", "burnt"),
        (ProposalStatus::Failed, "failed", "cannot be carried out: why"),
        (ProposalStatus::Dropped, "dropped", "dropped: why"),
    ] {
        let mut proposal = proto::Proposal { until_s: 1_710_428_966, ..Default::default() };
        proposal.reason = "why".into();
        proposal.set_status(status);
        let said = read::standing(&proposal);
        assert!(said.contains(text), "{said}");
        assert_eq!(read::status_name(status), name);
    }
    let mut proposal = proto::Proposal::default();
    proposal.set_status(ProposalStatus::Dropped);
    assert!(read::standing(&proposal).contains("too little was laid down in time"));
}

#[test]
fn a_vote_under_way_says_what_it_needs_and_how_it_would_end() {
    let (quorum_ppm, threshold_ppm, veto_ppm) = (400_000, 500_000, 333_333);
    let bars = Bars { quorum_ppm, threshold_ppm, is_of_all: false, veto_ppm };
    let said = |yes, no, veto| {
        let tally = Tally { yes, no, veto, abstain: 1, total: 1000 };
        let (lines, value) = read::so_far(&tally, &bars);
        (lines.join("\n"), value["would"].as_str().expect("a word").to_owned())
    };
    let (lines, would) = said(500, 99, 0);
    assert!(lines.starts_with("stake     so far yes 500, no 99, veto 0, abstain 1, of 1000\n"));
    assert!(lines.contains("\nquorum    400, and 600 voted\n"), "{lines}");
    assert!(lines.contains("more than 50 % of yes, no and veto\n"), "{lines}");
    assert!(lines.contains("above 33.3333 % of all votes\n"), "{lines}");
    assert!(lines.ends_with("\nnow       it would be accepted"), "{lines}");
    assert_eq!(would, "pass");
    for (sums, end, name) in [
        ((398, 0, 0), "it would be rejected: too little stake voted", "be_rejected"),
        ((300, 300, 0), "it would be rejected: too little stake agreed", "be_rejected"),
        ((300, 0, 300), "it would be vetoed, and what was laid down burnt", "be_vetoed"),
    ] {
        let (lines, would) = said(sums.0, sums.1, sums.2);
        assert!(lines.ends_with(end), "{lines}");
        assert_eq!(would, name);
    }
}

#[test]
fn votes_that_were_not_counted_are_not_shown_as_none() {
    let mut proposal = proto::Proposal { votes: 3, ..Default::default() };
    assert_eq!(read::tally(&proposal), Value::Null);
    (proposal.yes, proposal.veto, proposal.total) = (5, 1, 10);
    let counted = json!({ "yes": "5", "no": "0", "veto": "1", "abstain": "0", "total": "10" });
    assert_eq!(read::tally(&proposal), counted);
}
