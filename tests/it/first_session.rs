//! The README's first session, as it stands there, on a network that was just started.

use std::path::{Path, PathBuf};

use guts_tests::localnet::Localnet;
use guts_tests::{root, run};

/// Most lines a first session may have.
const LINES_MAX: usize = 10;

/// The lines of the README's console block: what is typed, and what is said.
fn session() -> (Vec<String>, Vec<String>) {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("a README");
    let (_, rest) = readme.split_once("## First session").expect("the section");
    let (_, rest) = rest.split_once("```console\n").expect("its block");
    let (block, _) = rest.split_once("```").expect("the end of the block");
    let (typed, said): (Vec<_>, Vec<_>) = block.lines().partition(|line| line.starts_with("$ "));
    let typed = typed.iter().map(|line| line[2..].to_string()).collect();
    (typed, said.into_iter().map(str::to_string).collect())
}

/// A shell that a person types into: what one line set, and where it went, the next one has.
struct Shell<'a> {
    /// What the lines so far set.
    state: PathBuf,
    env: &'a [(&'a str, &'a str)],
}

impl Shell<'_> {
    /// What a line says.
    fn line(&self, line: &str) -> String {
        let state = self.state.display();
        let script =
            format!("set -eu; . {state}; {line}\n{{ export -p; echo cd \"'$PWD'\"; }} > {state}");
        let dir = self.state.parent().expect("a directory");
        run::run(Path::new("bash"), &["-c", &script], dir, self.env).expect_ok().said()
    }
}

/// A text in which all numbers are equal: those of blocks depend on the moment.
fn same_numbers(text: &str) -> String {
    let parts = text.split(|c: char| c.is_ascii_digit()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("0")
}

#[test]
fn the_first_session_of_the_readme_works() {
    let (typed, said) = session();
    assert!(typed.len() <= LINES_MAX, "{} lines are too many", typed.len());
    let net = Localnet::start(&[]);
    let place = tempfile::tempdir().expect("a directory");
    let clone = place.path().join("guts");
    std::fs::create_dir_all(clone.join("target")).expect("made");
    let programs = guts_tests::program("guts");
    let programs = programs.parent().expect("a directory of programs");
    std::os::unix::fs::symlink(programs, clone.join("target/release")).expect("linked");
    let home = place.path().display().to_string();
    let env = [
        ("HOME", home.as_str()),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "Ada"),
        ("GIT_AUTHOR_EMAIL", "ada@example.com"),
        ("GIT_COMMITTER_NAME", "Ada"),
        ("GIT_COMMITTER_EMAIL", "ada@example.com"),
    ];
    let shell = Shell { state: place.path().join("state"), env: &env };
    std::fs::write(&shell.state, format!("cd {}", clone.display())).expect("written");
    let mut heard = String::new();
    for line in typed {
        heard += &shell.line(&line);
        // While a person reads what it said, the slowest node hears of the block.
        net.wait_agreed(&[0, 1, 2, 3], 1);
    }
    let heard = same_numbers(&heard);
    for line in said {
        assert!(heard.contains(&same_numbers(&line)), "nobody said {line:?}:\n{heard}");
    }
}
