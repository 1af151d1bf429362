//! The program itself, with an engine's connection held by the test: what a crowd before its
//! gateway costs, how it ends, and what it logs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use guts_abci::proto::abci::{RequestCommit, RequestFinalizeBlock, RequestInfo};
use guts_abci::socket::Client as AbciClient;
use guts_schema::Key;
use guts_schema::sign::SecretKey;
use guts_tests::checkout::Checkout;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

use crate::world::{genesis, get, operator};

/// Twenty times what the slowest step takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(90);

/// Connections of the crowd: more than twice what the gateway takes.
const CROWD: usize = 2000;
/// Connections made at the same time.
const AT_ONCE: usize = 100;
/// Files that the test needs for anything else.
const SPARE_FILES: u64 = 256;
/// What they may cost at most; the bounds allow about a tenth of it.
const MEMORY_KIB_MAX: u64 = 128 << 10;

/// Files that the program has open at most: what the bounds allow, and what it has anyway.
const FILES_MAX: usize = 1300;

/// A `guts-app` that runs, ended when this is dropped.
struct Program {
    process: Child,
    gateway: String,
    engine: AbciClient,
    runtime: Runtime,
    home: TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(verb: &str, home: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guts-app"));
    command.arg(verb).arg("--home").arg(home.path());
    command
}

/// Reads the lines of a log until one says that the node is ready, and goes on reading.
fn ready(log: impl Read + Send + 'static) -> String {
    let (sender, found) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            // Nobody listens after the first.
            if line.contains("ready") {
                let _ = sender.send(line);
            }
        }
    });
    found.recv_timeout(DEADLINE).expect("it gets ready")
}

impl Program {
    /// Starts it; one block is committed.
    fn start() -> Program {
        let home = TempDir::new().unwrap();
        assert!(command("init", &home).output().unwrap().status.success());
        let mut process = command("run", &home)
            .env("GUTS_APP_GATEWAY", "127.0.0.1:0")
            .env("GUTS_APP_LOG_FORMAT", "json")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let line = ready(process.stderr.take().unwrap());
        // What programs read: one object a line.
        let said: Value = serde_json::from_str(&line).expect(&line);
        assert_eq!((&said["level"], &said["fields"]["message"]), (&"INFO".into(), &"ready".into()));
        let gateway = said["fields"]["gateway"].as_str().expect(&line).to_owned();
        let runtime = Runtime::new().unwrap();
        let address = said["fields"]["abci"].as_str().expect(&line).parse().unwrap();
        let engine = runtime.block_on(AbciClient::connect(&address)).unwrap();
        let program = Program { process, gateway, engine, runtime, home };
        let alice = Key::from_slice(SecretKey::from_seed([9; 32]).public().as_bytes()).unwrap();
        let request = genesis(&alice, &[operator(0)], &[SecretKey::from_seed([101; 32])], &[]);
        let time = request.time;
        program.runtime.block_on(async {
            program.engine.init_chain(request).await.unwrap();
            let hash = vec![1; 32].into();
            let block = RequestFinalizeBlock { hash, height: 1, time, ..Default::default() };
            program.engine.finalize_block(block).await.unwrap();
            program.engine.commit(RequestCommit {}).await.unwrap();
        });
        program
    }

    /// Memory of the process in KiB, where the system tells it; else 0.
    fn memory_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }

    /// How many files the process has open, where the system tells it.
    fn files(&self) -> usize {
        let listed = std::fs::read_dir(format!("/proc/{}/fd", self.process.id()));
        listed.map_or(0, Iterator::count)
    }

    /// The engine asks, and is answered.
    fn assert_answers_engine(&self) {
        let asked = async {
            let asking = self.engine.info(RequestInfo::default());
            tokio::time::timeout(DEADLINE, asking).await
        };
        let info = self.runtime.block_on(asked).expect("in time").unwrap();
        assert_eq!(info.last_block_height, 1);
    }

    /// A client of another address than the crowd's is served.
    fn assert_serves(&self, name: &str) {
        let deadline = Instant::now() + DEADLINE;
        // Who comes when there is no room is told to come again.
        while get(&self.gateway, "/health").0 != 200 {
            assert!(Instant::now() < deadline, "there is room in time");
        }
        let path = self.home.path().join(name).display().to_string();
        let url = format!("{}/alice/hello.git", self.gateway);
        Checkout { path: self.home.path().into() }.ok(&["clone", "-q", &url, &path]);
    }

    /// Connections from `hosts` addresses of the loopback that say a word and nothing more.
    fn crowd(&self, hosts: usize, count: usize) -> Vec<tokio::net::TcpStream> {
        let to: SocketAddr = self.gateway.strip_prefix("http://").unwrap().parse().unwrap();
        self.runtime.block_on(async {
            let mut all = Vec::new();
            let numbers: Vec<usize> = (0..count).collect();
            for some in numbers.chunks(AT_ONCE) {
                let coming = some.iter().map(|i| come(to, i % hosts, SAYINGS[i % SAYINGS.len()]));
                all.extend(futures::future::join_all(coming).await.into_iter().flatten());
            }
            all
        })
    }

    /// SIGTERM; the program must end by itself, with success.
    fn end(mut self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
        let (ended, end) = mpsc::channel();
        let pid = Pid::from_child(&self.process);
        let watch = std::thread::spawn(move || {
            if end.recv_timeout(DEADLINE).is_err() {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        let status = self.process.wait().unwrap();
        ended.send(()).unwrap();
        watch.join().unwrap();
        assert!(status.success(), "{status}");
    }
}

/// What a connection says before it falls silent: nothing, halves of requests, and a whole one
/// whose answer it does not read.
const SAYINGS: [&str; 5] = [
    "",
    "GET /hea",
    "GET /health HTTP/1.1\r\nHost: x\r\n",
    "POST /alice/hello.git/git-upload-pack HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\
     Content-Type: application/x-git-upload-pack-request\r\n\r\n0011",
    "GET /openrpc.json HTTP/1.1\r\nHost: x\r\n\r\n",
];

async fn come(to: SocketAddr, host: usize, saying: &str) -> Option<tokio::net::TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("127.0.0.{}:0", 2 + host).parse().unwrap()).unwrap();
    let coming = async {
        let mut stream = socket.connect(to).await.ok()?;
        stream.write_all(saying.as_bytes()).await.ok()?;
        Some(stream)
    };
    tokio::time::timeout(DEADLINE, coming).await.expect("it takes connections or ends them")
}

/// As many of the crowd as this process may have open.
fn room() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let files = maximum.unwrap_or(u64::MAX).saturating_sub(SPARE_FILES);
    usize::try_from(files).unwrap_or(usize::MAX).min(CROWD)
}

#[test]
fn a_crowd_before_the_gateway_keeps_nobody_else_out() {
    let room = room();
    let program = Program::start();
    let before = program.memory_kib();
    // All from one address: others do not even notice.
    let one = program.crowd(1, room / 2);
    program.assert_answers_engine();
    program.assert_serves("first");
    // From many: no room for others until the patience with these is over.
    let many = program.crowd(20, room - room / 2);
    program.assert_answers_engine();
    let memory = program.memory_kib().saturating_sub(before);
    let files = program.files();
    assert!(files < FILES_MAX, "{files} files are open for {room} connections");
    assert!(memory < MEMORY_KIB_MAX, "{memory} KiB more for {room} connections");
    program.assert_serves("second");
    program.assert_answers_engine();
    drop((one, many));
    program.end();
}

#[test]
fn a_program_asked_to_end_does_not_wait_for_others() {
    let program = Program::start();
    // Clients that are stuck in every way there is, one of them the engine's own.
    let crowd = program.crowd(1, 50);
    let socket = program.home.path().join("app.sock");
    let mut deaf = std::os::unix::net::UnixStream::connect(socket).unwrap();
    deaf.set_nonblocking(true).unwrap();
    let mut echo = bytes::BytesMut::new();
    let message = "x".repeat(1 << 16);
    let request = guts_abci::proto::abci::RequestEcho { message };
    let request = guts_abci::proto::abci::request::Value::Echo(request);
    guts_abci::codec::encode(&guts_abci::proto::abci::Request { value: Some(request) }, &mut echo);
    // Until both directions are full: the program cannot write what nobody reads.
    while deaf.write_all(&echo).is_ok() {}
    let mut half = TcpStream::connect(program.gateway.strip_prefix("http://").unwrap()).unwrap();
    half.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    program.assert_answers_engine();
    program.end();
    drop((crowd, deaf, half));
}
