//! The pages of `tests/book/`: what is typed is run, what is said is compared, and every command
//! has its place in one of them.
//!
//! A block of a page that is marked `console` has lines that begin with `$ `, each followed by what
//! it says. `...` stands for any text within a line; a line that is nothing else, for any lines.
//! The lines of a page share a shell, whose home has an ssh key with balance in genesis. A page
//! that shows parameters as `json` has a chain of its own with them; the others share one.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;

use guts_tests::process::{COMMAND_PATIENCE, end, end_group};
use guts_tests::run::run;
use guts_tests::solo::Solo;
use guts_tests::{keys, program, root};
use serde_json::{Value, json};

/// What the shell prints after each command.
const MARK: &str = "@end-of-command@";

/// A line that is typed, and what it is to say.
struct Step {
    typed: String,
    said: Vec<String>,
}

fn pages() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("tests/book")).expect("the book");
    let mut pages: Vec<_> = folder.map(|entry| entry.expect("an entry").path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    pages
}

/// The parameters of the chain that a page has to itself.
fn parameters(page: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(page).expect("readable");
    let (_, after) = text.split_once("```json\n")?;
    let (text, _) = after.split_once("```")?;
    Some(serde_json::from_str(text).expect("parameters in JSON"))
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let (true, Some(typed)) = (inside, line.strip_prefix("$ ")) {
            steps.push(Step { typed: typed.to_owned(), said: Vec::new() });
        } else if let (true, Some(step)) = (inside, steps.last_mut()) {
            step.said.push(line.to_owned());
        }
    }
    steps
}

/// Whether a line is as the page has it.
fn is_line(expected: &str, found: &str) -> bool {
    let parts: Vec<_> = expected.split("...").collect();
    let [first, middle @ .., last] = &parts[..] else { return expected == found };
    let Some(mut rest) = found.strip_prefix(first) else { return false };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Whether the lines are as the page has them.
fn is_said(expected: &[String], found: &[String]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((any, rest)) if any == "..." => {
            (0..=found.len()).any(|skipped| is_said(rest, &found[skipped..]))
        }
        Some((line, rest)) => {
            found.first().is_some_and(|first| is_line(line, first)) && is_said(rest, &found[1..])
        }
    }
}

/// The shell of a page, ended with what it has started when it is dropped.
struct Shell {
    process: Child,
    input: ChildStdin,
    /// What it says, line by line.
    lines: mpsc::Receiver<String>,
}

impl Shell {
    fn start(net: &Solo, home: &Path) -> Shell {
        let programs = program("guts");
        let programs = programs.parent().expect("a directory").display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("bash");
        shell.current_dir(home).env("HOME", home).env("PATH", format!("{programs}:{path}"));
        shell.env("GUTS_NODE", net.rpc()).env("GUTS_GATEWAY", net.gateway());
        shell
            .env("ENGINE_HOME", net.home().join("second"))
            .env_remove("SSH_AUTH_SOCK")
            .env_remove("VISUAL");
        shell.env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            shell.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@host");
        }
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut process = shell.spawn().expect("bash");
        let input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // Until it ends, or nobody listens any more.
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Shell { process, input, lines }
    }

    /// Types a line and returns what it says.
    fn run(&mut self, typed: &str) -> Vec<String> {
        let mut said = Vec::new();
        let line = format!("{{ {typed}\n}} 2>&1 </dev/null\necho {MARK}\n");
        let mut ended = self.input.write_all(line.as_bytes()).map_err(|error| error.to_string());
        while ended.is_ok() {
            match self.lines.recv_timeout(COMMAND_PATIENCE) {
                Ok(line) if line == MARK => return said,
                Ok(line) => said.push(line.trim_end().to_owned()),
                Err(error) => ended = Err(error.to_string()),
            }
        }
        panic!("$ {typed}\n{}\nthe shell did not come back: {ended:?}", said.join("\n"));
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        end_group(self.process.id());
        end(&mut self.process);
    }
}

/// Makes a home with a key, and returns what genesis says of it.
fn home(folder: &Path, page: &Path) -> Value {
    let home = folder.join(page.file_stem().expect("a name"));
    std::fs::create_dir_all(home.join(".ssh")).expect("made");
    let key = home.join(".ssh/id_ed25519");
    keys::make(&key);
    json!({"key": keys::public_hex(&key), "balance": "10000000"})
}

/// Types what these pages have, on a chain with these parameters.
fn play(pages: &[PathBuf], parameters: Value) {
    let folder = tempfile::tempdir().expect("a directory");
    let accounts: Vec<_> = pages.iter().map(|page| home(folder.path(), page)).collect();
    let net = Solo::start(|genesis| {
        genesis["app_state"]["params"] = parameters;
        let list = &mut genesis["app_state"]["account"]["accounts"];
        list.as_array_mut().expect("a list").extend(accounts);
    });
    // A second engine's home, for whoever becomes a validator.
    let second = net.home().join("second").display().to_string();
    run(&program("guts-engine"), &["init", "--home", &second], net.home(), &[]).expect_ok();
    let mut wrong = String::new();
    for page in pages {
        let text = std::fs::read_to_string(page).expect("readable");
        let home = folder.path().join(page.file_stem().expect("a name"));
        let mut shell = Shell::start(&net, &home);
        for step in steps(&text) {
            let found = shell.run(&step.typed);
            if !is_said(&step.said, &found) {
                let name = page.file_name().expect("a name").to_string_lossy();
                wrong += &format!("\n{name}:\n$ {}\n{}\n", step.typed, found.join("\n"));
            }
        }
    }
    assert!(wrong.is_empty(), "the book says something else than:\n{wrong}");
}

#[test]
fn what_the_book_shows_is_what_happens() {
    let shared: Vec<_> = pages().into_iter().filter(|page| parameters(page).is_none()).collect();
    play(&shared, json!({}));
}

#[test]
fn what_the_book_shows_of_hurried_chains_is_what_happens() {
    let own = pages().into_iter().filter_map(|page| parameters(&page).map(|found| (page, found)));
    for (page, parameters) in own {
        play(&[page], parameters);
    }
}

#[test]
fn every_command_is_in_the_book() {
    let folder = tempfile::tempdir().expect("a directory");
    let to = folder.path().display().to_string();
    run(&program("guts"), &["man", &to], folder.path(), &[]).expect_ok();
    let entries = std::fs::read_dir(folder.path()).expect("pages").flatten();
    let names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    let names: Vec<_> = names.iter().filter_map(|name| name.strip_suffix(".1")).collect();
    // A command that has others below it is no command by itself.
    let is_whole = |name: &&&str| !names.iter().any(|other| other.starts_with(&format!("{name}-")));
    let book: String = pages().iter().map(|page| std::fs::read_to_string(page).unwrap()).collect();
    let typed: Vec<_> = steps(&book).into_iter().map(|step| step.typed).collect();
    let missing: Vec<_> = names
        .iter()
        .filter(is_whole)
        .map(|name| name.replace('-', " "))
        .filter(|command| !typed.iter().any(|line| line.contains(command.as_str())))
        .collect();
    assert!(names.len() > 20, "there are only {} pages", names.len());
    assert!(missing.is_empty(), "in no page of tests/book: {missing:?}");
}

#[test]
fn dots_stand_for_anything() {
    assert!(is_line("a ... c", "a b c") && is_line("...c", "abc") && is_line("a...", "a"));
    assert!(is_line("a", "a") && !is_line("a", "ab") && !is_line("a...c...e", "abcd"));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(is_said(&lines("a\n...\nd"), &lines("a\nb\nc\nd")));
    assert!(!is_said(&lines("a\n..."), &lines("b")) && !is_said(&lines("a"), &lines("a\nb")));
}
