//! OpenSSH keys made for a test, and an ssh-agent of its own that holds one.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::process::end;
use crate::run::run;

/// Makes an ed25519 key at `path`, and its public half beside it.
///
/// # Panics
/// When ssh-keygen fails.
pub fn make(path: &Path) {
    let text = path.display().to_string();
    let args = ["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", &text];
    run(Path::new("ssh-keygen"), &args, Path::new("/"), &[]).expect_ok();
}

/// The bytes of the public half of the key at `path`, in hexadecimal, as genesis has them.
///
/// # Panics
/// When it is no ed25519 key.
pub fn public_hex(path: &Path) -> String {
    let text = std::fs::read_to_string(path.with_extension("pub")).expect("a public key");
    let blob = text.split_whitespace().nth(1).expect("its second word");
    let blob = STANDARD.decode(blob).expect("base64");
    hex::encode(&blob[blob.len() - 32..])
}

/// Makes a key at `path`, as [`make`] does, and what a genesis says of its account: the handle is
/// the name of the file, the balance is in smallest units.
///
/// # Panics
/// When ssh-keygen fails.
pub fn genesis_account(path: &Path, balance: u64) -> Value {
    make(path);
    let handle = path.file_name().expect("a file has a name").to_string_lossy();
    json!({"key": public_hex(path), "handle": handle, "balance": balance.to_string()})
}

/// An ssh-agent, ended when this is dropped.
pub struct Agent {
    process: Child,
    socket: PathBuf,
}

impl Agent {
    /// Starts an agent in `dir`; says 'not run' when there is none on this machine.
    ///
    /// # Panics
    /// When it does not listen.
    pub fn start(dir: &Path) -> Option<Agent> {
        let socket = dir.join("agent.sock");
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::piped());
        let Ok(process) = command.spawn() else {
            crate::not_run("no ssh-agent found");
            return None;
        };
        let mut agent = Agent { process, socket };
        // It prints where it listens once it does, or ends.
        let mut said = BufReader::new(agent.process.stdout.as_mut().expect("piped")).lines();
        let place = said.next().expect("an agent that listens").expect("text");
        assert!(place.contains("agent.sock"), "{place}");
        Some(agent)
    }

    /// What `SSH_AUTH_SOCK` must be.
    pub fn socket(&self) -> String {
        self.socket.display().to_string()
    }

    /// Gives it the key at `path`.
    ///
    /// # Panics
    /// When ssh-add fails.
    pub fn add(&self, path: &Path) {
        let (path, socket) = (path.display().to_string(), self.socket());
        let env = [("SSH_AUTH_SOCK", socket.as_str())];
        run(Path::new("ssh-add"), &["-q", &path], Path::new("/"), &env).expect_ok();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}
