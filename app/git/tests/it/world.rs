//! A gateway on a loopback port over one repository, and git clients with an SSH key.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use futures::FutureExt;
use futures::future::BoxFuture;
use guts_git::http::Asker;
use guts_git::{
    FormatOf, Found, Gateway, Host, Limits, ObjectFormat, Outcome, PackStore, Push, RefUpdate,
    RepoId, Repositories, Say, Verifier,
};
use guts_schema::nonce::PushNonce;
use guts_tests::checkout::Checkout;
use tempfile::TempDir;

/// What the fake chain does with the next pushes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Verifies, then commits.
    Commit,
    /// Refuses with that reason.
    Refuse(&'static str),
}

/// The host of the tests: no chain, only the checks of a validator.
pub struct FakeHost {
    repositories: Repositories,
    packs: PackStore,
    pub rule: Mutex<Rule>,
    pub pushes: Mutex<Vec<Push>>,
    /// Committed, and shown only once somebody waits for it.
    pub unshown: Mutex<Vec<RefUpdate>>,
}

pub const REPO: RepoId = RepoId::new(7).unwrap();

/// The host as the gateway holds it.
struct Shared(Arc<FakeHost>);

impl Host for Shared {
    fn find(&self, owner: &str, name: &str) -> Found {
        match (owner, name) {
            ("alice", "hello") => Found::Repository(REPO),
            _ => Found::Absent(format!("there is no repository {owner}/{name}")),
        }
    }

    fn nonce(&self, _: RepoId) -> Result<String, String> {
        Ok(PushNonce::new("guts-test", "alice", "hello", 1_795_231_441).to_string())
    }

    fn shows_newest(&self, repo: RepoId) -> BoxFuture<'static, ()> {
        let host = self.0.clone();
        async move {
            let updates = std::mem::take(&mut *host.unshown.lock().unwrap());
            host.repositories.move_refs(repo, 1205, &updates).await.unwrap();
        }
        .boxed()
    }

    fn push(&self, push: Push, say: Say) -> BoxFuture<'static, Outcome> {
        let host = self.0.clone();
        async move {
            say.line("waiting for a block");
            host.pushes.lock().unwrap().push(push.clone());
            let rule = host.rule.lock().unwrap().clone();
            let outcome = match rule {
                Rule::Refuse(reason) => Outcome::refused(reason),
                Rule::Commit => host.commit(&push).await,
            };
            if let Some(pack) = push.pack {
                host.packs.drop_pack(&pack.hash);
            }
            outcome
        }
        .boxed()
    }
}

impl FakeHost {
    async fn commit(&self, push: &Push) -> Outcome {
        let updates: &[RefUpdate] = &push.certificate.updates;
        let have = self.repositories.refs(REPO).await.unwrap();
        if let Some(lost) = updates.iter().find(|u| have.get(&u.name).copied() != u.old) {
            return Outcome::refused(format!("a newer push moved {}", lost.name));
        }
        let verifier = Verifier::new(self.repositories.clone(), self.packs.clone());
        let pack = push.pack.as_ref().map(|pack| &pack.hash);
        let verdict = verifier.verify(push.repo, pack, updates).await.unwrap();
        if !verdict.is_good() {
            return Outcome::refused(verdict.sentence());
        }
        if let Some(pack) = &push.pack {
            self.packs.install(&pack.hash, &self.repositories.path(REPO)).unwrap();
        }
        self.repositories.move_refs(REPO, 1204, updates).await.unwrap();
        Outcome::Committed(vec![format!(
            "✓ committed in block 1204, {} refs, {verdict:?}",
            updates.len()
        )])
    }
}

/// What one address may have.
pub const PERCENT: u8 = 25;

async fn asker(from: ConnectInfo<SocketAddr>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Asker(from.ip()));
    next.run(request).await
}

/// All repositories of the tests.
pub fn sha1() -> FormatOf {
    Box::new(|_| Ok(ObjectFormat::Sha1))
}

/// A gateway and a place for clones.
pub struct World {
    pub dir: TempDir,
    pub host: Arc<FakeHost>,
    pub repositories: Repositories,
    pub url: String,
    runtime: tokio::runtime::Runtime,
}

impl World {
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub fn with_limits(limits: Limits) -> Self {
        let dir = TempDir::new().unwrap();
        // A relative one, as an operator may type: git children have other directories.
        let here = std::env::current_dir().unwrap();
        let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
        let home = up.join(dir.path().strip_prefix("/").unwrap()).join("gateway");
        let repositories = Repositories::open(&home, &hook_program(), limits, sha1()).unwrap();
        let packs = PackStore::open(&home).unwrap();
        let host = Arc::new(FakeHost {
            repositories: repositories.clone(),
            packs: packs.clone(),
            rule: Mutex::new(Rule::Commit),
            pushes: Mutex::default(),
            unshown: Mutex::default(),
        });
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _inside = runtime.enter();
        let shared = Arc::new(Shared(host.clone()));
        let gateway = Gateway::open(&home, repositories.clone(), packs, shared, PERCENT).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let app = guts_git::http::router(gateway).layer(from_fn(asker));
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        runtime.spawn(async move { axum::serve(listener, app).await });
        guts_tests::keys::make(&dir.path().join("key"));
        Self { url: format!("{base}/alice/hello.git"), dir, host, repositories, runtime }
    }

    /// A new local repository with one commit on main, its remote and its signing set up.
    pub fn project(&self, name: &str) -> Checkout {
        self.signing(Checkout::new(self.dir.path().join(name), &self.url))
    }

    /// What `git clone` gives.
    pub fn cloned(&self, name: &str, options: &[&str]) -> Checkout {
        let path = self.dir.path().join(name);
        let mut args = vec!["clone", "-q"];
        args.extend_from_slice(options);
        args.extend_from_slice(&[&self.url, path.to_str().unwrap()]);
        Checkout { path: self.dir.path().into() }.ok(&args);
        self.signing(Checkout { path })
    }

    fn signing(&self, checkout: Checkout) -> Checkout {
        checkout.sign_with(&self.dir.path().join("key"));
        checkout
    }

    /// A connection to the gateway from an address of this machine.
    pub fn connect(&self, from: &str) -> std::net::TcpStream {
        let to = self.url.strip_prefix("http://").unwrap().split('/').next().unwrap();
        let connected = self.runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
            socket.connect(to.parse().unwrap()).await.unwrap().into_std().unwrap()
        });
        connected.set_nonblocking(false).unwrap();
        connected
    }

    /// The refs the gateway's repository has, as `name oid` lines.
    pub fn refs(&self) -> Vec<String> {
        let refs = self.runtime.block_on(self.repositories.refs(REPO)).unwrap();
        refs.into_iter().map(|(name, oid)| format!("{name} {oid}")).collect()
    }

    /// Packs in the repository, packs in the store, quarantines.
    pub fn leftovers(&self) -> (usize, usize, usize) {
        let objects = self.repositories.path(REPO).join("objects");
        let count = |path: &Path, part: &str| {
            let Ok(entries) = std::fs::read_dir(path) else { return 0 };
            entries
                .filter(|e| e.as_ref().unwrap().file_name().to_str().unwrap().contains(part))
                .count()
        };
        let store = self.dir.path().join("gateway/packs");
        (count(&objects.join("pack"), ".pack"), count(&store, ""), count(&objects, "incoming"))
    }
}

/// The example that holds the hooks, built with the tests.
fn hook_program() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples/hook")
}
