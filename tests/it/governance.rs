//! Governance and stake on a live chain, as programs see them.

use guts_tests::keys;
use guts_tests::person::Person;
use guts_tests::solo::Solo;
use serde_json::{Value, json};

fn is_proved(value: &Value) -> bool {
    value["proved_height"].as_u64().is_some_and(|height| height > 0)
}

/// A chain that drops proposals after a second, and somebody with a balance on it.
fn start(place: &tempfile::TempDir) -> (Solo, Person) {
    let key = place.path().join("ada");
    let funded = keys::genesis_account(&key, 20_000_000);
    let net = Solo::start(|genesis| {
        let state = &mut genesis["app_state"];
        state["params"] = json!({"gov_deposit_s": 1});
        state["account"]["accounts"].as_array_mut().expect("a list").push(funded);
    });
    let ada = Person::with_key(net.rpc(), net.gateway(), &key);
    (net, ada)
}

#[test]
fn a_proposal_is_voted_on_and_another_dropped() {
    let place = tempfile::tempdir().expect("a directory");
    let (net, ada) = start(&place);
    let json_of = |args: &[&str]| ada.json(args, ada.dir());
    let small = ["gov", "propose", "text", "small", "--text", "why", "--deposit", "5"];
    let bill = json_of(&[&small[..], &["--dry-run"]].concat());
    assert_eq!((&bill["sent"], &bill["actions"]), (&json!(false), &json!(["propose"])));
    assert_eq!(bill["outcome"]["code"], 0, "{bill}");
    let kinds: Vec<_> = bill["outcome"]["events"].as_array().expect("a list").iter().collect();
    assert!(!kinds.is_empty() && kinds.iter().all(|one| one["kind"].is_string()), "{bill}");
    let more = ["--text", "because", "--set", "epoch_s=7200", "--set", "gov_open_max=60"];
    let made = json_of(&[&["gov", "propose", "params", "longer epochs"], &more[..]].concat());
    assert_eq!((&made["proposal"], &made["status"]), (&json!(1), &json!("voting")));
    assert!(is_proved(&made), "{made}");

    json_of(&["stake", "delegate", &ada.first_validator(), "5000000"]);
    json_of(&["gov", "vote", "1", "veto"]);
    let voted = json_of(&["gov", "vote", "1", "yes"]);
    assert_eq!((&voted["option"], &voted["status"]), (&json!("yes"), &json!("voting")));
    let shown = json_of(&["gov", "show", "1", "--votes"]);
    assert_eq!(shown["cast"], json!([{"account": "ada", "option": "yes"}]));
    assert_eq!(shown["content"], json!({"epoch_s": 7200, "gov_open_max": 60}));
    assert_eq!(shown["deposits"], json!([{"account": "ada", "amount": "1000000"}]));
    assert!(shown["tally"].is_null() && is_proved(&shown), "{shown}");
    // Five of the fifteen million there are: the quorum is a third and a bit.
    let tally = json!({
        "yes": "5000000", "no": "0", "veto": "0", "abstain": "0", "total": "15000000"
    });
    assert_eq!(shown["so_far"]["tally"], tally);
    assert_eq!(shown["so_far"]["quorum"], "5010000");
    assert_eq!(shown["so_far"]["would"], "be_rejected", "{shown}");

    let before = json_of(&["whoami"])["balance"].clone();
    let made = json_of(&small);
    assert_eq!((&made["proposal"], &made["status"]), (&json!(2), &json!("deposit")));
    // Header time passes, and only blocks with transactions move proposals on.
    let dropped = net.wait("the end of deposits", || {
        json_of(&["gov", "vote", "1", "yes"]);
        let shown = json_of(&["gov", "show", "2"]);
        (shown["status"] != "deposit").then_some(shown)
    });
    assert_eq!((&dropped["status"], &dropped["deposits"]), (&json!("dropped"), &json!([])));
    assert_eq!(json_of(&["whoami"])["balance"], before, "what was laid down came back");
    let numbers = |all: &[&str]| -> Vec<Value> {
        let listed = json_of(&[&["gov", "list"], all].concat());
        assert!(is_proved(&listed), "{listed}");
        let listed = listed["proposals"].as_array().expect("a list").iter();
        listed.map(|one| one["proposal"].clone()).collect()
    };
    assert_eq!((numbers(&[]), numbers(&["--all"])), (vec![json!(1)], vec![json!(1), json!(2)]));
    let late = ada.guts(&["gov", "deposit", "2", "5", "--output", "json"], ada.dir());
    assert!(late.expect_refused().said().contains("proposal_past"));
}

#[test]
fn a_dry_run_of_what_would_be_refused_says_so() {
    let place = tempfile::tempdir().expect("a directory");
    let (_net, ada) = start(&place);
    let validator = ada.first_validator();
    let dear = ["stake", "delegate", &validator, "999999999"];
    let trial = ada.guts(&[&dear[..], &["--dry-run", "--output", "json"]].concat(), ada.dir());
    let trial: Value = serde_json::from_str(&trial.expect_refused().stdout).expect("JSON alone");
    assert_eq!((&trial["sent"], &trial["actions"]), (&json!(false), &json!(["delegate"])));
    // What is said is what is said when it is sent.
    let sent = ada.guts(&[&dear[..], &["--output", "json"]].concat(), ada.dir());
    let sent: Value = serde_json::from_str(&sent.expect_refused().stdout).expect("JSON alone");
    let outcome = &trial["outcome"];
    assert_eq!(outcome["name"], sent["error"]["kind"], "{trial} {sent}");
    let said = sent["error"]["message"].as_str().expect("a sentence");
    assert!(said.contains(outcome["sentence"].as_str().expect("a sentence")), "{said}");
}

#[test]
fn stake_on_its_way_is_listed_until_it_is_due() {
    let place = tempfile::tempdir().expect("a directory");
    let (_net, ada) = start(&place);
    let json_of = |args: &[&str]| ada.json(args, ada.dir());
    let validator = ada.first_validator();
    json_of(&["stake", "delegate", &validator, "5000"]);
    for amount in ["1000", "500"] {
        json_of(&["stake", "unbond", &validator, amount]);
    }
    let shown = json_of(&["stake", "show"]);
    assert_eq!(shown["delegations"][0]["amount"], "3500");
    assert_eq!(shown["delegations"][0]["rewards"], "0");
    let left = shown["unbondings"].as_array().expect("a list");
    let amounts: Vec<_> = left.iter().map(|one| one["amount"].clone()).collect();
    assert_eq!(amounts, ["1000", "500"]);
    let due = |at: usize| left[at]["due_s"].as_u64().expect("a time");
    assert!(due(0) > 0 && due(0) <= due(1) && left[0]["to"].is_null(), "{shown}");
    assert_eq!(left[1]["validator"], validator);
}
