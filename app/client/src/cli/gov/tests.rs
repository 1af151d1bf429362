//! Parameters on the command line, and what is said of proposals.
use super::*;
use guts_schema::proto::ProposalStatus;

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
        proposal.reason = "wh\x1by".into();
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
fn votes_that_were_not_counted_are_not_shown_as_none() {
    let mut proposal = proto::Proposal { votes: 3, ..Default::default() };
    assert_eq!(read::tally(&proposal), Value::Null);
    (proposal.yes, proposal.veto, proposal.total) = (5, 1, 10);
    let counted = json!({ "yes": "5", "no": "0", "veto": "1", "abstain": "0", "total": "10" });
    assert_eq!(read::tally(&proposal), counted);
}
