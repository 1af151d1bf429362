//! Messages between nodes as CometBFT v0.38.25 encodes, takes and refuses them.
use bytes::Bytes;
use guts_consensus::messages::{Channel, Message, TXS_PER_MESSAGE_MAX};
use serde_json::Value;

use crate::support::{bytes, each_case, name};

fn channel_of(case: &Value) -> Channel {
    let kind = name(case).split('/').nth(1).unwrap_or("");
    match kind {
        "proposal" | "proposal-pol" | "block-part" => Channel::Data,
        "vote" => Channel::Vote,
        "vote-set-bits" => Channel::VoteSetBits,
        _ => Channel::State,
    }
}

/// What is accepted is written back to the byte; what CometBFT refuses, we refuse.
fn check(case: &Value, channel: Channel, verdict: &Value) {
    let envelope = Bytes::from(bytes(&case["envelope"]));
    let read = Message::decode(channel, envelope.clone());
    let accepted = verdict["ok"].as_bool().unwrap_or(true);
    match read {
        Ok(message) => {
            assert!(accepted, "{} must be refused", name(case));
            assert_eq!(message.channel(), channel);
            assert_eq!(message.encode(), envelope, "{}", name(case));
        }
        Err(error) => assert!(!accepted, "{}: {error}", name(case)),
    }
}

#[test]
fn messages_are_those_of_cometbft() {
    each_case("15-p2p-messages.json", 194, |kind, case| match kind {
        // Its round is not checked there; here it becomes round 0, whose bits match nothing.
        "consensus" if name(case).ends_with("round-negative-allowed") => {
            let envelope = Bytes::from(bytes(&case["envelope"]));
            assert!(Message::decode(Channel::VoteSetBits, envelope).is_ok());
        }
        "consensus" => check(case, channel_of(case), &case["decode_and_validate"]),
        "consensus_envelope" => check(case, Channel::State, &case["decode_and_validate"]),
        // CometBFT looks into the block later.
        "blocksync" if name(case) == "blocksync/block-response-empty" => {
            let envelope = Bytes::from(bytes(&case["envelope"]));
            assert!(Message::decode(Channel::BlockSync, envelope).is_err());
        }
        "blocksync" => check(case, Channel::BlockSync, &case["validate"]),
        "mempool_txs" => {
            // A message without transactions says nothing and is refused.
            let ok = !case["txs"].as_array().unwrap().is_empty();
            check(case, Channel::Mempool, &serde_json::json!({ "ok": ok }));
        }
        "evidence_list" => check(case, Channel::Evidence, &Value::Null),
        _ => {}
    });
}

#[test]
fn no_bytes_make_decoding_panic() {
    each_case("15-p2p-messages.json", 194, |_, case| {
        let envelope = bytes(&case["envelope"]);
        for at in 0..envelope.len() {
            for flip in [1_u8, 0x80, 0xff] {
                let mut broken = envelope.clone();
                broken[at] ^= flip;
                for channel in Channel::ALL {
                    let _ = Message::decode(channel, Bytes::from(broken.clone()));
                    let _ = Message::decode(channel, Bytes::from(broken[..at].to_vec()));
                }
            }
        }
    });
}

#[test]
fn what_is_too_long_is_refused() {
    for channel in Channel::ALL {
        let long = Bytes::from(vec![0; channel.message_bytes_max() + 1]);
        assert!(Message::decode(channel, long).is_err());
        assert_eq!(Channel::from_id(channel.id()), Some(channel));
    }
}

#[test]
fn no_message_has_more_transactions_than_it_may() {
    let read = |count: usize| {
        let sent = Message::Txs(vec![Bytes::from_static(b"x"); count]);
        Message::decode(Channel::Mempool, sent.encode())
    };
    assert!(read(TXS_PER_MESSAGE_MAX).is_ok());
    assert!(read(TXS_PER_MESSAGE_MAX + 1).is_err());
}
