//! Many transactions in one message.
use bytes::Bytes;

use super::{Message, MessageError};
use crate::types::wire::{Fields, Value, field_len, put_head, put_message};

/// Bytes of transactions that are put into one message at most, framing not counted. A single
/// larger transaction travels alone.
pub const TXS_BATCH_BYTES: usize = 64 * 1024;

/// Transactions in one message at most. Ours have far fewer ([`TXS_PER_MESSAGE`]).
pub const TXS_PER_MESSAGE_MAX: usize = 10_000;
/// Transactions that are put into one message at most.
pub const TXS_PER_MESSAGE: usize = 1_000;

pub(super) fn encode(txs: &[Bytes]) -> Bytes {
    let list_len = txs.iter().map(|tx| field_len(tx.len())).sum();
    let mut envelope = Vec::with_capacity(field_len(list_len));
    put_head(&mut envelope, 1, list_len);
    txs.iter().for_each(|tx| put_message(&mut envelope, 1, tx));
    envelope.into()
}

/// Reads transactions without copying them.
pub(super) fn decode(payload: Bytes) -> Result<Message, MessageError> {
    let mut txs = Vec::new();
    let mut seen = false;
    let mut envelope = Fields::of(payload);
    while let Some((number, value)) = envelope.next()? {
        let (1, Value::Bytes(list)) = (number, value) else { continue };
        seen = true;
        let mut list = Fields::of(list);
        while let Some((number, value)) = list.next()? {
            if let (1, Value::Bytes(tx)) = (number, value) {
                if txs.len() >= TXS_PER_MESSAGE_MAX {
                    return Err(MessageError::Field("txs"));
                }
                txs.push(tx);
            }
        }
    }
    if !seen || txs.is_empty() {
        return Err(MessageError::Unknown);
    }
    Ok(Message::Txs(txs))
}
