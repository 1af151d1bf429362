//! A TCP relay between a client and a server that can hold what passes, so that a test can do
//! something at a moment of its choosing.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::localnet::PATIENCE;

/// What is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Nothing.
    Open,
    /// What a client sends on a connection after that many bytes.
    AfterBytes(usize),
    /// The first request of a client that is a POST, whole.
    Post,
    /// The answer to a POST.
    Answer,
    /// Nothing passes any more, and connections end.
    Cut,
}

#[derive(Debug)]
struct State {
    gate: Gate,
    /// Whether something is being held.
    is_held: bool,
}

/// The state, and the word that it changed.
type Shared = Arc<(Mutex<State>, Condvar)>;

/// A relay on a port of the loopback.
#[derive(Debug)]
pub struct Relay {
    address: String,
    shared: Shared,
}

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Relay {
    /// A relay to the server at `http://HOST:PORT`.
    ///
    /// # Panics
    /// When there is no port left.
    pub fn to(server: &str) -> Relay {
        let server = server.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let state = State { gate: Gate::Open, is_held: false };
        let shared: Shared = Arc::new((Mutex::new(state), Condvar::new()));
        let passing = shared.clone();
        // Ends with the process: nobody connects once the test is over.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, shared) = (server.clone(), passing.clone());
                std::thread::spawn(move || serve(client, &server, &shared));
            }
        });
        Relay { address, shared }
    }

    /// Its own `http://HOST:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Holds something else from now on, and lets go what was held.
    pub fn set(&self, gate: Gate) {
        let mut state = lock(&self.shared);
        *state = State { gate, is_held: false };
        self.shared.1.notify_all();
    }

    /// Waits until something is held.
    ///
    /// # Panics
    /// When nothing was in time.
    pub fn wait_held(&self) {
        let state = lock(&self.shared);
        let waited = self.shared.1.wait_timeout_while(state, PATIENCE, |state| !state.is_held);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(state.is_held, "nothing came by {:?}", state.gate);
    }
}

/// Waits while `holds` says so of the gate; false when the connection is to end.
fn pass(shared: &Shared, holds: impl Fn(Gate) -> bool) -> bool {
    let mut state = lock(shared);
    if holds(state.gate) {
        state.is_held = true;
        shared.1.notify_all();
        let waited = shared.1.wait_while(state, |state| holds(state.gate));
        state = waited.unwrap_or_else(PoisonError::into_inner);
    }
    state.gate != Gate::Cut
}

fn serve(client: TcpStream, server: &str, shared: &Shared) {
    let Ok(server) = TcpStream::connect(server) else { return };
    let (Ok(up), Ok(down)) = (client.try_clone(), server.try_clone()) else { return };
    let posted = Arc::new(Mutex::new(false));
    let seen = posted.clone();
    let answers = shared.clone();
    let back = std::thread::spawn(move || {
        copy(down, client, |_, _| {
            let is_answer = *seen.lock().unwrap_or_else(PoisonError::into_inner);
            pass(&answers, |gate| gate == Gate::Answer && is_answer)
        });
    });
    copy(up, server, |chunk, before| {
        let is_post = chunk.starts_with(b"POST ");
        if is_post {
            *posted.lock().unwrap_or_else(PoisonError::into_inner) = true;
        }
        pass(shared, |gate| match gate {
            Gate::AfterBytes(most) => before > most,
            Gate::Post => is_post,
            _ => false,
        })
    });
    let _ = back.join();
}

/// Copies until one side ends, or `may_pass(chunk, bytes before it)` says that it is over.
fn copy(mut from: TcpStream, mut to: TcpStream, may_pass: impl Fn(&[u8], usize) -> bool) {
    let (mut buffer, mut passed) = ([0; 16 << 10], 0_usize);
    while let Ok(length) = from.read(&mut buffer) {
        let chunk = &buffer[..length];
        if length == 0 || !may_pass(chunk, passed) || to.write_all(chunk).is_err() {
            break;
        }
        passed = passed.saturating_add(length);
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
