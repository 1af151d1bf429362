//! What became of a transaction. That it is in block h, header h proves; how it ended, header h + 1
//! by its digest over the codes, data and gas of block h. Logs and events are in no header.

use guts_rpc::client::ClientError;
use guts_rpc::types::{TxResponse, TxResult};
use guts_schema::Hash;

use super::Chain;
use crate::{Error, proof};

/// Where a transaction is, proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The block.
    pub height: u64,
    /// Its number there, of `of`: a proof of one transaction alone leaves both to the node.
    index: u32,
    of: i64,
}

impl Chain {
    /// Checks that what the node found is the transaction of that hash, in the block it says.
    ///
    /// # Errors
    /// If it is another, or not proved to be there.
    pub async fn place(&mut self, found: &TxResponse, hash: Hash) -> Result<Place, Error> {
        let bytes = &found.tx.0;
        if Hash::of(bytes) != hash {
            return Err(Error::Proof("the node gave another transaction".into()));
        }
        let height = u64::try_from(found.height).map_err(|_| Error::Proof("height".into()))?;
        let proof = found.proof.as_ref().ok_or_else(|| {
            Error::Proof(format!("there is no proof that transaction {hash} is in block {height}"))
        })?;
        let data_hash = self.header(height).await?.data_hash.unwrap_or_default();
        proof::check_tx(&proof.proof, data_hash.as_bytes(), bytes, found.index)?;
        Ok(Place { height, index: found.index, of: proof.proof.total })
    }

    /// How the transaction there ended, of which the next header proves code, data and gas; `None`
    /// where the node does not have that header yet, or the results any more.
    ///
    /// # Errors
    /// If the node's results are not those of the block.
    pub async fn outcome(&mut self, place: Place) -> Result<Option<TxResult>, Error> {
        let Place { height, index, of } = place;
        let next = match self.header(height.saturating_add(1)).await {
            Err(Error::Node { source: ClientError::Rpc(_), .. }) => return Ok(None),
            next => next?,
        };
        let mut results = match self.client.block_results(Some(height)).await {
            Ok(answer) => answer.txs_results,
            Err(ClientError::Rpc(_)) => return Ok(None),
            Err(error) => return Err(self.node_error(error)),
        };
        let digest = next.last_results_hash.unwrap_or_default();
        if proof::results_hash(&results)[..] != *digest.as_bytes() {
            return Err(Error::Proof(format!("block {height} has other results")));
        }
        // The digest is over all of them, so how many there are is proved, and with it the number.
        let index = usize::try_from(index).ok().filter(|index| *index < results.len());
        match index {
            Some(index) if i64::try_from(results.len()) == Ok(of) => {
                Ok(Some(results.swap_remove(index)))
            }
            _ => Err(Error::Proof(format!("block {height} has {} transactions", results.len()))),
        }
    }
}
