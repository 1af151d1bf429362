//! The command line itself.
use clap::CommandFactory;

use super::*;

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn global_flags_go_anywhere() {
    let cli = Cli::try_parse_from(["guts", "repo", "show", "a/b", "--output", "json"]);
    assert_eq!(cli.expect("good").global.output, Format::Json);
    assert!(Cli::try_parse_from(["guts", "repo"]).is_err());
    assert!(Cli::try_parse_from(["guts", "repo", "list", "alice", "--all"]).is_err());
    let create = ["guts", "repo", "create", "x", "--object-format", "md5"];
    assert!(Cli::try_parse_from(create).is_err());
}

#[tokio::test]
async fn a_genesis_file_is_pinned_and_another_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = r#"{"genesis_time":"2024-03-14T15:09:26Z","chain_id":"guts-test"}"#;
    let file = dir.path().join("genesis.json");
    std::fs::write(&file, text).expect("written");
    let mut home = Home::open(&dir.path().join("home")).expect("empty");
    let out = Out::new(true);
    pin(&mut home, "http://127.0.0.1:1", file.to_str(), &out).await.expect("pinned");
    let hash = home.config.genesis_hash.clone().expect("pinned");
    pin(&mut home, "http://127.0.0.1:1", Some(&hash), &out).await.expect("the same");
    let other = pin(&mut home, "http://127.0.0.1:1", Some("00"), &out).await;
    assert_eq!(other.expect_err("another").exit_code(), 2);
}
