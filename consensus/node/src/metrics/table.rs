//! Every metric: the documentation, and what a scrape can say.

/// A kind of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up, from 0 at the start of the process.
    Counter,
    /// How often something was at most so much, from 0 at the start of the process.
    Histogram,
}

use Kind::{Counter, Gauge, Histogram};

impl Kind {
    /// Its name in the text of a scrape.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Gauge => "gauge",
            Counter => "counter",
            Histogram => "histogram",
        }
    }
}

/// Every metric: name, kind, meaning.
pub const TABLE: [(&str, Kind, &str); 54] = [
    ("cometbft_consensus_height", Gauge, "Height that is being agreed on"),
    ("cometbft_consensus_latest_block_height", Gauge, "Last committed height"),
    ("cometbft_consensus_rounds", Gauge, "Round of the height in progress"),
    (
        "cometbft_consensus_round_duration_seconds",
        Histogram,
        "From when a round began to propose to when it was over",
    ),
    (
        "cometbft_consensus_step_duration_seconds",
        Histogram,
        "Time spent in a step of a round, by step",
    ),
    ("cometbft_consensus_validators", Gauge, "Validators of the last block"),
    ("cometbft_consensus_validators_power", Gauge, "Power of all of them"),
    (
        "cometbft_consensus_validator_power",
        Gauge,
        "Power of this node's validator, by validator_address, once it has had some",
    ),
    (
        "cometbft_consensus_validator_last_signed_height",
        Gauge,
        "Last block with a precommit of this node's validator for the one before, by \
         validator_address",
    ),
    (
        "cometbft_consensus_validator_missed_blocks",
        Gauge,
        "Blocks, since the start of the process, without one, by validator_address",
    ),
    (
        "cometbft_consensus_missing_validators",
        Gauge,
        "Validators whose precommit is not in the last block's commit of the one before",
    ),
    ("cometbft_consensus_missing_validators_power", Gauge, "Power of all of them"),
    (
        "cometbft_consensus_byzantine_validators",
        Gauge,
        "Validators whose duplicate votes are evidence in the last block",
    ),
    ("cometbft_consensus_byzantine_validators_power", Gauge, "Power of all of them"),
    (
        "cometbft_consensus_block_interval_seconds",
        Histogram,
        "Time in the header of a block since that of the one before",
    ),
    ("cometbft_consensus_num_txs", Gauge, "Transactions of the last block"),
    (
        "cometbft_consensus_total_txs",
        Gauge,
        "Transactions of all blocks since the start of the process",
    ),
    ("cometbft_consensus_block_size_bytes", Gauge, "Size of the last block"),
    ("cometbft_consensus_chain_size_bytes", Counter, "Size of all blocks"),
    ("cometbft_consensus_proposal_create_count", Counter, "Proposals the application has made"),
    (
        "cometbft_consensus_proposal_receive_count",
        Counter,
        "Proposals the application has judged, by status (accepted, rejected)",
    ),
    (
        "cometbft_consensus_vote_extension_receive_count",
        Counter,
        "Extensions of votes the application has judged, by status (accepted, rejected)",
    ),
    ("cometbft_consensus_duplicate_vote", Counter, "Votes of peers that were known already"),
    ("cometbft_blocksync_syncing", Gauge, "1 while the node fetches blocks of others"),
    (
        "cometbft_abci_connection_method_timing_seconds",
        Histogram,
        "Time the application takes to answer, by method and type (check_tx is async for the \
         mempool, sync for the RPC)",
    ),
    (
        "cometbft_state_block_processing_time",
        Histogram,
        "Milliseconds the application takes to answer FinalizeBlock",
    ),
    (
        "cometbft_state_consensus_param_updates",
        Counter,
        "Blocks in which the application changed consensus parameters",
    ),
    (
        "cometbft_state_validator_set_updates",
        Counter,
        "Blocks in which the application changed validators",
    ),
    ("cometbft_mempool_size", Gauge, "Transactions that wait"),
    ("cometbft_mempool_size_bytes", Gauge, "Bytes of them"),
    ("cometbft_mempool_failed_txs", Counter, "Transactions the application refused"),
    ("cometbft_mempool_rejected_txs", Counter, "Transactions there was no room for"),
    (
        "cometbft_mempool_evicted_txs",
        Counter,
        "Transactions that had been taken and that the application refused after a block",
    ),
    ("cometbft_mempool_recheck_times", Counter, "Times a transaction was checked after a block"),
    ("cometbft_p2p_peers", Gauge, "Connected peers"),
    ("cometbft_p2p_peer_send_bytes_total", Counter, "Bytes sent, by peer_id and chID"),
    ("cometbft_p2p_peer_receive_bytes_total", Counter, "Bytes received, by peer_id and chID"),
    ("cometbft_p2p_peer_pending_send_bytes", Gauge, "Bytes that wait to be sent, by peer_id"),
    ("guts_p2p_peers_by_transport", Gauge, "Connected peers, by transport"),
    ("guts_p2p_received_total", Counter, "Messages received"),
    ("guts_p2p_sent_total", Counter, "Messages sent"),
    ("guts_p2p_dropped_total", Counter, "Messages lost: a queue was full or a peer gone"),
    ("guts_p2p_faults_total", Counter, "Connections ended because the peer broke a rule"),
    ("guts_p2p_refused_total", Counter, "Peers refused at hello, by either side"),
    ("guts_p2p_overflowed_total", Counter, "Connections ended because the peer read too slowly"),
    ("guts_consensus_blocks_total", Counter, "Blocks committed"),
    ("guts_consensus_synced_blocks_total", Counter, "Of them, fetched from others"),
    ("guts_consensus_extra_rounds_total", Counter, "Rounds above 0"),
    ("guts_consensus_catch_ups_total", Counter, "Times the node fell back to fetching blocks"),
    ("guts_consensus_equivocations_total", Counter, "Duplicate votes found here"),
    ("guts_consensus_bad_messages_total", Counter, "Messages of peers that were invalid"),
    ("guts_consensus_overflows_total", Counter, "Messages of peers there was no room for"),
    (
        "guts_consensus_passed_on_total",
        Counter,
        "Messages passed on to peers that their sender does not reach",
    ),
    ("guts_consensus_evidence_waiting", Gauge, "Evidence that waits for a block"),
];
