//! Where an application's microseconds go, without an engine and without a network: a chain of one
//! node, with as many accounts as asked for, executes blocks of transfers between those of them
//! that are active.
//!
//! `cargo run --release -p guts-app --example transfers -- ACCOUNTS ACTIVE BLOCKS TXS DIR`
//!
//! Each transaction is checked once by CheckTx, then proposed, accepted, executed and committed, as
//! on a validator; `DIR` must not exist. Printed is wall time and the processor time of all
//! threads, in microseconds a transaction, with the accounts already there: what makes the blocks
//! is not counted.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::future::BoxFuture;
use guts_abci::proto::abci::{
    RequestCheckTx, RequestCommit, RequestExtendVote, RequestFinalizeBlock, RequestInitChain,
    RequestPrepareProposal, RequestProcessProposal, ValidatorUpdate,
};
use guts_abci::proto::crypto::{PublicKey, public_key::Sum};
use guts_abci::proto::google::protobuf::Timestamp;
use guts_abci::{CHECK_TXS_MAX, Served};
use guts_app::config::Config;
use guts_app::identity::Identity;
use guts_app::node::{Node, Parts};
use guts_app_core::rules::RULES;
use guts_app_core::{Checker as _, Direct};
use guts_rpc::client::{Client, ClientError, Transport};
use guts_schema::sign::SecretKey;
use guts_schema::tx::Draft;
use guts_schema::{AccountId, Action, ChainRules, Hash};

type Failure = Box<dyn Error>;

const CHAIN: &str = "guts-transfers";
const GENESIS_S: i64 = 1_795_000_000;
/// More than a transfer costs.
const FEE: u64 = 10_000;
/// Each account's, at first.
const BALANCE: u64 = 1_000_000_000;

/// As in the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// There is none.
struct NoEngine;

impl Transport for NoEngine {
    fn post(&self, _: Bytes) -> BoxFuture<'_, Result<Bytes, ClientError>> {
        unreachable!("no transaction is sent")
    }
}

/// The steps that are timed.
const STEPS: [&str; 6] =
    ["parse and signature", "CheckTx", "prepare", "process", "finalize", "commit"];

/// Time spent in each step.
#[derive(Default)]
struct Clock {
    wall_us: [f64; STEPS.len()],
    cpu_us: [f64; STEPS.len()],
}

impl Clock {
    fn time<T>(&mut self, step: usize, work: impl FnOnce() -> T) -> T {
        let (start, cpu) = (Instant::now(), cpu_us());
        let done = work();
        self.wall_us[step] += start.elapsed().as_secs_f64() * 1e6;
        self.cpu_us[step] += cpu_us() - cpu;
        done
    }

    fn print(&self, txs: f64) {
        println!("{:22} {:>10} {:>10}", "microseconds a tx", "wall", "cpu");
        for (step, name) in STEPS.iter().enumerate() {
            let (wall, cpu) = (self.wall_us[step] / txs, self.cpu_us[step] / txs);
            println!("{name:22} {wall:>10.2} {cpu:>10.2}");
        }
        // What the first step measures is done in CheckTx.
        let sum = |times: &[f64]| times[1..].iter().sum::<f64>() / txs;
        println!(
            "{:22} {:>10.2} {:>10.2}",
            "all but the first",
            sum(&self.wall_us),
            sum(&self.cpu_us)
        );
    }
}

/// Processor time of all threads so far.
fn cpu_us() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// The chain and who is on it.
struct World {
    abci: Served,
    height: i64,
    keys: Vec<(SecretKey, AccountId)>,
    nonces: Vec<u64>,
    /// State of a generator of places; any sequence will do.
    place: u64,
}

impl World {
    fn new(node: Node, accounts: usize, active: usize) -> Result<Self, Failure> {
        let key = |number: usize| {
            let seed = Hash::of(&number.to_be_bytes());
            let key = SecretKey::from_seed(*seed.as_bytes());
            let id = AccountId::of_key(&key.public());
            (key, id)
        };
        let mut keys: Vec<_> = (0..accounts).map(key).collect();
        let balance = BALANCE.to_string();
        let entry = |(key, _): &(SecretKey, AccountId)| {
            let key = key.public().to_string();
            serde_json::json!({"key": key, "balance": balance})
        };
        let entries: Vec<_> = keys.iter().map(entry).collect();
        let state = serde_json::json!({"account": {"accounts": entries}});
        let validator = SecretKey::from_seed([1; 32]).public().to_vec();
        let genesis = RequestInitChain {
            time: Some(Timestamp { seconds: GENESIS_S, nanos: 0 }),
            chain_id: CHAIN.into(),
            validators: vec![ValidatorUpdate {
                pub_key: Some(PublicKey { sum: Some(Sum::Ed25519(validator)) }),
                power: 10,
            }],
            app_state_bytes: serde_json::to_vec(&state)?.into(),
            initial_height: 1,
            ..Default::default()
        };
        keys.truncate(active);
        let nonces = vec![0; keys.len()];
        let mut world = Self { abci: node.abci, height: 0, keys, nonces, place: 1 };
        world.abci.app.init_chain(genesis)?;
        world.block(&[], &mut Clock::default())?;
        Ok(world)
    }

    fn place(&mut self) -> usize {
        self.place = self.place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.place >> 33) as usize % self.keys.len()
    }

    fn transfers(&mut self, count: usize) -> Vec<Bytes> {
        let one = |_| {
            let (from, to) = (self.place(), self.place());
            let ((key, actor), to) = (&self.keys[from], self.keys[to].1);
            let action = Action::Transfer { actor: *actor, to, amount: 1 };
            let draft = Draft::new(CHAIN, *actor, self.nonces[from], &[action]).fee(FEE);
            self.nonces[from] += 1;
            draft.sign(*actor, key).encode().into()
        };
        (0..count).map(one).collect()
    }

    fn check(&self, txs: &[Bytes]) -> Result<(), Failure> {
        for part in txs.chunks(CHECK_TXS_MAX) {
            let requests =
                part.iter().map(|tx| RequestCheckTx { tx: tx.clone(), ..Default::default() });
            for answer in self.abci.reader.check_txs(requests.collect()) {
                let answer = answer?;
                if answer.code != 0 {
                    return Err(answer.log.into());
                }
            }
        }
        Ok(())
    }

    fn block(&mut self, txs: &[Bytes], clock: &mut Clock) -> Result<(), Failure> {
        self.height += 1;
        let height = self.height;
        let time = Some(Timestamp { seconds: GENESIS_S + height, nanos: 0 });
        let hash: Bytes = Hash::of(&height.to_be_bytes()).to_vec().into();
        let prepare = RequestPrepareProposal {
            max_tx_bytes: i64::MAX,
            txs: txs.to_vec(),
            height,
            time,
            ..Default::default()
        };
        let app = &mut self.abci.app;
        let txs = clock.time(2, || app.prepare_proposal(prepare))?.txs;
        let (process_hash, process_txs) = (hash.clone(), txs.clone());
        let process = RequestProcessProposal {
            hash: process_hash,
            txs: process_txs,
            height,
            time,
            ..Default::default()
        };
        clock.time(3, || app.process_proposal(process))?;
        app.extend_vote(RequestExtendVote { hash: hash.clone(), height, ..Default::default() })?;
        let decided = RequestFinalizeBlock { hash, txs, height, time, ..Default::default() };
        let response = clock.time(4, || app.finalize_block(decided))?;
        clock.time(5, || app.commit(RequestCommit {}))?;
        match response.tx_results.iter().find(|result| result.code != 0) {
            Some(failed) => Err(failed.log.clone().into()),
            None => Ok(()),
        }
    }
}

fn open(dir: &Path) -> Result<Node, Failure> {
    let config = Config { data: dir.to_owned(), ..Config::default() };
    let parts = Parts {
        identity: Identity::new(SecretKey::from_seed([2; 32])),
        engine: Client::over(Arc::new(NoEngine)),
        hook: std::env::current_exe()?,
        rules: RULES,
        give_back: || {},
    };
    Ok(Node::open(&config, parts)?)
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [accounts, active, blocks, txs, dir] = &arguments[..] else {
        return Err("usage: transfers ACCOUNTS ACTIVE BLOCKS TXS DIR".into());
    };
    let (blocks, txs): (usize, usize) = (blocks.parse()?, txs.parse()?);
    std::fs::create_dir(dir)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let node = runtime.block_on(async { open(Path::new(dir)) })?;
    let start = Instant::now();
    let mut world = World::new(node, accounts.parse()?, active.parse()?)?;
    println!("genesis of {accounts} accounts: {:.1} s", start.elapsed().as_secs_f64());
    let mut clock = Clock::default();
    let rules = ChainRules::new(CHAIN);
    for _ in 0..blocks {
        let block = world.transfers(txs);
        let bytes: Vec<&[u8]> = block.iter().map(|tx| &tx[..]).collect();
        clock.time(0, || {
            bytes.chunks(CHECK_TXS_MAX).for_each(|part| drop(Direct.check(part, &rules)))
        });
        clock.time(1, || world.check(&block))?;
        world.block(&block, &mut clock)?;
    }
    clock.print((blocks * txs) as f64);
    Ok(())
}
