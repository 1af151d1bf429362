//! Limits: constants that every node must share, each with the reason for its size, asserted
//! against each other at the end. What a network may tune is a chain parameter, not a limit.

/// Bytes of a transaction. A certificate fits with room to spare; a block holds several.
pub const TX_BYTES_MAX: usize = 64 * 1024;
/// Actions in a transaction: enough for "account, handle, repository" in one go.
pub const ACTIONS_MAX: usize = 16;
/// Signatures in a transaction; bounds what one transaction may cost to check.
pub const AUTH_MAX: usize = 8;
/// Guardians of an account.
pub const GUARDIANS_MAX: usize = 16;
/// Bytes of a chain id (CometBFT's limit).
pub const CHAIN_ID_BYTES_MAX: usize = 50;
/// Bytes of a handle.
pub const HANDLE_BYTES_MAX: usize = 39;
/// Bytes of a repository name.
pub const REPO_NAME_BYTES_MAX: usize = 100;
/// Bytes of a repository's description.
pub const DESCRIPTION_BYTES_MAX: usize = 512;
/// Bytes of a ref name: git makes a file `NAME.lock` of its last part, and file names end at 255.
pub const REF_NAME_BYTES_MAX: usize = 240;
/// Bytes of the salt that hides a handle until it is claimed.
pub const SALT_BYTES: usize = 32;
/// Bytes of a push certificate.
pub const CERTIFICATE_BYTES_MAX: usize = 56 * 1024;
/// Refs in one push.
pub const PUSH_REFS_MAX: usize = 256;
/// Longest time for which a push certificate can be fresh, in seconds of header time: closed pushes
/// are remembered for as long, so that no change of the window makes a used one fresh again.
pub const PUSH_WINDOW_MAX_S: u64 = 24 * 3600;
/// How old a header may be that a light client trusts, in seconds, on a chain whose genesis does
/// not say: half of the time that stake takes to be free.
pub const LIGHT_TRUST_DEFAULT_S: u64 = 12 * 3600;
/// Push options in one push, and bytes of each.
pub const PUSH_OPTIONS_MAX: usize = 16;
/// Bytes of a push option.
pub const PUSH_OPTION_BYTES_MAX: usize = 256;
/// Bytes of a push nonce: git refuses 256 and more.
pub const NONCE_BYTES_MAX: usize = 255;
/// Bytes of an armoured SSH signature by an ed25519 key; the longest namespace included.
pub const ARMOUR_BYTES_MAX: usize = 1024;
/// Bytes of a vote extension; every validator's travels in every commit.
pub const EXTENSION_BYTES_MAX: usize = 2048;
/// Attestations in a vote extension. What does not fit waits for the next height.
pub const ATTESTATIONS_MAX: usize = 50;
/// Validators whose attestations pseudo-transaction 0 can carry.
pub const VALIDATORS_MAX: usize = 128;
/// Bytes of pseudo-transaction 0, first byte included. Reserved in `max_tx_bytes`.
pub const PSEUDO_TX_BYTES_MAX: usize = 20 + VALIDATORS_MAX * (EXTENSION_BYTES_MAX + 100);
/// Bytes of a validator's name, one line.
pub const VALIDATOR_NAME_BYTES_MAX: usize = 64;
/// Bytes of the URL of a validator's gateway: a host name has 253 at most, and few have a path.
pub const GATEWAY_URL_BYTES_MAX: usize = 256;
/// Bytes of a libp2p peer id: a multihash of a key.
pub const PEER_ID_BYTES_MAX: usize = 64;
/// Validators that one account has stake with.
pub const DELEGATIONS_PER_ACCOUNT_MAX: usize = 64;
/// Unbondings and redelegations of one account under way: slashing looks at all that there are.
pub const UNBONDINGS_PER_ACCOUNT_MAX: u64 = 64;
/// Millionths in a whole.
pub const PPM: u64 = 1_000_000;
/// Bits after the point of a reward index: what a validator has given for each of its shares.
pub const REWARD_INDEX_BITS: u32 = 40;
/// Topics of a repository.
pub const TOPICS_MAX: usize = 20;
/// Members of a team that one transaction can name.
pub const TEAM_MEMBERS_MAX: usize = 256;
/// Bytes of a comment.
pub const COMMENT_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a title, one line.
pub const TITLE_BYTES_MAX: usize = 256;
/// Labels and assignees of an issue, each.
pub const ISSUE_WORDS_MAX: usize = 20;
/// Labels, and milestones, of a repository: one value holds them all.
pub const LABELS_MAX: usize = 200;
/// Pinned issues of a repository.
pub const PINNED_MAX: usize = 3;
/// References and mentions that one text makes known, and so what it may cost: the rest is text.
pub const REFERENCES_MAX: usize = 16;
/// Bytes of the parameters that a proposal changes.
pub const PROPOSAL_PARAMS_BYTES_MAX: usize = 8 * 1024;
/// Accounts that lay down something for one proposal.
pub const DEPOSITORS_MAX: usize = 100;
/// Buckets into which the refs of a repository are hashed (see `refs`).
pub const REF_BUCKETS: usize = 256;
/// Recorded block hashes that proof of work may name: so many non-empty blocks long it is good.
pub const ANCHORS_MAX: u64 = 256;

/// Bytes of one attestation: push id, verdict, their tags and lengths.
const ATTESTATION_BYTES: usize = 2 + 34 + 4;
/// The same, with the refs that it is about.
const ATTESTATION_BYTES_MAX: usize = ATTESTATION_BYTES + 2 + PUSH_REFS_MAX / 8;

const _: () = {
    assert!(ATTESTATIONS_MAX * ATTESTATION_BYTES <= EXTENSION_BYTES_MAX);
    // Those about refs wait for one another, a few heights at most.
    assert!(ATTESTATIONS_MAX / 2 * ATTESTATION_BYTES_MAX <= EXTENSION_BYTES_MAX);
    assert!(PUSH_REFS_MAX.is_multiple_of(8), "a set of refs has a bit for each");
    // The transaction around a certificate: chain id, payer, work, one signature.
    assert!(CERTIFICATE_BYTES_MAX + 1024 <= TX_BYTES_MAX);
    // guts1+CHAIN+OWNER/NAME+TIME
    assert!(
        "guts1".len() + 3 + CHAIN_ID_BYTES_MAX + HANDLE_BYTES_MAX + 1 + REPO_NAME_BYTES_MAX + 20
            <= NONCE_BYTES_MAX
    );
    assert!(REF_NAME_BYTES_MAX + ".lock".len() <= 255);
    assert!(REF_BUCKETS == 1 << 8, "the bucket of a ref is one byte of its digest");
    assert!(PUSH_OPTIONS_MAX * PUSH_OPTION_BYTES_MAX + ARMOUR_BYTES_MAX < CERTIFICATE_BYTES_MAX);
};
