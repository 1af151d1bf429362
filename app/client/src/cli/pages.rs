//! `guts completions`, `guts man`: made from the command line itself.

use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;

use super::Cli;
use super::out::Out;
use crate::Error;

/// Prints what a shell sources to complete `guts`.
pub fn completions(shell: Shell, out: &Out) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "guts", &mut script);
    let script = String::from_utf8_lossy(&script);
    out.text(script.trim_end());
    out.result(&json!({ "shell": shell.to_string(), "script": script }));
    Ok(())
}

/// Writes a manual page for each command.
pub fn man(dir: &Path, out: &Out) -> Result<(), Error> {
    let wrong = |error: std::io::Error| Error::Home {
        path: dir.display().to_string(),
        why: error.to_string(),
    };
    std::fs::create_dir_all(dir).map_err(wrong)?;
    let mut command = Cli::command();
    command.build();
    let mut files = Vec::new();
    write_pages(&command, dir, &mut files).map_err(wrong)?;
    out.fact(&format!("{} manual pages in {}", files.len(), dir.display()));
    out.line(&format!("Read one with: man -l {}", files[0].display()));
    out.result(&json!({ "files": files }));
    Ok(())
}

/// `guts.1`, `guts-repo.1`, `guts-repo-create.1`...
fn write_pages(
    command: &clap::Command,
    dir: &Path,
    files: &mut Vec<PathBuf>,
) -> std::io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let file = dir.join(format!("{name}.1"));
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).title(name).render(&mut page)?;
    std::fs::write(&file, page)?;
    files.push(file);
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        write_pages(inner, dir, files)?;
    }
    Ok(())
}
