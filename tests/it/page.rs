//! What the gateway's page tells a newcomer to type, typed.

use std::path::Path;

use guts_tests::localnet::Localnet;
use guts_tests::run::{git, run};
use guts_tests::{http, program};

#[test]
fn what_the_page_tells_to_type_makes_an_account_and_pushes() {
    let net = Localnet::start(&[]);
    let gateway = net.gateway(1);
    let page = http::text(gateway.trim_start_matches("http://"), "").expect("the page");
    let (_, rest) = page.split_once("<pre>").expect("lines to type");
    let (lines, _) = rest.split_once("</pre>").expect("their end");
    let lines = lines.replace("YOU", "eve").replace("NAME", "project").replace("&amp;", "&");

    let home = tempfile::tempdir().expect("a directory");
    let dir = home.path().join("project");
    git(&["init", "-q", "-b", "trunk", "project"], home.path()).expect_ok();
    git(&["commit", "-q", "--allow-empty", "-m", "first"], &dir).expect_ok();
    let programs = program("guts").parent().expect("a directory").display().to_string();
    let path = format!("{programs}:{}", std::env::var("PATH").expect("git is somewhere"));
    let env = [("HOME", &*home.path().display().to_string()), ("PATH", &path)];
    run(Path::new("bash"), &["-eux", "-c", &lines], &dir, &env).expect_ok();

    let url = format!("{gateway}/eve/project.git");
    let refs = git(&["ls-remote", &url, "refs/heads/trunk"], &dir).expect_ok().stdout;
    assert!(refs.ends_with("refs/heads/trunk\n"), "{refs}");
}
