//! The arrow table of ARCHITECTURE.md, and what a pure crate may not depend on.

use std::collections::BTreeSet;

/// Folder, package, and the packages of ours it may import (besides for tests).
const ARROWS: &[(&str, &str, &[&str])] = &[
    ("abci", "guts-abci", &[]),
    ("state/core", "guts-state", &[]),
    ("app/schema", "guts-schema", &[]),
    ("genesis", "guts-genesis", &["guts-abci"]),
    ("rpc", "guts-rpc", &["guts-abci"]),
    ("state/disk", "guts-state-disk", &["guts-state"]),
    ("consensus/core", "guts-consensus", &["guts-genesis", "guts-abci"]),
    ("app/core", "guts-app-core", &["guts-genesis", "guts-abci", "guts-state", "guts-schema"]),
    ("app/git", "guts-git", &["guts-schema"]),
    ("consensus/node", "guts-engine", &["guts-consensus", "guts-rpc", "guts-genesis", "guts-abci"]),
    ("consensus/sim", "guts-sim", &["guts-consensus", "guts-abci", "guts-genesis"]),
    (
        "app/server",
        "guts-app",
        &[
            "guts-app-core",
            "guts-git",
            "guts-state-disk",
            "guts-state",
            "guts-schema",
            "guts-rpc",
            "guts-abci",
        ],
    ),
    ("app/client", "guts-client", &["guts-schema", "guts-rpc", "guts-genesis"]),
];

/// The top: may import anything, and nothing imports them.
const TOP: &[(&str, &str)] = &[("localnet", "guts-localnet"), ("tests", "guts-tests")];

/// Crates without clock, randomness, environment, sockets, files and threads.
const PURE: &[&str] = &["genesis", "state/core", "app/schema", "app/core", "consensus/core"];

/// Outside crates that would make a pure crate impure.
const IMPURE: &[&str] = &[
    "tokio",
    "rand",
    "libp2p",
    "rocksdb",
    "hyper",
    "hyper-util",
    "axum",
    "reqwest",
    "rustix",
    "tempfile",
    "tracing-subscriber",
    "clap",
    "indicatif",
];

fn manifest(folder: &str) -> toml::Table {
    let path = guts_tests::root().join(folder).join("Cargo.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    text.parse().unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest = manifest(folder);
    let table = manifest.get("dependencies").and_then(|value| value.as_table());
    table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn every_member_is_in_the_arrow_table() {
    let root = manifest("");
    let members: BTreeSet<_> = root["workspace"]["members"]
        .as_array()
        .expect("members is a list")
        .iter()
        .map(|member| member.as_str().expect("a folder").to_string())
        .collect();
    let table: BTreeSet<_> = ARROWS
        .iter()
        .map(|(folder, ..)| folder.to_string())
        .chain(TOP.iter().map(|(folder, _)| folder.to_string()))
        .collect();
    assert_eq!(members, table, "workspace members and the arrow table differ");
}

#[test]
fn imports_follow_the_arrows() {
    let mut findings = Vec::new();
    for (folder, package, allowed) in ARROWS {
        for dependency in dependencies(folder) {
            if dependency.starts_with("guts-") && !allowed.contains(&dependency.as_str()) {
                findings.push(format!("{package} imports {dependency}"));
            }
        }
    }
    super::report("no arrow allows this import", findings);
}

/// Where files lie that any crate may read in its tests.
const SHARED: &str = "tests/vectors/";

/// The crate that a path lies in, and the folders it may take files from; `None` where it may take
/// them from anywhere.
fn reach(path: &str) -> Option<Vec<&'static str>> {
    let (own, _, allowed) =
        ARROWS.iter().find(|(folder, ..)| path.starts_with(&format!("{folder}/")))?;
    let below = ARROWS.iter().filter(|(_, package, _)| allowed.contains(package));
    Some(below.map(|(folder, ..)| *folder).chain([*own]).collect())
}

/// The path from the root of what the file at `from` names as `to`.
fn resolve(from: &str, to: &str) -> String {
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in to.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The paths of the files that a text includes, as it has them.
fn included(text: &str) -> Vec<&str> {
    let calls = ["include_str!(", "include_bytes!(", "include!("];
    let after = calls.iter().flat_map(|call| text.split(call).skip(1));
    after.filter_map(quoted).collect()
}

fn quoted(text: &str) -> Option<&str> {
    text.trim_start().strip_prefix('"')?.split('"').next()
}

#[test]
fn included_files_follow_the_arrows() {
    let (mut findings, mut seen) = (Vec::new(), 0);
    for (path, text) in super::rust_files() {
        let Some(folders) = reach(&path) else { continue };
        for to in included(&text) {
            seen += 1;
            let target = resolve(&path, to);
            let is_allowed = target.starts_with(SHARED)
                || folders.iter().any(|folder| target.starts_with(&format!("{folder}/")));
            if !is_allowed {
                findings.push(format!("{path} includes {target}"));
            }
        }
    }
    assert!(seen > 10, "only {seen} files are included");
    super::report("no arrow allows this file", findings);
}

#[test]
fn included_files_are_found() {
    let path = "app/git/src/exchange/tests.rs";
    let text = ["a(include_", "str!(\n    \"../x.pem\"\n))"].concat();
    assert_eq!(included(&text), ["../x.pem"]);
    assert_eq!(resolve(path, "../../../client/x.pem"), "app/client/x.pem");
    assert_eq!(reach(path), Some(vec!["app/schema", "app/git"]));
    assert_eq!(reach("tests/it/main.rs"), None);
}

#[test]
fn pure_crates_import_nothing_impure() {
    let mut findings = Vec::new();
    for folder in PURE {
        for dependency in dependencies(folder) {
            if IMPURE.contains(&dependency.as_str()) {
                findings.push(format!("{folder} imports {dependency}"));
            }
        }
    }
    super::report("a pure crate may not import this", findings);
}

#[test]
fn pure_crates_carry_the_same_ban_list() {
    let read = |folder: &str| {
        let path = guts_tests::root().join(folder).join("clippy.toml");
        std::fs::read_to_string(path).unwrap_or_default()
    };
    let model = read(PURE[0]);
    assert!(model.contains("std::collections::HashMap"), "the ban list names HashMap");
    let differing: Vec<_> =
        PURE.iter().filter(|folder| read(folder) != model).map(|f| f.to_string()).collect();
    super::report("clippy.toml differs from genesis/clippy.toml", differing);
}

#[test]
fn outside_crates_are_named_in_the_workspace_only() {
    let mut findings = Vec::new();
    for folder in ARROWS.iter().map(|row| row.0).chain(TOP.iter().map(|row| row.0)) {
        let manifest = manifest(folder);
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(section).and_then(|value| value.as_table()) else {
                continue;
            };
            for (name, value) in table {
                let own = value.as_table().is_some_and(|entry| entry.contains_key("workspace"));
                if !own {
                    findings.push(format!("{folder}: {name}"));
                }
            }
        }
    }
    super::report("versions belong in the root Cargo.toml", findings);
}
