//! A validator whose gateway sends packs so slowly that they come too late.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use guts_schema::sign::SecretKey;
use guts_tests::checkout::Checkout;

use crate::world::World;

/// Longest wait for something that takes a second. What the slow gateway sends takes longer.
const DEADLINE: Duration = Duration::from_secs(30);

/// What it sends, and how often: well above the least rate. A pack takes most of a minute.
const PART_BYTES: usize = 16 << 10;
const EVERY: Duration = Duration::from_millis(100);
const PACK_BYTES: usize = 8 << 20;

/// The slow gateway.
struct Slow {
    url: String,
    clients: Arc<Clients>,
}

#[derive(Default)]
struct Clients {
    /// Clients that came for packs, and of them those that left.
    counts: Mutex<(usize, usize)>,
    changed: Condvar,
}

impl Clients {
    fn count(&self, came: usize, left: usize) {
        let mut counts = self.counts.lock().unwrap();
        *counts = (counts.0 + came, counts.1 + left);
        self.changed.notify_all();
    }

    /// Waits until so many have come, and so many left.
    fn wait(&self, came: usize, left: usize) {
        let counts = self.counts.lock().unwrap();
        let fits = |now: &mut (usize, usize)| now.0 < came || now.1 < left;
        let waited = self.changed.wait_timeout_while(counts, DEADLINE, fits).unwrap();
        assert!(!waited.1.timed_out(), "{:?}, not yet {came} and {left}", waited.0);
    }
}

impl Slow {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let clients = Arc::new(Clients::default());
        let served = clients.clone();
        // Ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let clients = served.clone();
                thread::spawn(move || drip(stream, &clients));
            }
        });
        Self { url, clients }
    }
}

/// Answers a request for a pack with the bytes of a very large one, and no others.
fn drip(mut stream: TcpStream, clients: &Clients) {
    let mut request = [0; 4096];
    let length = stream.read(&mut request).unwrap_or(0);
    if !request[..length].starts_with(b"GET /packs/") {
        return;
    }
    clients.count(1, 0);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 1 << 30);
    let mut sent = stream.write_all(head.as_bytes());
    stream.set_read_timeout(Some(EVERY)).unwrap();
    while sent.is_ok() {
        sent = stream.write_all(&[0; PART_BYTES]);
        // A client that asked has no more to say: this is the pause, or the end.
        if matches!(stream.read(&mut [0; 1]), Ok(0)) {
            break;
        }
    }
    clients.count(0, 1);
}

/// A project whose first push has a pack that takes the slow gateway long.
fn large(world: &World, name: &str, seed: u64) -> Checkout {
    let project = world.project(name, "alice", 3);
    let mut random = seed;
    let mut next = || {
        // Marsaglia's xorshift: nothing that zlib finds a shorter form for.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let bytes: Vec<u8> = (0..PACK_BYTES / 8).flat_map(|_| next().to_le_bytes()).collect();
    std::fs::write(project.path.join("large"), bytes).unwrap();
    project.commit("small", name);
    project
}

#[test]
fn a_slow_gateway_holds_up_what_it_took_itself_and_nothing_else() {
    let slow = Slow::start();
    let url = slow.url.clone();
    let world = World::saying(|urls| [&urls[..3], &[url]].concat(), |_| Vec::new());
    let projects = [large(&world, "a", 1), large(&world, "b", 2)];
    let honest = world.project("c", "alice", 0);
    thread::scope(|scope| {
        let pushing: Vec<_> = projects
            .iter()
            .zip(["a", "b"])
            .map(|(project, name)| {
                let to = format!("main:{name}");
                scope.spawn(move || project.fails(&["push", "origin", &to]))
            })
            .collect();
        // Each of three nodes asks for both packs: as many as it checks at once.
        slow.clients.wait(6, 0);
        let said = honest.ok(&["push", "origin", "main"]);
        assert!(said.contains("remote: ✓ committed in block "), "{said}");
        assert_eq!(slow.clients.counts.lock().unwrap().1, 0, "they are at it still");
        // Their time is over: nobody waits for the packs any more.
        world.pool.ahead_s.fetch_add(1000, Ordering::SeqCst);
        world.pool.wake();
        for pushing in pushing {
            let said = pushing.join().unwrap();
            assert!(said.contains("[remote rejected] main -> "), "{said}");
        }
        slow.clients.wait(6, 6);
    });
}

/// As after `guts stake bond`: the account of the gateway is not the one that operates the
/// validator.
#[test]
fn the_gateway_that_took_a_push_is_asked_first_whoever_operates_its_validator() {
    let slow = Slow::start();
    let url = slow.url.clone();
    let person = |node| SecretKey::from_seed([node + 51; 32]);
    let say = |urls: &[String]| vec![urls[0].clone(), url.clone(), url.clone(), url];
    let world = World::operated(person, say, |_| Vec::new());
    let project = world.project("a", "alice", 0);
    for (name, content) in [("x", "one"), ("y", "two"), ("z", "three")] {
        project.commit(name, content);
        let said = project.ok(&["push", "origin", "main"]);
        assert!(said.contains("remote: ✓ committed in block "), "{said}");
    }
    let height = world.chains[0].newest().height;
    (0..4).for_each(|node| world.wait(node, |shown, behind| shown >= height && behind == 0));
    assert_eq!(slow.clients.counts.lock().unwrap().0, 0, "nobody looked elsewhere");
}
