//! The bytes that validators sign.
use guts_genesis::Time;

use super::{BlockId, wire};

/// The bytes signed for a vote. `kind` is the wire number of the vote type; validator and
/// extension are not signed here.
pub fn vote_sign_bytes(
    chain_id: &str,
    kind: i32,
    (height, round): (i64, i32),
    block_id: &BlockId,
    time: Time,
) -> Vec<u8> {
    let mut body = Vec::with_capacity(192);
    wire::put_int(&mut body, 1, i64::from(kind));
    wire::put_sfixed64(&mut body, 2, height);
    wire::put_sfixed64(&mut body, 3, i64::from(round));
    if !block_id.is_nil() {
        wire::put_message(&mut body, 4, &block_id.encode());
    }
    wire::put_message(&mut body, 5, &wire::timestamp(time));
    wire::put_bytes(&mut body, 6, chain_id.as_bytes());
    delimited(&body)
}

/// The bytes signed for a proposal. `pol_round` is -1 when there was no earlier polka.
pub fn proposal_sign_bytes(
    chain_id: &str,
    (height, round, pol_round): (i64, i32, i32),
    block_id: &BlockId,
    time: Time,
) -> Vec<u8> {
    let mut body = Vec::with_capacity(192);
    wire::put_int(&mut body, 1, 32);
    wire::put_sfixed64(&mut body, 2, height);
    wire::put_sfixed64(&mut body, 3, i64::from(round));
    wire::put_int(&mut body, 4, i64::from(pol_round));
    if !block_id.is_nil() {
        wire::put_message(&mut body, 5, &block_id.encode());
    }
    wire::put_message(&mut body, 6, &wire::timestamp(time));
    wire::put_bytes(&mut body, 7, chain_id.as_bytes());
    delimited(&body)
}

fn delimited(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 2);
    wire::put_varint(&mut out, body.len() as u64);
    out.extend_from_slice(body);
    out
}
