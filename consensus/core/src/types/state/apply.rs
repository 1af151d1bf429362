//! Checking a block against the state, and the state after it.
use guts_abci::proto::abci::ResponseFinalizeBlock;
use guts_genesis::{Height, SignatureScheme};

use super::State;
use crate::types::{Block, BlockId, CommitCheck, Evidence, Header, Invalid, abci, results_hash};

impl State {
    /// Checks that `block` is a next block. Its evidence is checked by whoever keeps evidence.
    pub fn check_block(&self, block: &Block, scheme: &dyn SignatureScheme) -> Result<(), Invalid> {
        self.check_header(block.header())?;
        let header = block.header();
        if header.height == self.initial_height {
            if !block.last_commit().signatures.is_empty() {
                return Err(Invalid::BlockMismatch("last commit of the first block"));
            }
        } else {
            let check = CommitCheck {
                scheme,
                chain_id: &self.chain_id,
                validators: &self.last_validators,
                commit: block.last_commit(),
            };
            check.full(&self.last_block_id, header.height.prev())?;
        }
        if header.height > self.initial_height && header.time <= self.last_block_time {
            return Err(Invalid::BlockMismatch("time"));
        }
        if header.time != self.next_block_time(block.last_commit())? {
            return Err(Invalid::BlockMismatch("time"));
        }
        let evidence: u64 = block.evidence().iter().map(Evidence::encoded_len).sum();
        let allowed = u64::try_from(self.consensus_params.evidence_max_bytes).unwrap_or(0);
        if evidence > allowed {
            return Err(Invalid::BlockMismatch("amount of evidence"));
        }
        Ok(())
    }

    fn check_header(&self, header: &Header) -> Result<(), Invalid> {
        let rules = [
            (header.version == self.version, "version"),
            (header.chain_id == self.chain_id, "chain id"),
            (header.height == self.next_height(), "height"),
            (header.last_block_id == self.last_block_id, "last block id"),
            (header.app_hash == self.app_hash, "app hash"),
            (header.consensus_hash == self.consensus_params.hash().into(), "consensus hash"),
            (header.last_results_hash == self.last_results_hash, "last results hash"),
            (header.validators_hash == self.validators.hash(), "validators hash"),
            (header.next_validators_hash == self.next_validators.hash(), "next validators hash"),
            (self.validators.by_address(&header.proposer_address).is_some(), "proposer"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, field)) => Err(Invalid::BlockMismatch(field)),
            None => Ok(()),
        }
    }

    /// The state after `block`, to which the application gave `answer`. Nothing is changed on an
    /// error; the application then broke the contract and the node must not go on.
    pub fn after_block(
        &self,
        block_id: BlockId,
        block: &Block,
        answer: &ResponseFinalizeBlock,
    ) -> Result<State, Invalid> {
        if answer.tx_results.len() != block.txs().as_slice().len() {
            return Err(Invalid::ResultCount);
        }
        let header = block.header();
        let params = &self.consensus_params;
        let updates = abci::check_validator_updates(&answer.validator_updates, params)?;
        let mut state = State {
            last_block_height: header.height,
            last_block_id: block_id,
            last_block_time: header.time,
            last_validators: self.validators.clone(),
            validators: self.next_validators.clone(),
            last_results_hash: results_hash(&answer.tx_results),
            app_hash: answer.app_hash.clone(),
            ..self.clone()
        };
        if !updates.is_empty() {
            state.next_validators.update(&updates)?;
            state.last_height_validators_changed = header.height.plus(2);
        }
        state.next_validators.turn(1);
        if let Some(update) = &answer.consensus_param_updates {
            state.consensus_params = params.updated(Some(update));
            state.consensus_params.check().map_err(|_| Invalid::ParamsInvalid)?;
            params
                .check_update(Some(update), header.height)
                .map_err(|_| Invalid::ExtensionsHeight)?;
            state.version.app = state.consensus_params.version_app;
            state.last_height_consensus_params_changed = header.height.next();
        }
        Ok(state)
    }

    /// Whether votes of `height` are extended, by the parameters of the next height.
    pub fn has_extensions_at(&self, height: Height) -> bool {
        self.consensus_params.has_extensions_at(height)
    }
}
