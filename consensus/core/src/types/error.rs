//! Why data is refused.
use guts_genesis::{KeyError, NumberError, TimeError};
use thiserror::Error;

/// Declares [`Invalid`]: variant, the short name it is counted under, and its sentence.
macro_rules! reasons {
    ($($variant:ident $kind:literal $text:literal,)*) => {
        /// Why a block, vote, commit, set or proof is refused. Each reason has a short, stable
        /// [`kind`](Invalid::kind) for counters.
        #[derive(Clone, Debug, PartialEq, Eq, Error)]
        #[allow(missing_docs, reason = "each variant's message says what it means")]
        pub enum Invalid {
            $(#[error($text)] $variant,)*
            /// A block id with a part of the wrong size.
            #[error("block id: {0}")]
            BlockId(Box<Invalid>),
            /// A header that is refused.
            #[error("header: {0}")]
            Header(Box<Invalid>),
            /// A commit that is refused.
            #[error("commit: {0}")]
            Commit(Box<Invalid>),
            /// One signature of a commit that is refused.
            #[error("commit signature {0}: {1}")]
            CommitSig(usize, Box<Invalid>),
            /// A vote that is refused.
            #[error("vote: {0}")]
            Vote(Box<Invalid>),
            /// A Merkle proof that is refused.
            #[error("proof: {0}")]
            Proof(Box<Invalid>),
            /// A piece of evidence that is refused.
            #[error("evidence: {0}")]
            Evidence(Box<Invalid>),
            /// Too little voting power signed.
            #[error("not enough power: {got}, more than {needed_more_than} is needed")]
            NotEnoughPower {
                /// Power that signed.
                got: u64,
                /// Power that must be exceeded.
                needed_more_than: u64,
            },
            /// The signature at this index is not the validator's.
            #[error("signature {0} is wrong")]
            WrongSignature(usize),
            /// A commit names a validator twice.
            #[error("two votes of one validator, at {0} and {1}")]
            DoubleVote(usize, usize),
            /// A block that does not follow from the state.
            #[error("the block's {0} does not follow from the state")]
            BlockMismatch(&'static str),
            /// Not the protobuf it should be.
            #[error("protobuf: {0}")]
            Protobuf(String),
        }

        impl Invalid {
            /// A short, stable name of the reason, for counters and logs.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Invalid::$variant => $kind,)*
                    Invalid::BlockId(_) => "block-id-invalid",
                    Invalid::Header(_) => "header-invalid",
                    Invalid::Commit(_) => "commit-invalid",
                    Invalid::CommitSig(..) => "commit-sig-invalid",
                    Invalid::Vote(_) => "vote-invalid",
                    Invalid::Proof(_) => "proof-invalid",
                    Invalid::Evidence(_) => "evidence-invalid",
                    Invalid::NotEnoughPower { .. } => "not-enough-power",
                    Invalid::WrongSignature(_) => "wrong-signature",
                    Invalid::DoubleVote(..) => "double-vote",
                    Invalid::BlockMismatch(_) => "block-invalid",
                    Invalid::Protobuf(_) => "protobuf",
                }
            }
        }
    };
}

reasons! {
    // Numbers, sizes and fields.
    HeightNegative "height-negative" "the height is negative",
    HeightZero "height-zero" "the height is zero",
    HeightNotPositive "height-not-positive" "the height is not positive",
    HeightMismatch "height-mismatch" "the heights differ",
    RoundNegative "round-negative" "the round is negative",
    PolRoundNegative "pol-round-negative" "the round of the earlier polka is below -1",
    PolRoundTooHigh "pol-round-too-high" "the earlier polka is not of an earlier round",
    IndexNegative "index-negative" "the index is negative",
    IndexMismatch "index-mismatch" "the part's index and its proof's differ",
    TimeOutOfRange "time-out-of-range" "the time is outside the years 1 to 9999",
    TimeMissing "time-missing" "the time is missing",
    TimeNotZero "time-not-zero" "an absent vote has a time",
    HashSize "hash-size" "a hash has neither 0 nor 32 bytes",
    AddressSize "address-size" "an address does not have 20 bytes",
    AddressMismatch "address-mismatch" "the address is not the key's or the validator's",
    ProposerAddressSize "proposer-address-size" "the proposer's address does not have 20 bytes",
    SignatureMissing "signature-missing" "the signature is missing",
    SignatureTooLong "signature-too-long" "the signature has more than 64 bytes",
    SignatureSize "signature-size" "the signature has the wrong length for its key",
    BadSignature "bad-signature" "the signature is wrong",
    TypeInvalid "type-invalid" "the message type is not the one it must be",
    FieldMissing "missing-part" "a part of the message is missing",
    // Headers and blocks.
    BlockProtocol "block-protocol" "the block protocol is not 11",
    ChainIdTooLong "chain-id-too-long" "the chain id has more than 50 bytes",
    ChainIdMismatch "chain-id-mismatch" "this belongs to another chain",
    BlockIdIncomplete "block-id-incomplete" "the block id is neither empty nor complete",
    BlockIdMismatch "block-id-mismatch" "this is about another block",
    DataHash "data-hash" "the data hash of the header is not that of the transactions",
    EvidenceHash "evidence-hash" "the evidence hash of the header is not that of the evidence",
    LastCommitHash "last-commit-hash"
        "the last commit hash of the header is not that of the commit",
    LastCommitMissing "last-commit-missing" "the last commit is missing",
    HeaderMissing "header-missing" "the header is missing",
    SignedHeaderMissing "signed-header-missing" "the signed header is missing",
    CommitMissing "commit-missing" "the commit is missing",
    CommitBlockMismatch "commit-block-mismatch" "the commit is for another block",
    DataTooLarge "too-large" "the transactions are larger than allowed",
    DataLimitNegative "negative" "max_bytes of a block leaves no room for transactions",
    // Parts and proofs.
    PartTooBig "too-big" "the part has more than 65536 bytes",
    InnerPartSize "inner-part-size" "a part other than the last does not have 65536 bytes",
    UnexpectedIndex "unexpected-index" "the part's index is outside the set",
    TooManyParts "too-many-parts" "the proposal has more parts than a block may have",
    TotalNegative "total-negative" "the proof's total is negative",
    LeafHashSize "leaf-hash-size" "the leaf hash does not have 32 bytes",
    AuntSize "aunt-size" "a hash of the proof does not have 32 bytes",
    TooManyAunts "too-many-aunts" "the proof has more than 100 hashes",
    LeafHashMismatch "leaf-hash-mismatch" "the leaf is not the one that is proved",
    RootMismatch "root-mismatch" "the proof leads to another root",
    RootComputation "root-computation" "the proof does not have the shape of its tree",
    TotalNotPositive "total-not-positive" "the proof's total is not positive",
    ElementCount "element-count" "the bit array has a wrong number of words",
    // Votes and commits.
    ExtensionNotAllowed "extension-not-allowed" "only a precommit for a block is extended",
    ExtensionSignatureNotAllowed "extension-signature-not-allowed"
        "only a precommit for a block has an extension signature",
    ExtensionSignatureMissing "extension-signature-missing" "the extension signature is missing",
    ExtensionSignatureTooLong "extension-signature-too-long"
        "the extension signature has more than 64 bytes",
    ExtensionTooLong "extension-too-long" "the vote extension has more than 1 MiB",
    ExtensionBadSignature "extension-bad-signature" "the extension signature is wrong",
    ExtensionPresent "extension-present" "there is an extension though extensions are off",
    ExtensionCheck "extension-check" "the extensions of the commit are not what they must be",
    FlagUnknown "flag-unknown" "the flag of a commit signature is unknown",
    AbsentNotEmpty "absent-not-empty" "an absent vote has an address or a signature",
    CommitForNil "commit-for-nil" "a commit cannot be for nil",
    NoSignatures "no-signatures" "the commit has no signatures",
    NoMajority "no-majority" "no block has more than two thirds of the votes",
    SizeMismatch "size-mismatch" "the commit and the validator set differ in size",
    TrustDenominatorZero "trust-denominator-zero" "the trust level divides by zero",
    Overflow "overflow" "the voting power needed overflows",
    NotAValidator "not-a-validator" "the signer is not in the validator set",
    // Validator sets.
    EmptySet "empty-set" "the validator set is empty",
    PowerNegative "power-negative" "a voting power is negative",
    PowerTooLarge "power-too-large" "a voting power is above the limit of the total",
    ZeroPowerNotAllowed "zero-power-not-allowed" "a voting power is zero",
    TotalPowerTooLarge "total-power-too-large" "the total voting power is above the limit",
    DuplicateValidator "duplicate-validator" "a validator is named twice",
    RemoveUnknownValidator "remove-unknown-validator" "a validator to remove is not in the set",
    KeyMissing "key-missing" "a validator has no key",
    KeySize "key-size" "a key has the wrong size",
    KeyTypeUnsupported "key-type-unsupported" "the key type is not supported",
    ProposerMissing "proposer-missing" "the set names no proposer",
    ProposerNotInSet "proposer-not-in-set" "the proposer is not in the set",
    ValidatorsMissing "validators-missing" "the validator set is missing",
    ValidatorsHashMismatch "validators-hash-mismatch" "the header has another validator set",
    // Evidence.
    EvidenceTypeUnknown "evidence-type-unknown" "this kind of evidence is unknown",
    VoteMissing "vote-missing" "a vote is missing",
    VotesNotOrdered "votes-not-ordered" "duplicate votes in invalid order",
    HeightRoundTypeMismatch "height-round-type-mismatch"
        "the votes are not of one height, round and type",
    SameBlock "same-block" "the votes are for the same block",
    TotalPowerMismatch "total-power-mismatch" "the total voting power differs from ours",
    ValidatorPowerMismatch "validator-power-mismatch" "the validator's power differs from ours",
    TotalPowerNotPositive "total-power-not-positive" "the total voting power is not positive",
    CommonHeightNotPositive "common-height-not-positive" "the common height is not positive",
    CommonHeightTooHigh "common-height-too-high" "the common height is above the attack's",
    ConflictingBlockMissing "conflicting-block-missing" "the conflicting block is missing",
    ByzantineAddress "byzantine-address" "another validator attacked than is named",
    ByzantineCount "byzantine-count" "the number of named validators is wrong",
    ByzantineKey "byzantine-key" "a named validator has another key",
    ByzantinePower "byzantine-power" "a named validator has another power",
    ByzantineListNotNil "byzantine-list-not-nil" "amnesia names no validators",
    NotEnoughCommonPower "not-enough-common-power"
        "less than a third of the common validators signed the conflicting block",
    SameHeader "same-header" "the conflicting header is ours",
    TimeNotViolated "time-not-violated" "the conflicting block does not break the order of time",
    EvidenceExpired "expired" "the evidence is too old",
    // State.
    AppHashMismatch "app-hash-mismatch" "the app hash is not the application's",
    NoValidators "no-validators" "neither genesis nor application names a validator",
    ResultCount "result-count" "the number of results is not that of the transactions",
    ExtensionsHeight "extensions-height-in-the-past"
        "vote extensions cannot be switched on in the past, nor off",
    ParamsInvalid "params-invalid" "the new consensus parameters are not valid",
    ValidatorUpdateNegative "validator-update-negative" "an update has negative power",
}

impl From<NumberError> for Invalid {
    fn from(error: NumberError) -> Invalid {
        match error {
            NumberError::NegativeHeight(_) => Invalid::HeightNegative,
            NumberError::NegativeRound(_) => Invalid::RoundNegative,
            NumberError::NegativePower(_) => Invalid::PowerNegative,
        }
    }
}

impl From<TimeError> for Invalid {
    fn from(_: TimeError) -> Invalid {
        Invalid::TimeOutOfRange
    }
}

impl From<KeyError> for Invalid {
    fn from(error: KeyError) -> Invalid {
        match error {
            KeyError::Size { what: "address", .. } => Invalid::AddressSize,
            KeyError::Size { .. } => Invalid::KeySize,
            KeyError::Type(_) => Invalid::KeyTypeUnsupported,
            KeyError::Missing => Invalid::KeyMissing,
            KeyError::SignatureTooBig(_) => Invalid::SignatureTooLong,
        }
    }
}

impl From<guts_abci::proto::DecodeError> for Invalid {
    fn from(error: guts_abci::proto::DecodeError) -> Invalid {
        Invalid::Protobuf(error.to_string())
    }
}
