//! What a node of the small world keeps.
use std::collections::BTreeMap;
use std::sync::Arc;

use guts_abci::proto::abci as pb;
use guts_consensus::io::{Decided, Load, Loaded, Record};
use guts_consensus::types::{Evidence, SignedHeader, State};
use guts_consensus::wal;
use guts_genesis::Height;

/// What survives a crash of the engine.
#[derive(Default)]
pub struct Disk {
    pub log: Vec<u8>,
    pub writer: wal::Writer,
    pub blocks: BTreeMap<Height, Arc<Decided>>,
    pub responses: BTreeMap<Height, Arc<pb::ResponseFinalizeBlock>>,
    pub states: BTreeMap<Height, Arc<State>>,
    pub evidence: BTreeMap<[u8; 32], Evidence>,
}

impl Disk {
    /// Keeps a record.
    pub fn append(&mut self, record: &Record) {
        match record {
            Record::Wal(entry) => self.writer.append(entry, &mut self.log),
            Record::Block(decided) => {
                self.blocks.insert(decided.commit.height, decided.clone());
            }
            Record::Response { height, response } => {
                self.responses.insert(*height, response.clone());
            }
            Record::State(state) => {
                self.states.insert(state.last_block_height, state.clone());
            }
            Record::EvidencePending(evidence) => {
                let hash = evidence.hash().as_bytes().try_into().unwrap();
                self.evidence.insert(hash, Evidence::clone(evidence));
            }
            Record::EvidenceDone { hash, .. } => {
                self.evidence.remove(hash);
            }
        }
    }

    /// What the engine wants to read.
    pub fn load(&self, load: Load) -> Loaded {
        let found = match load {
            Load::Block(height) => self.blocks.get(&height).cloned().map(Loaded::Block),
            Load::Response(height) => self.responses.get(&height).cloned().map(Loaded::Response),
            Load::SignedHeader(height) => {
                let next = self.blocks.get(&height.next());
                self.blocks.get(&height).zip(next).map(|(ours, next)| {
                    let header = ours.block.header().clone();
                    let commit = next.block.last_commit().clone();
                    Loaded::SignedHeader(Box::new(SignedHeader { header, commit }))
                })
            }
            Load::Validators(height) => {
                let block = self.blocks.get(&height);
                let state = self.states.get(&height);
                state.zip(block).map(|(state, block)| Loaded::Validators {
                    validators: Arc::new(state.last_validators.clone()),
                    time: block.block.header().time,
                })
            }
            Load::FirstSince(time) => {
                let mut blocks = self.blocks.iter();
                let young = blocks.find(|(_, decided)| decided.block.header().time >= time);
                let found = young.or(self.blocks.last_key_value());
                found.map(|(height, _)| Loaded::Height(*height))
            }
        };
        found.unwrap_or(Loaded::Missing)
    }
}
