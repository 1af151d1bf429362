//! The two hook programs that receive-pack starts, as `guts-app hook pre-receive|proc-receive`.
//!
//! pre-receive hands the push to the gateway's desk over a Unix socket, shows the lines it is
//! sent and ends as it is told; git drops the quarantine when it says no. proc-receive runs after
//! a yes and reports ok for every ref, moving nothing: the refs moved with the block.
//! Blocking, and without a runtime: the process lives for one push.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};

use serde::{Deserialize, Serialize};

use crate::pktline::{self, Line};

/// Environment variable: the path of the desk's socket.
pub(crate) const SOCKET: &str = "GUTS_HOOK_SOCKET";
/// Environment variable: which push this is.
pub(crate) const TOKEN: &str = "GUTS_HOOK_TOKEN";

/// What pre-receive tells the desk, as one JSON line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// Which push.
    pub token: String,
    /// The certificate, in hexadecimal; absent without one.
    pub certificate: Option<String>,
    /// Where the new objects are; absent when the push brought none.
    pub quarantine: Option<String>,
    /// `<old> <new> <ref>` for each command.
    pub commands: Vec<String>,
}

/// What the desk answers, a JSON line each, an `End` last.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// A line for the pusher.
    Say(String),
    /// The push is over: whether it was committed.
    End(bool),
}

/// Runs the hook called `name`; the exit code is what git expects of it.
pub fn run(name: &str) -> ExitCode {
    let result = match name {
        "pre-receive" => pre_receive(),
        "proc-receive" => proc_receive(&mut io::stdin().lock(), &mut io::stdout().lock()),
        _ => Err(io::Error::other(format!("no hook is called {name}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = error.to_string();
            if !text.is_empty() {
                eprintln!("refused: {text}");
            }
            ExitCode::FAILURE
        }
    }
}

fn pre_receive() -> io::Result<()> {
    let gone = "this gateway is not running; push again, or to another gateway";
    let variable = |name| env::var(name).map_err(|_| io::Error::other(gone));
    let socket = UnixStream::connect(variable(SOCKET)?).map_err(|_| io::Error::other(gone))?;
    let mut commands = Vec::new();
    for line in io::stdin().lock().lines() {
        commands.push(line?);
    }
    let question = Question {
        token: variable(TOKEN)?,
        certificate: certificate()?.map(hex::encode),
        quarantine: env::var("GIT_QUARANTINE_PATH").ok(),
        commands,
    };
    let mut line = serde_json::to_vec(&question)?;
    line.push(b'\n');
    (&socket).write_all(&line)?;
    for answer in BufReader::new(&socket).lines() {
        match serde_json::from_str(&answer?)? {
            Answer::Say(line) => eprintln!("{line}"),
            Answer::End(true) => return Ok(()),
            // The reasons were said.
            Answer::End(false) => return Err(io::Error::other("")),
        }
    }
    Err(io::Error::other(
        "the gateway stopped before the outcome was known; push again: git then says \
         \"Everything up-to-date\" if this push was committed",
    ))
}

/// The certificate git stored as a blob, if the client sent one.
fn certificate() -> io::Result<Option<Vec<u8>>> {
    let Some(blob) = env::var_os("GIT_PUSH_CERT").filter(|blob| !blob.is_empty()) else {
        return Ok(None);
    };
    let output = Command::new("git").args(["cat-file", "blob"]).arg(blob).output()?;
    if !output.status.success() {
        return Err(io::Error::other("the push certificate could not be read back"));
    }
    Ok(Some(output.stdout))
}

/// The proc-receive dialogue: version, commands, then ok for each of them.
fn proc_receive(input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    let version = read_list(input)?;
    if !version.first().is_some_and(|line| line.starts_with(b"version=1")) {
        return Err(io::Error::other("git speaks another version of proc-receive than 1"));
    }
    let mut answer = Vec::new();
    // No features: neither push options nor atomicity change what is reported here.
    write_line(&mut answer, b"version=1")?;
    answer.extend_from_slice(pktline::FLUSH);
    output.write_all(&answer)?;
    output.flush()?;
    let mut report = Vec::new();
    for command in read_list(input)? {
        // <old> SP <new> SP <ref>
        let name = command.splitn(3, |byte| *byte == b' ').nth(2).unwrap_or_default();
        let mut line = b"ok ".to_vec();
        line.extend_from_slice(name.strip_suffix(b"\n").unwrap_or(name));
        write_line(&mut report, &line)?;
    }
    report.extend_from_slice(pktline::FLUSH);
    output.write_all(&report)?;
    output.flush()
}

fn write_line(out: &mut Vec<u8>, payload: &[u8]) -> io::Result<()> {
    pktline::write(out, payload).map_err(io::Error::other)
}

/// Reads data lines up to a flush.
fn read_list(input: &mut impl Read) -> io::Result<Vec<Vec<u8>>> {
    let mut lines = Vec::new();
    loop {
        let mut bytes = vec![0; 4];
        input.read_exact(&mut bytes)?;
        let digits = std::str::from_utf8(&bytes).ok();
        let length = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok()).unwrap_or(0);
        if (5..=pktline::LINE_MAX_BYTES).contains(&length) {
            bytes.resize(length, 0);
            input.read_exact(&mut bytes[4..])?;
        }
        match pktline::read(&bytes).map_err(io::Error::other)? {
            Some((Line::Data(data), _)) => lines.push(data.to_vec()),
            Some((Line::Flush, _)) => return Ok(lines),
            _ => return Err(io::Error::other("a pkt-line that proc-receive does not know")),
        }
    }
}

#[cfg(test)]
mod tests;
