//! Keeps the house in order: arrows between crates, bans in pure crates, form of files, module
//! shape, safety ids. Each test lists everything it found, not the first thing.

mod crates;
mod files;
mod safety;

use std::path::{Path, PathBuf};

/// Fails with one line for each finding.
fn report(rule: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}

/// Every Rust file of the repository, sorted, as (path from the root, text).
fn rust_files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    collect(guts_tests::root(), &mut files);
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a source file is text");
            (relative(&path), text)
        })
        .collect()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory of the repository") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn relative(path: &Path) -> String {
    path.strip_prefix(guts_tests::root()).expect("inside the root").display().to_string()
}
