//! 01-sign-bytes: what validators sign, and which votes and proposals are refused.
use guts_abci::proto::Message;
use guts_consensus::types::{
    BlockId, Invalid, PartSetHeader, Proposal, Vote, extension_sign_bytes, proposal_sign_bytes,
    vote_sign_bytes,
};
use guts_genesis::{Height, PrivateKey, PublicKey, Round, Signature, Time, Zip215};
use serde_json::Value;

use crate::support::*;

/// Sign bytes are signed by the case's key; deterministic.
fn check_signed(case: &Value, sign_bytes: &[u8]) {
    assert_eq!(sign_bytes, bytes(&case["sign_bytes"]), "{}", name(case));
    let key = PrivateKey::from_seed(bytes(&case["seed"]).try_into().unwrap());
    assert_eq!(key.public_key().as_bytes(), bytes(&case["pub_key"]));
    assert_eq!(key.sign(sign_bytes).as_bytes(), bytes(&case["signature"]), "{}", name(case));
}

fn parts(value: &Value) -> Result<(BlockId, Time), Invalid> {
    let time = time(&value["timestamp"]);
    Ok((
        BlockId::from_proto(Some(&block_id(&value["block_id"])))?,
        Time::from_proto(time.as_ref())?,
    ))
}

#[test]
fn signed_bytes_and_refusals_are_those_recorded() {
    each_case("01-sign-bytes.json", 142, |kind, case| match kind {
        "vote" => {
            let vote = &case["vote"];
            let result = parts(vote);
            let result = expect(result, case, name(case));
            let Some((block_id, time)) = result else { return };
            let at = (int(&vote["height"]), int32(&vote["round"]));
            let chain_id = text(&case["chain_id"]);
            let signed = vote_sign_bytes(chain_id, int32(&vote["type"]), at, &block_id, time);
            check_signed(case, &signed);
        }
        "vote_extension" => {
            let (height, round) = (int(&case["height"]), int32(&case["round"]));
            let extension = bytes(&case["extension"]);
            let chain_id = text(&case["chain_id"]);
            check_signed(case, &extension_sign_bytes(chain_id, height, round, &extension));
        }
        "proposal" => {
            let proposal = &case["proposal"];
            let (block_id, time) = parts(proposal).unwrap();
            let (round, pol_round) = (int32(&proposal["round"]), int32(&proposal["pol_round"]));
            let at = (int(&proposal["height"]), round, pol_round);
            check_signed(case, &proposal_sign_bytes(text(&case["chain_id"]), at, &block_id, time));
        }
        "check_vote" => check_vote(case),
        "check_proposal" => {
            let wire = proposal(&case["proposal"]);
            assert_eq!(wire.encode_to_vec(), bytes(&case["proposal_proto"]), "{}", name(case));
            let read = Proposal::from_proto(wire.clone());
            if let Some(read) = expect(read, &case["validate_basic"], name(case)) {
                assert_eq!(read.to_proto(), wire, "{}", name(case));
            }
        }
        "proposal_block_size" => {
            let total = u32::try_from(int(&case["total_parts"])).unwrap();
            let parts = PartSetHeader { total, ..PartSetHeader::default() };
            let proposal = Proposal {
                height: Height(1),
                round: Round(0),
                pol_round: None,
                block_id: BlockId { parts, ..BlockId::NIL },
                time: Time::EPOCH,
                signature: Signature::NONE,
            };
            let result = proposal.check_parts(int(&case["max_block_bytes"]));
            expect(result, &case["result"], name(case));
        }
        other => panic!("unknown kind {other}"),
    });
}

fn check_vote(case: &Value) {
    let wire = vote(&case["vote"]);
    assert_eq!(wire.encode_to_vec(), bytes(&case["vote_proto"]), "{}", name(case));
    let Some(vote) = expect(Vote::from_proto(wire.clone()), &case["validate_basic"], name(case))
    else {
        return;
    };
    assert_eq!(vote.to_proto(), wire, "{}", name(case));
    let chain_id = text(&case["chain_id"]);
    let key = PublicKey::ed25519(&bytes(&case["pub_key"])).unwrap();
    let vote_good = vote.verify(&Zip215, chain_id, &key);
    expect(vote_good.clone(), &case["verify"], name(case));
    let extension_good = vote.verify_extension(&Zip215, chain_id, &key);
    expect(extension_good.clone(), &case["verify_extension"], name(case));
    let both = vote_good.and_then(|()| vote.check_extension_required()).and(extension_good);
    let missing = vote.check_extension_required();
    let both = if vote.verify(&Zip215, chain_id, &key).is_ok() { missing.and(both) } else { both };
    expect(both, &case["verify_vote_and_extension"], name(case));
}
