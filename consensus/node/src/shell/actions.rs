//! Doing what the engine wants, and reading what peers say.

use super::Shell;
use crate::network::{Event, hello::node_address};
use bytes::Bytes;
use guts_consensus::io::{
    Action, AppCall, AppException, Input, Load, Loaded, Now, Offence, PeerId, SignRefused,
    SignRequest, Ticket, To,
};
use guts_consensus::messages::Message;
use guts_genesis::Height;
use std::cell::LazyCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a peer that broke a rule is kept away.
const BAN: Duration = Duration::from_secs(30);
/// Heights deleted in one go.
const PRUNE_AT_ONCE: u64 = 100;

impl Shell {
    pub(super) fn on_event(&mut self, event: Event) -> Option<Input> {
        match event {
            Event::PeerUp { peer, info, is_outbound } => {
                self.peers_seen += 1;
                let handle = PeerId(self.peers_seen);
                self.peers.insert(handle, peer);
                self.handles.insert(peer, handle);
                let moniker = info.moniker.as_str();
                tracing::info!(%peer, moniker, is_outbound, "peer connected");
                Some(Input::PeerUp { peer: handle, node: node_address(&peer) })
            }
            Event::PeerDown { peer } => {
                let handle = self.handles.remove(&peer)?;
                self.peers.remove(&handle);
                self.serving.forget(&peer);
                tracing::info!(%peer, "peer gone");
                Some(Input::PeerDown(handle))
            }
            Event::Message { peer, message } => {
                let handle = *self.handles.get(&peer)?;
                Some(Input::Message { peer: handle, message: *message })
            }
        }
    }

    pub(super) fn perform(&mut self, now: Now, action: Action) {
        match action {
            Action::Send { to, message } => self.send(&to, &message),
            Action::App { ticket, call } => self.call_app(ticket, call),
            Action::SetTimer { id, after } => self.timers.set(id, now.mono.saturating_add(after)),
            Action::Sign { ticket, request } => self.sign(ticket, &request),
            Action::Reply { ticket, reply } => {
                if let Some(client) = self.clients.remove(&ticket) {
                    // The client may have gone.
                    let _ = client.send(reply);
                }
            }
            Action::Report { peer, offence } => self.report(peer, &offence),
            Action::Load { ticket, load } => {
                let loaded = self.load(load);
                self.ready.push_back(Input::Loaded { ticket, loaded });
            }
            Action::ServeBlock { peer, height } => self.serve_block(peer, height),
            Action::Committed(committed) => {
                let txs = committed.decided.block.txs().as_slice().len();
                // First shown, then said: who reads the line finds the block.
                self.show(&committed);
                tracing::info!(
                    height = committed.height.0,
                    txs,
                    round = committed.decided.commit.round.0,
                    app_hash = hex::encode(&committed.state.app_hash),
                    "committed"
                );
            }
            Action::Prune { retain } => self.prune(retain),
            Action::Halt { reason } => {
                tracing::error!(reason, "the engine has stopped; reads are still answered");
            }
        }
    }

    fn call_app(&mut self, ticket: Ticket, mut call: AppCall) {
        // Without an application the engine hears AppDown, which answers every call.
        let Some(life) = &self.life else { return };
        if let AppCall::InitChain(request) = &mut call {
            match self.genesis.app_state() {
                Ok(state) => request.app_state_bytes = state,
                Err(error) => {
                    let answer = Err(AppException(error.to_string()));
                    return self.ready.push_back(Input::App { ticket, answer });
                }
            }
        }
        life.call(ticket, call);
    }

    fn send(&self, to: &To, message: &Message) {
        let channel = message.channel().id();
        let bytes = LazyCell::new(|| message.encode());
        let one = |handle: &PeerId| {
            if let Some(peer) = self.peers.get(handle) {
                self.network.send(*peer, channel, || Bytes::clone(&bytes));
            }
        };
        match to {
            To::All => self.network.send_all(channel, &bytes),
            To::Peer(peer) => one(peer),
            To::Peers(peers) => peers.iter().for_each(one),
        }
    }

    fn sign(&mut self, ticket: Ticket, request: &SignRequest) {
        let outcome = match &mut self.signer {
            Some(signer) => signer.sign(request),
            None => Err(SignRefused("this node has no validator key".into())),
        };
        if let Err(refused) = &outcome {
            tracing::error!(%refused, "not signed");
        }
        self.ready.push_back(Input::Signed { ticket, outcome });
    }

    fn report(&self, peer: PeerId, offence: &Offence) {
        let Some(peer) = self.peers.get(&peer) else { return };
        if offence.is_severe() {
            self.network.ban(*peer, offence.to_string(), BAN);
        } else {
            tracing::debug!(%peer, %offence, "peer reported");
        }
    }

    fn load(&self, load: Load) -> Loaded {
        let loaded = match load {
            Load::Block(height) => {
                self.store.decided(height).map(|d| d.map(|d| Loaded::Block(Arc::new(d))))
            }
            Load::Response(height) => {
                self.store.response(height).map(|r| r.map(|r| Loaded::Response(Arc::new(r))))
            }
            Load::SignedHeader(height) => {
                self.store.signed_header(height).map(|s| s.map(|s| Loaded::SignedHeader(s.into())))
            }
            Load::Validators(height) => self.store.judged_by(height).map(|found| {
                found.map(|(validators, time)| Loaded::Validators {
                    validators: Arc::new(validators),
                    time,
                })
            }),
            Load::FirstSince(time) => {
                self.store.first_since(time).map(|height| Some(Loaded::Height(height)))
            }
        };
        match loaded {
            Ok(found) => found.unwrap_or(Loaded::Missing),
            Err(error) => {
                tracing::error!(%error, "reading the store");
                Loaded::Missing
            }
        }
    }

    /// Blocks are read and encoded beside the engine thread.
    fn serve_block(&self, peer: PeerId, height: Height) {
        let Some(peer) = self.peers.get(&peer).copied() else { return };
        if self.serving.ask(peer, height) {
            let (serving, shown) = (self.serving.clone(), self.shown.clone());
            let top = move || Height(shown.top.load(Ordering::Acquire));
            self.runtime.spawn_blocking(move || serving.work(top));
        }
    }

    fn prune(&self, retain: Height) {
        let (store, shown) = (self.store.clone(), self.shown.clone());
        // Readers stop asking for these heights before they go.
        shown.base.fetch_max(retain.0, Ordering::AcqRel);
        self.runtime.spawn_blocking(move || {
            loop {
                match store.prune(retain, PRUNE_AT_ONCE) {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => return tracing::error!(%error, "pruning"),
                }
            }
        });
    }
}
