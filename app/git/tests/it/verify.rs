//! Verdicts on objects that are there, that are missing, and that this machine cannot hold.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use guts_git::{Limits, Oid, PackStore, RefUpdate, Repositories, Verifier};
use guts_schema::attest::Verdict;

use crate::world::{REPO, sha1};

/// Entries of a tree that takes 27 MB once it is inflated, and next to nothing before.
const ENTRIES: usize = 400_000;
/// Enough for git to start and to look at what is small.
const TIGHT_BYTES: u64 = 24 << 20;

/// What git prints, in a bare repository.
fn git(dir: &Path, args: &[&str], input: &[u8]) -> String {
    let mut git = Command::new("git");
    git.arg("--git-dir").arg(dir).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{who}_NAME"), "Alice").env(format!("GIT_{who}_EMAIL"), "a@b.c");
    }
    let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git {args:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn verdict(home: &Path, limits: Limits, tip: &str) -> Result<Verdict, String> {
    let repositories = Repositories::open(home, Path::new("/bin/false"), limits, sha1()).unwrap();
    let verifier = Verifier::new(repositories, PackStore::open(home).unwrap());
    let new: Option<Oid> = Some(tip.parse().unwrap());
    let update = RefUpdate { name: "refs/heads/main".into(), old: None, new };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let verdict = runtime.block_on(verifier.verify(REPO, None, &[update]));
    verdict.map_err(|error| error.to_string())
}

#[test]
fn a_check_that_runs_out_of_memory_says_nothing_about_the_push() {
    let home = tempfile::tempdir().unwrap();
    let repositories =
        Repositories::open(home.path(), Path::new("/bin/false"), Limits::default(), sha1())
            .unwrap();
    let dir = repositories.ensure(REPO).unwrap();
    let blob = git(&dir, &["hash-object", "-w", "--stdin"], b"the same everywhere");
    let entry = |i| format!("100644 blob {blob}\tfile{i:07}-with-a-name-of-some-length\n");
    let entries: String = (0..ENTRIES).map(entry).collect();
    let tree = git(&dir, &["mktree"], entries.as_bytes());
    let tip = git(&dir, &["commit-tree", "-m", "wide", &tree], b"");

    let tight = Limits { memory_bytes: TIGHT_BYTES, ..Limits::default() };
    let error = verdict(home.path(), tight, &tip).expect_err("no verdict");
    assert!(error.contains("rev-list") && error.contains("emory"), "{error}");

    assert_eq!(verdict(home.path(), Limits::default(), &tip), Ok(Verdict::Good));
    std::fs::remove_file(dir.join("objects").join(&blob[..2]).join(&blob[2..])).unwrap();
    assert_eq!(verdict(home.path(), Limits::default(), &tip), Ok(Verdict::ObjectsMissing));
}
