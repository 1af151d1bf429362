//! Form of files: header, length, width, tests beside, nothing unfinished, nothing of one machine.

/// Lines a file may have.
const FILE_LINES_MAX: usize = 600;
/// Lines a function may have, signature and braces included.
const FUNCTION_LINES_MAX: usize = 70;
/// Columns a line may have.
const COLUMNS_MAX: usize = 100;

/// The files a module of app/core may have.
const MODULE_FILES: &[&str] = &[
    "mod.rs",
    "state.rs",
    "authorize.rs",
    "execute.rs",
    "block.rs",
    "query.rs",
    "genesis.rs",
    "invariants.rs",
    "error.rs",
    "tests.rs",
];

/// Top-level folders of the map.
const TOP_FOLDERS: &[&str] =
    &["abci", "app", "consensus", "genesis", "localnet", "rpc", "state", "tests"];

#[test]
fn files_open_with_a_header() {
    let bare = super::rust_files()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| path)
        .collect();
    super::report("a file opens with a //! line that says what it is", bare);
}

#[test]
fn files_are_short() {
    let long = super::rust_files()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > FILE_LINES_MAX)
        .map(|(path, text)| format!("{path}: {} lines", text.lines().count()))
        .collect();
    super::report("a file has at most 600 lines", long);
}

#[test]
fn lines_are_narrow() {
    let mut wide = Vec::new();
    for (path, text) in super::rust_files() {
        for (number, line) in text.lines().enumerate() {
            // Neither a text nor a row of a table can be broken for its width.
            let whole = line.contains('"') || line.starts_with("//! |");
            if line.chars().count() > COLUMNS_MAX && !whole {
                wide.push(format!("{path}:{}", number + 1));
            }
        }
    }
    super::report("a line has at most 100 columns", wide);
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    for (path, text) in super::rust_files() {
        for (line, name, length) in functions(&text) {
            if length > FUNCTION_LINES_MAX {
                long.push(format!("{path}:{line} {name}: {length} lines"));
            }
        }
    }
    super::report("a function has at most 70 lines", long);
}

/// (line, name, length) of every function of a formatted file: it ends where its indentation does.
fn functions(text: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let indent = &line[..line.len() - trimmed.len()];
        let Some(name) = function_name(trimmed) else { continue };
        let end = lines[start..].iter().position(|line| {
            line.strip_prefix(indent).is_some_and(|rest| rest == "}" || rest.starts_with("} "))
        });
        if trimmed.ends_with('}') || trimmed.ends_with(';') {
            continue;
        }
        if let Some(length) = end {
            found.push((start + 1, name, length + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let mut rest = line;
    loop {
        let (word, tail) = rest.split_once(' ')?;
        match word {
            "fn" => {
                let end = tail.find(|c: char| !c.is_alphanumeric() && c != '_')?;
                return Some(tail[..end].to_string());
            }
            "pub" | "const" | "async" | "unsafe" => rest = tail,
            _ if word.starts_with("pub(") => rest = tail,
            _ => return None,
        }
    }
}

#[test]
fn function_lengths_are_measured() {
    let text = "pub async fn a(\n    x: u8,\n) {\n    b();\n}\n\n\
                impl C {\n    fn d() {}\n\n    fn e() {\n    }\n}\n";
    let names: Vec<_> = functions(text).into_iter().map(|(_, name, len)| (name, len)).collect();
    assert_eq!(names, [("a".to_string(), 5), ("e".to_string(), 2)]);
}

#[test]
fn tests_stand_beside_the_file() {
    let inside = super::rust_files()
        .into_iter()
        .filter(|(path, text)| !path.contains("tests") && text.contains("#[test]"))
        .map(|(path, _)| path)
        .collect();
    super::report("tests stand in tests.rs or tests/, not inside the file", inside);
}

#[test]
fn nothing_is_unfinished() {
    // Put together here, so that this file does not find itself.
    let marks = [
        "to".to_owned() + "do!(",
        "unimple".to_owned() + "mented!(",
        "#[ign".to_owned() + "ore",
        "FIX".to_owned() + "ME",
        "XX".to_owned() + "X",
    ];
    let mut findings = Vec::new();
    for (path, text) in super::rust_files() {
        for (number, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                findings.push(format!("{path}:{} {}", number + 1, line.trim()));
            }
        }
    }
    super::report("unfinished", findings);
}

#[test]
fn tests_wait_for_events() {
    let sleep = "sle".to_owned() + "ep(";
    let sleepy = super::rust_files()
        .into_iter()
        .filter(|(path, text)| path.contains("tests") && text.contains(&sleep))
        .map(|(path, _)| path)
        .collect();
    super::report("a test waits for the event (guts_tests::wait), it does not sleep", sleepy);
}

#[test]
fn modules_of_the_application_have_the_same_files() {
    let dir = guts_tests::root().join("app/core/src/modules");
    let mut findings = Vec::new();
    let mut modules = 0;
    for entry in std::fs::read_dir(dir).expect("app/core/src/modules") {
        let path = entry.expect("an entry").path();
        // A domain is a folder that has executable actions or state of its own.
        if !path.join("state.rs").is_file() {
            continue;
        }
        modules += 1;
        for file in std::fs::read_dir(&path).expect("a module") {
            let name = file.expect("an entry").file_name().to_string_lossy().into_owned();
            if !MODULE_FILES.contains(&name.as_str()) {
                findings.push(format!("{}/{name}", super::relative(&path)));
            }
        }
    }
    assert!(modules > 0, "there are no modules where they are looked for");
    super::report("not a file of the module shape", findings);
}

#[test]
fn top_level_folders_are_those_of_the_map() {
    let mut findings = Vec::new();
    for entry in std::fs::read_dir(guts_tests::root()).expect("the root") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let known = TOP_FOLDERS.contains(&name.as_str()) || name == "target";
        if path.is_dir() && !name.starts_with('.') && !known {
            findings.push(name);
        }
    }
    super::report("not a folder of the map in README.md", findings);
}
