//! The command line on a live chain: keys, JSON, fees, and trust that ran out.

use std::path::Path;

use guts_tests::keys::{self, Agent};
use guts_tests::person::Person;
use guts_tests::run::{Ran, run};
use guts_tests::solo::{Solo, json_file};
use guts_tests::{http, program};
use serde_json::{Value, json};

fn stranger(net: &Solo) -> Person {
    Person::stranger(net.rpc(), net.gateway())
}

/// What a failed command said as JSON: the kind of the error, and its sentence.
fn error(ran: Ran) -> (String, String) {
    let ran = ran.expect_refused();
    let value: Value = serde_json::from_str(&ran.stdout).expect("JSON alone");
    let text = |key: &str| value["error"][key].as_str().expect("a text").to_owned();
    (text("kind"), text("message"))
}

#[test]
fn a_key_in_an_agent_signs_transactions_and_pushes() {
    let place = tempfile::tempdir().expect("a directory");
    let Some(agent) = Agent::start(place.path()) else { return };
    let key = place.path().join("id");
    keys::make(&key);
    agent.add(&key);
    // From here on only the agent has it.
    std::fs::remove_file(&key).expect("removed");
    let net = Solo::start(|_| {});
    let mut ada = stranger(&net);
    ada.set("SSH_AUTH_SOCK", "");
    let said = ada.guts(&["init", "--key", "agent"], ada.dir()).expect_refused().said();
    assert!(said.contains("SSH_AUTH_SOCK"), "{said}");
    ada.set("SSH_AUTH_SOCK", &agent.socket());
    ada.guts(&["init", "--key", "agent", "--handle", "ada"], ada.dir()).expect_ok();
    let dir = ada.repository("hello");
    let said = ada.git(&["push", "origin", "main"], &dir).expect_ok().said();
    assert!(said.contains("committed in block"), "{said}");
    let log = ada.json(&["repo", "log", "ada/hello"], &dir);
    let own = ada.json(&["whoami"], &dir);
    assert_eq!(log["entries"][0]["key"], own["keys"][0]["fingerprint"]);
    // The agent that no longer holds it is told apart from one that is not there.
    drop(agent);
    let (kind, message) = error(ada.guts(&["repo", "create", "x", "--output", "json"], &dir));
    assert_eq!(kind, "key", "{message}");
}

#[test]
fn a_key_file_of_ssh_keygen_is_an_account() {
    let net = Solo::start(|_| {});
    let bob = stranger(&net);
    let key = bob.dir().join("id");
    keys::make(&key);
    let path = key.display().to_string();
    let made = bob.json(&["init", "--key", &path, "--handle", "bob"], bob.dir());
    assert_eq!(made["handle"], "bob");
    let public = std::fs::read_to_string(key.with_extension("pub")).expect("made");
    let shown = made["keys"][0]["key"].as_str().expect("a key");
    assert!(public.starts_with(shown), "{public} is not {shown}");
    let dir = bob.repository("his");
    bob.git(&["push", "-q", "origin", "main"], &dir).expect_ok();
    bob.guts(&["repo", "verify", "."], &dir).expect_ok();
    // The same key again is the same account, and nothing is paid for.
    assert_eq!(bob.json(&["init"], bob.dir())["account"], made["account"]);
}

#[test]
fn every_command_speaks_json_and_says_where_it_was_proved() {
    let net = Solo::start(|_| {});
    let ada = stranger(&net);
    let here = ada.dir();
    let made = ada.json(&["init", "--handle", "ada"], here);
    let proved = |value: &Value| {
        assert!(value["proved_height"].as_u64().is_some_and(|h| h > 0), "{value}");
    };
    proved(&made);
    let whoami = ada.json(&["whoami"], here);
    assert_eq!((&whoami["account"], &whoami["handle"]), (&made["account"], &json!("ada")));
    let created = ada.json(&["repo", "create", "hello", "--description", "one"], here);
    assert_eq!(created["repo"], "ada/hello");
    proved(&created);

    let tx = created["tx"].as_str().expect("a hash");
    let shown = ada.json(&["tx", "show", tx], here);
    assert_eq!(shown["actions"], json!(["create_repo"]));
    assert_eq!((&shown["code"], &shown["hash"]), (&json!(0), &json!(tx)));
    assert_eq!(shown["outcome_proved"], true);
    proved(&shown);
    let (kind, _) = error(ada.guts(&["tx", "show", &"00".repeat(32), "--output", "json"], here));
    assert_eq!(kind, "missing");

    let dir = ada.repository("pushed");
    ada.git(&["push", "-q", "origin", "main"], &dir).expect_ok();
    let list = ada.json(&["repo", "list", "--all"], here);
    let names: Vec<_> = list["repos"].as_array().expect("a list").iter().collect();
    assert_eq!((names.len(), &names[1]["repo"]), (2, &json!("ada/pushed")));
    proved(&list);
    let head = ada.git(&["rev-parse", "HEAD"], &dir).expect_ok().stdout;
    let show = ada.json(&["repo", "show", "ada/pushed"], here);
    assert_eq!(show["refs"]["refs/heads/main"], head.trim());
    proved(&show);
    let log = ada.json(&["repo", "log", "ada/pushed"], here);
    assert_eq!((&log["count"], &log["entries"][0]["new"]), (&json!(1), &json!(head.trim())));
    proved(&log);
    let verified = ada.json(&["repo", "verify", "."], &dir);
    assert_eq!(verified["refs_root"], show["refs_root"]);
    let status = ada.json(&["node", "status"], here);
    assert_eq!((&status["chain"], &status["peers"]), (&json!("guts-solo"), &json!(0)));
    proved(&status);
    let (kind, message) = error(ada.guts(&["repo", "show", "ada/none", "--output", "json"], here));
    assert_eq!(kind, "missing", "{message}");
    edits(&ada, &dir);

    // The library, without the command line.
    let genesis = net.home().join("engine/config/genesis.json").display().to_string();
    let args = [net.rpc(), genesis, "ada/pushed".to_owned()];
    let args = args.each_ref().map(String::as_str);
    let said = run(&program("refs"), &args, here, &[]).expect_ok().stdout;
    assert!(said.contains("refs/heads/trunk") && said.contains("proved at height"), "{said}");
}

#[test]
fn a_saved_answer_is_checked_against_the_pinned_genesis() {
    let net = Solo::start(|_| {});
    let ada = stranger(&net);
    let here = ada.dir();
    let made = ada.json(&["init", "--handle", "ada"], here);
    let gateway = net.gateway();
    let gateway = gateway.strip_prefix("http://").expect("an address");
    let saved = here.join("answer.json");
    let path = saved.display().to_string();
    let save = |answer: &Value| std::fs::write(&saved, answer.to_string()).expect("written");
    let asked = |handle: &str| {
        let call = format!("rpc/guts_handle?handle=%22{handle}%22");
        http::get(gateway, &call).expect("an answer")
    };
    let mut answer = asked("ada");
    save(&answer);
    let verified = ada.json(&["verify", &path], here);
    assert_eq!(verified["key"], hex::encode(b"handle/ada\0"));
    let account = made["account"].as_str().expect("an id");
    assert!(verified["value"].as_str().expect("a value").contains(account), "{verified}");
    assert_eq!(verified["proved_height"].to_string(), answer["result"]["height"].as_str().unwrap());
    // Another value, or another key, is not what the proof speaks of.
    let other = asked("eve");
    let key = answer["result"]["key"].clone();
    answer["result"]["key"] = other["result"]["key"].clone();
    save(&answer);
    let (kind, message) = error(ada.guts(&["verify", &path, "--output", "json"], here));
    assert_eq!(kind, "differs", "{message}");
    assert!(message.contains("does not hold for key handle/eve"), "{message}");
    answer["result"]["key"] = key;
    answer["result"]["value"] = Value::Null;
    save(&answer);
    assert_eq!(error(ada.guts(&["verify", &path, "--output", "json"], here)).0, "differs");
    save(&other);
    assert_eq!(ada.json(&["verify", &path], here)["value"], Value::Null);

    // What a node answers, too, and a transaction.
    let call = format!("abci_query?path=%22/store%22&prove=true&data=0x{}", hex::encode("params/"));
    save(&net.get(&call).expect("an answer"));
    assert_eq!(ada.json(&["verify", &path], here)["key"], hex::encode("params/"));
    let created = ada.json(&["repo", "create", "hello"], here);
    let tx = created["tx"].as_str().expect("a hash");
    assert_eq!(ada.json(&["verify", tx], here)["actions"], json!(["create_repo"]));
    assert_eq!(error(ada.guts(&["verify", "nothing", "--output", "json"], here)).0, "usage");
}

#[test]
fn owners_who_are_exempt_do_no_work_and_others_choose_how_to_pay() {
    let place = tempfile::tempdir().expect("a directory");
    let path = |name: &str| place.path().join(name);
    let funded = ["ada", "bob"].map(|name| keys::genesis_account(&path(name), 2000));
    let net = Solo::start(|genesis| {
        let state = &mut genesis["app_state"];
        let exempt = json!({"kind": "open_issue", "work": 1 << 16, "fee": 70, "owner": true});
        state["params"] = json!({"prices": [exempt], "work_per_byte": 0});
        state["account"]["accounts"].as_array_mut().expect("a list").extend(funded);
    });
    let [ada, bob] =
        ["ada", "bob"].map(|name| Person::with_key(net.rpc(), net.gateway(), &path(name)));
    ada.json(&["repo", "create", "hers"], ada.dir());
    let open = ["issue", "open", "ada/hers", "a title", "--text", "why"];
    let trial = |who: &Person, more: &[&str]| {
        who.json(&[&open[..], &["--dry-run"], more].concat(), who.dir())
    };
    let (hers, his) = (trial(&ada, &[]), trial(&bob, &[]));
    assert_eq!((&hers["work_bits"], &hers["outcome"]["code"]), (&json!(0), &json!(0)), "{hers}");
    assert_eq!((&his["work_bits"], &his["others"]), (&json!(16), &json!(["fee"])), "{his}");
    assert_eq!(trial(&ada, &["--pay", "fee"])["fee"], "0");
    let his = trial(&bob, &["--pay", "fee"]);
    assert_eq!(
        (&his["fee"], &his["pay"], &his["outcome"]["code"]),
        (&json!("70"), &json!("fee"), &json!(0))
    );
    // What is sent is what was tried.
    for who in [&ada, &bob] {
        who.json(&[&open[..], &["--pay", "fee"]].concat(), who.dir());
    }
    let balance = |who: &Person| who.json(&["whoami"], who.dir())["balance"].clone();
    assert_eq!((balance(&ada), balance(&bob)), (json!("2000"), json!("1930")));
    ada.json(&open, ada.dir());
    let refused =
        bob.guts(&[&open[..], &["--pay", "stake", "--output", "json"]].concat(), bob.dir());
    assert_eq!(error(refused).0, "stake_missing");
}

/// What the owner changes is seen by git, too; an archived repository takes no pushes.
fn edits(ada: &Person, dir: &Path) {
    let edit = |args: &[&str]| ada.json(&[&["repo", "edit", "ada/pushed"], args].concat(), dir);
    let value = edit(&["--description", "about it", "--archive"]);
    assert_eq!((&value["description"], &value["archived"]), (&json!("about it"), &json!(true)));
    ada.commit(dir, "more", "second");
    let said = ada.git(&["push", "origin", "main"], dir).expect_refused().said();
    assert!(said.contains("archived") && said.contains("guts repo edit"), "{said}");
    assert_eq!(edit(&["--unarchive"])["archived"], false);
    ada.git(&["push", "-q", "origin", "main", "main:trunk"], dir).expect_ok();
    assert_eq!(edit(&["--default-branch", "trunk"])["default_branch"], "refs/heads/trunk");
    let said = ada.git(&["ls-remote", "--symref", "origin", "HEAD"], dir).expect_ok().stdout;
    assert!(said.contains("refs/heads/trunk"), "{said}");
    // Nothing to change: no transaction, and none is made up.
    assert_eq!(edit(&["--unarchive"])["tx"], Value::Null);
    let args = ["repo", "edit", "ada/pushed", "--output", "json"];
    assert_eq!(error(ada.guts(&args, dir)).0, "usage");
}

#[test]
fn where_work_is_refused_a_fee_is_paid() {
    let place = tempfile::tempdir().expect("a directory");
    let path = |name: &str| place.path().join(name).display().to_string();
    let account = |name: &str, balance| keys::genesis_account(&place.path().join(name), balance);
    let funded = [account("ada", 2000), account("bob", 499)];
    keys::make(&place.path().join("eve"));
    let net = Solo::start(|genesis| {
        let state = &mut genesis["app_state"];
        state["params"] = json!({"accept_work": false});
        state["account"]["accounts"].as_array_mut().expect("a list").extend(funded);
    });
    let ada = stranger(&net);
    assert_eq!(ada.json(&["init", "--key", &path("ada")], ada.dir())["balance"], "2000");
    ada.guts(&["repo", "create", "paid"], ada.dir()).expect_ok();
    assert_eq!(ada.json(&["whoami"], ada.dir())["balance"], "1500");

    let bob = stranger(&net);
    bob.guts(&["init", "--key", &path("bob")], bob.dir()).expect_ok();
    let short = bob.guts(&["repo", "create", "dear", "--output", "json"], bob.dir());
    let (kind, message) = error(short);
    assert_eq!(kind, "balance_low", "{message}");
    assert!(message.contains("has 499, 500 is needed: get more first"), "{message}");
    assert_eq!(bob.json(&["whoami"], bob.dir())["balance"], "499");

    // An account that is not there has nothing to pay with.
    let eve = stranger(&net);
    let args = ["init", "--key", &path("eve"), "--output", "json"];
    let (kind, message) = error(eve.guts(&args, eve.dir()));
    assert!(["balance_low", "account_unknown"].contains(&kind.as_str()), "{message}");
}

/// A function that waits for a header of a chain, and gives its hash.
fn hash_of(net: &Solo) -> impl Fn(u64) -> String {
    move |height: u64| {
        net.wait("the header", || {
            let commit = net.get(&format!("commit?height={height}"))?;
            let id = &commit["result"]["signed_header"]["commit"]["block_id"];
            id["hash"].as_str().map(str::to_owned)
        })
    }
}

#[test]
fn the_chain_says_for_how_long_a_header_is_trusted() {
    // Two hours ago: for the client alone that is not long. Only the first block has that time.
    let args = ["-u", "-d", "2 hours ago", "+%FT%TZ"];
    let time = run(Path::new("date"), &args, Path::new("/"), &[]).expect_ok().stdout;
    let net = Solo::start_set(
        |genesis| {
            genesis["genesis_time"] = time.trim().into();
            genesis["app_state"]["params"] = json!({"light_trust_s": 5400});
        },
        &["consensus.create_empty_blocks=true"],
    );
    let genesis = net.home().join("engine/config/genesis.json").display().to_string();
    let ada = stranger(&net);
    let here = ada.dir();
    let args = ["init", "--genesis", &genesis, "--output", "json"];
    let (kind, message) = error(ada.guts(&args, here));
    assert_eq!(kind, "trust_expired");
    assert!(message.contains("more than 90 minutes ago"), "{message}");
    assert!(message.contains("guts node trust --height H --hash HASH"), "{message}");
    let second = hash_of(&net)(2);
    ada.guts(&["node", "trust", "--height", "2", "--hash", &second], here).expect_ok();
    ada.guts(&["init"], here).expect_ok();

    // What the state says counts, not what was kept.
    let kept = here.join(".guts/trusted.json");
    let mut changed = json_file(&kept);
    assert_eq!(changed["light_trust_s"], 5400);
    changed["light_trust_s"] = 6000.into();
    std::fs::write(&kept, changed.to_string()).expect("written");
    ada.guts(&["whoami"], here).expect_ok();
    assert_eq!(json_file(&kept)["light_trust_s"], 5400);
}

#[test]
fn when_trust_ran_out_a_newer_header_is_pinned_by_hand() {
    // 2024: longer ago than any trust period. Only the first block has the time of the genesis.
    let net = Solo::start_set(
        |genesis| genesis["genesis_time"] = "2024-01-01T00:00:00Z".into(),
        &["consensus.create_empty_blocks=true"],
    );
    let hash = hash_of(&net);
    let (first, second, third) = (hash(1), hash(2), hash(3));
    let genesis = net.home().join("engine/config/genesis.json").display().to_string();
    let ada = stranger(&net);
    let here = ada.dir();
    let args = ["init", "--genesis", &genesis, "--output", "json"];
    let (kind, message) = error(ada.guts(&args, here));
    assert_eq!(kind, "trust_expired");
    assert!(message.contains("guts node trust --height H --hash HASH"), "{message}");

    let trust = |height: &str, hash: &str| {
        ada.guts(&["node", "trust", "--height", height, "--hash", hash, "--output", "json"], here)
    };
    let (kind, message) = error(trust("2", &"ab".repeat(32)));
    assert_eq!(kind, "not_proved", "{message}");
    let (_, message) = error(trust("1", &first));
    assert!(message.contains("take a newer one"), "{message}");
    assert_eq!(error(trust("2", "ab")).0, "usage");
    let pinned: Value =
        serde_json::from_str(&trust("2", &second).expect_ok().stdout).expect("JSON");
    assert_eq!(pinned["how"], "trusted");
    // From there on everything is proved as always.
    ada.guts(&["init", "--handle", "ada"], here).expect_ok();
    let again: Value = serde_json::from_str(&trust("3", &third).expect_ok().stdout).expect("JSON");
    assert_eq!(again["how"], "proved");

    // Who trusted the node with the genesis trusts it with its newest header, and is told so.
    let bob = stranger(&net);
    let said = bob.guts(&["init"], bob.dir()).expect_ok().said();
    assert!(said.contains("trusted on first use: the genesis is too old"), "{said}");
}
