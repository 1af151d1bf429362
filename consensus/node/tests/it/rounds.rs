//! The height in progress as operators look at it: of a chain at rest, and of one that is stuck.

use crate::network::{Network, eventually};
use guts_rpc::client::Client;
use guts_rpc::types::{DumpConsensusState, PeerStateInfo};

/// Nobody of four.
const NONE: Option<&str> = Some("____");

/// A peer that waits, and from which nothing came in the round.
fn assert_rests(peer: &PeerStateInfo) {
    let (id, address) = peer.node_address.split_once('@').unwrap();
    assert!(id.len() == 40 && id.chars().all(|c| c.is_ascii_hexdigit()), "{peer:?}");
    assert!(address.parse::<std::net::SocketAddr>().is_ok(), "{peer:?}");
    let said = &peer.peer_state.round_state;
    assert_eq!((said.prevotes.as_deref(), said.precommits.as_deref()), (NONE, NONE));
    assert!(said.last_commit_round >= 0, "{said:?}");
    assert_eq!(said.last_commit.as_ref().map(String::len), Some(4), "{said:?}");
    assert_eq!((said.catchup_commit_round, &said.catchup_commit), (-1, &None));
}

/// Whose prevotes of round 0 a peer has, once they are those that we have.
async fn has_our_prevotes(client: &Client, peer: &str) -> Option<String> {
    let dump = client.dump_consensus_state().await.ok()?;
    let is_it = |one: &&PeerStateInfo| one.node_address.starts_with(peer);
    let said = &dump.peers.iter().find(is_it)?.peer_state.round_state;
    let ours = &dump.round_state.votes[0].prevotes_bit_array;
    let is_here = said.height == dump.round_state.height && said.precommits.as_deref() == NONE;
    let is_ours = |bits: &String| is_here && ours.contains(&format!("BA{{4:{bits}}}"));
    said.prevotes.clone().filter(is_ours)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_that_waits_for_others_shows_what_is_missing() {
    let settings = ["consensus.create_empty_blocks_interval=1h"];
    let mut network = Network::start(4, &settings).await;
    network.reach(1).await;
    let height = network.nodes[0].commit("a", "1").await + 1;
    network.reach(height).await;
    let client = network.nodes[0].client();
    // The last block shows the result of the one before: from then on the chain rests.
    let rests = |dump: &DumpConsensusState| {
        let state = &dump.round_state;
        let is_with_us = |peer: &PeerStateInfo| {
            let said = &peer.peer_state.round_state;
            (said.height, said.round) == (height + 1, 0)
        };
        let is_at_rest = state.height == height + 1 && state.step == 2;
        let are_peers_here = dump.peers.len() == 3 && dump.peers.iter().all(is_with_us);
        is_at_rest && state.last_commit.is_some() && are_peers_here
    };
    let dump = eventually(|| async { client.dump_consensus_state().await.ok().filter(rests) });
    let dump = dump.await.expect("it rests");
    dump.peers.iter().for_each(assert_rests);
    let state = dump.round_state;
    assert!(state.proposal.is_none() && state.locked_block.is_none());
    assert_eq!((state.round, state.locked_round, state.commit_round), (0, -1, -1));
    assert_eq!(state.validators.validators.len(), 4);
    assert_eq!(state.last_validators.validators.len(), 4);
    assert!(state.start_time >= state.commit_time);
    let last = state.last_commit.unwrap();
    let commit = client.commit(Some(u64::try_from(height).unwrap())).await.unwrap();
    let seen = commit.expect("it is stored").signed_header.commit;
    let hash = &seen.block_id.hash.to_string()[..12];
    for (line, sig) in last.votes.iter().zip(&seen.signatures) {
        let is_there = sig.block_id_flag == 2;
        assert!(!is_there || line.contains(hash) && line.contains("(Precommit)"), "{line}");
        assert!(!is_there || line.contains(&sig.validator_address.to_string()[..12]), "{line}");
    }

    // Two of four cannot decide: what the others have not said can be seen.
    network.nodes[2].kill_engine();
    network.nodes[3].kill_engine();
    client.broadcast_tx_sync(b"stuck=1").await.unwrap();
    let simple = eventually(|| async {
        let state = client.consensus_state().await.ok()?.round_state;
        let votes = &state.height_vote_set[0].prevotes;
        (votes.iter().filter(|vote| *vote != "nil-Vote").count() == 2).then_some(state)
    });
    let simple = simple.await.expect("two prevotes");
    assert!(simple.height_round_step.starts_with(&format!("{}/", height + 1)), "{simple:?}");
    let votes = &simple.height_vote_set[0];
    let two = votes.prevotes_bit_array.matches('x').count();
    assert!(two == 2 && votes.prevotes_bit_array.ends_with("= 0.50"), "{votes:?}");
    assert_eq!(votes.precommits, ["nil-Vote"; 4]);
    let proposer = usize::try_from(simple.proposer.index).unwrap();
    let dump = client.dump_consensus_state().await.unwrap().round_state;
    assert_eq!((dump.height, dump.votes[0].prevotes.len()), (height + 1, 4));
    assert_eq!(dump.validators.validators[proposer].address, simple.proposer.address);
    // The one that is left says what it has once it does not move: both prevotes.
    let other = network.nodes[1].client().status().await.unwrap().node_info.id;
    let both = eventually(|| has_our_prevotes(&client, &other)).await.expect("it says them");
    assert_eq!(both.matches('x').count(), 2, "{both}");

    network.nodes[2].start_engine();
    network.nodes[0].reach(height + 1).await;
}
