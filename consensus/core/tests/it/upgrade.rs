//! An application that is too old for what was agreed on stops its engine; a newer one that is
//! connected later goes on from there.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use guts_abci::kvstore::{Memory, served};
use guts_abci::proto::abci::{
    RequestCommit, RequestFinalizeBlock, RequestInitChain, RequestPrepareProposal,
    RequestProcessProposal, ResponseCommit, ResponseFinalizeBlock, ResponseInitChain,
    ResponsePrepareProposal, ResponseProcessProposal,
};
use guts_abci::proto::types::{ConsensusParams, VersionParams};
use guts_abci::{Answer, Application, Exception};
use guts_consensus::config::Config;
use guts_consensus::io::Input;

use crate::cluster::{Cluster, MakeApp};

const MINUTE: Duration = Duration::from_secs(60);
/// The first height of the new rules.
const HEIGHT: i64 = 5;

/// Where an old application notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Prepare,
    Process,
    Finalize,
}

/// The kvstore under rules that change; whether the new ones are known is decided by a flag.
struct Versioned {
    inner: Box<dyn Application>,
    is_new: bool,
    at: At,
}

impl Versioned {
    fn check(&self, at: At, height: i64) -> Answer<()> {
        if self.is_new || height < HEIGHT || self.at != at {
            return Ok(());
        }
        Err(Exception("version 2 of the rules is not known".to_owned()))
    }
}

impl Application for Versioned {
    fn init_chain(&mut self, request: RequestInitChain) -> Answer<ResponseInitChain> {
        self.inner.init_chain(request)
    }

    fn prepare_proposal(
        &mut self,
        request: RequestPrepareProposal,
    ) -> Answer<ResponsePrepareProposal> {
        self.check(At::Prepare, request.height)?;
        self.inner.prepare_proposal(request)
    }

    fn process_proposal(
        &mut self,
        request: RequestProcessProposal,
    ) -> Answer<ResponseProcessProposal> {
        self.check(At::Process, request.height)?;
        self.inner.process_proposal(request)
    }

    fn finalize_block(&mut self, request: RequestFinalizeBlock) -> Answer<ResponseFinalizeBlock> {
        let height = request.height;
        self.check(At::Finalize, height)?;
        let mut answer = self.inner.finalize_block(request)?;
        if height == HEIGHT {
            let version = Some(VersionParams { app: 2 });
            let params = ConsensusParams { version, ..Default::default() };
            answer.consensus_param_updates = Some(params);
        }
        Ok(answer)
    }

    fn commit(&mut self, request: RequestCommit) -> Answer<ResponseCommit> {
        self.inner.commit(request)
    }
}

fn versioned(at: At, is_new: Arc<AtomicBool>) -> MakeApp {
    Rc::new(move || {
        let mut served = served(Arc::new(Memory::new()));
        let is_new = is_new.load(Ordering::SeqCst);
        served.app = Box::new(Versioned { inner: served.app, is_new, at });
        served
    })
}

fn why(cluster: &Cluster, i: usize) -> Option<String> {
    cluster.nodes[i].engine.status().halted
}

#[test]
fn s5_an_old_application_stops_its_engine_and_a_new_one_goes_on() {
    for at in [At::Prepare, At::Process, At::Finalize] {
        let is_new = Arc::new(AtomicBool::new(false));
        let mut cluster = Cluster::new(4, Config::default(), versioned(at, is_new.clone()));
        for n in 0..20 {
            cluster.submit(0, n, &format!("k{n}=v"));
            cluster.run_for(Duration::from_millis(50));
        }
        cluster.run_for(MINUTE);
        assert!((0..4).all(|i| cluster.height(i) < HEIGHT as u64), "{at:?}");
        let stopped = (0..4).filter(|i| why(&cluster, *i).is_some()).count();
        assert!(stopped >= if at == At::Prepare { 1 } else { 3 }, "{at:?}: {stopped} stopped");
        let reasons: Vec<_> = (0..4).filter_map(|i| why(&cluster, i)).collect();
        assert!(reasons.iter().all(|why| why.contains("version 2 of the rules")), "{reasons:?}");
        // The old one again is no better; the reason stays while it is away.
        cluster.replace_app(1);
        cluster.run_for(MINUTE);
        assert!((0..4).all(|i| cluster.height(i) < HEIGHT as u64), "{at:?}");
        cluster.input(2, Input::AppDown);
        cluster.run_for(MINUTE);
        is_new.store(true, Ordering::SeqCst);
        for i in 0..4 {
            cluster.replace_app(i);
            cluster.nodes[i].halted = None;
        }
        cluster.submit(1, 99, "after=1");
        cluster.run_until(MINUTE, |c| (0..4).all(|i| c.has_tx(i, "after=1")));
        assert!((0..4).all(|i| why(&cluster, i).is_none()), "{at:?}");
        cluster.assert_agreement();
        for block in &cluster.nodes[0].committed {
            let header = block.decided.block.header();
            let new = header.height.0 > HEIGHT as u64;
            assert_eq!(header.version.app == 2, new, "{at:?} {}", header.height);
        }
    }
}
