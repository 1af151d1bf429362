//! What peers say to each other: CometBFT's protobufs on CometBFT's channels.
//!
//! [`Message::decode`] is where bytes of strangers become types: it refuses what CometBFT's
//! `ValidateBasic` refuses, so the engine behind it deals with well-formed messages only. Each
//! channel has a limit on the size of a message, which the shell enforces before it reads one.
use std::sync::Arc;

use bytes::Bytes;
use guts_abci::proto::{self, Message as _, blocksync as bs, consensus as cs};
use guts_genesis::{Height, Round};

use crate::step::StepName;
use crate::types::wire::{Fields, Value, field_len, put_head, put_message};
use crate::types::{
    BitArray, Block, BlockId, Evidence, ExtendedCommit, Invalid, PARTS_MAX, Part, PartSetHeader,
    Proposal, Vote, VoteKind,
};

mod neighbours;
mod txs;

pub use neighbours::{NEIGHBOURS_MAX, Neighbours};
pub use txs::{TXS_BATCH_BYTES, TXS_PER_MESSAGE, TXS_PER_MESSAGE_MAX};

/// Most validators a set may have; longer bit arrays are refused.
pub const VALIDATORS_MAX: usize = 10_000;
/// Longest message of all, in bytes: a block, and its commit.
pub const MESSAGE_BYTES_MAX: usize = 100 * 1024 * 1024 + 1024 * 1024;

/// A reactor's channel, with CometBFT's number where it has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Channel {
    /// Who is where, who has what.
    State = 0x20,
    /// Proposals and block parts.
    Data = 0x21,
    /// Votes.
    Vote = 0x22,
    /// Which votes a peer has.
    VoteSetBits = 0x23,
    /// Transactions.
    Mempool = 0x30,
    /// Evidence.
    Evidence = 0x38,
    /// Whole blocks.
    BlockSync = 0x40,
    /// Who is connected to whom. Ours alone.
    Topology = 0x70,
}

impl Channel {
    /// All of them, most urgent first.
    pub const ALL: [Channel; 8] = [
        Channel::Vote,
        Channel::State,
        Channel::Topology,
        Channel::VoteSetBits,
        Channel::Data,
        Channel::Evidence,
        Channel::BlockSync,
        Channel::Mempool,
    ];

    /// Its number.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// The channel with this number.
    pub fn from_id(id: u8) -> Option<Channel> {
        Channel::ALL.into_iter().find(|channel| channel.id() == id)
    }

    /// Longest message, in bytes: as in CometBFT, and for transactions a full batch or the largest
    /// transaction a node may be set to take.
    pub fn message_bytes_max(self) -> usize {
        match self {
            Channel::BlockSync => MESSAGE_BYTES_MAX,
            Channel::Mempool => 8 * 1024 * 1024,
            Channel::Topology => 32 * 1024,
            _ => 1024 * 1024,
        }
    }
}

/// Why a message is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Longer than its channel allows.
    #[error("message of {0} bytes is too long")]
    TooLong(usize),
    /// Not a protobuf of this channel.
    #[error("not a message of its channel: {0}")]
    Protobuf(String),
    /// None of the kinds the channel has.
    #[error("unknown kind of message")]
    Unknown,
    /// A field that no correct node sends.
    #[error("field {0} is wrong")]
    Field(&'static str),
    /// A domain object that no correct node sends.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl From<guts_genesis::NumberError> for MessageError {
    fn from(_: guts_genesis::NumberError) -> Self {
        MessageError::Field("height or round")
    }
}

/// Where a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewRoundStep {
    /// The height it works on.
    pub height: Height,
    /// Its round.
    pub round: Round,
    /// Its step.
    pub step: StepName,
    /// Seconds since it began the height.
    pub seconds_since_start: i64,
    /// Round in which the height before was decided; none at the first height.
    pub last_commit_round: Option<Round>,
}

/// A node has seen a polka (or a commit) for a block, and these parts of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewValidBlock {
    /// Height.
    pub height: Height,
    /// Round.
    pub round: Round,
    /// Which parts make the block.
    pub parts_header: PartSetHeader,
    /// Which of them it has.
    pub parts: BitArray,
    /// Whether the block is decided.
    pub is_commit: bool,
}

/// The prevotes a node has of the round its proposal's proof of lock is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposalPol {
    /// Height.
    pub height: Height,
    /// Round of the prevotes.
    pub pol_round: Round,
    /// Whose prevotes it has.
    pub votes: BitArray,
}

/// A node has a vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HasVote {
    /// Height.
    pub height: Height,
    /// Round.
    pub round: Round,
    /// Kind.
    pub kind: VoteKind,
    /// Index of the voter.
    pub index: u32,
}

/// A node has seen two thirds vote for a block id; also asks which of them the peer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoteSetMaj23 {
    /// Height.
    pub height: Height,
    /// Round.
    pub round: Round,
    /// Kind.
    pub kind: VoteKind,
    /// For which block id (nil too).
    pub block_id: BlockId,
}

/// Which votes for a block id a node has; the answer to [`VoteSetMaj23`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoteSetBits {
    /// What was asked.
    pub of: VoteSetMaj23,
    /// Whose votes it has.
    pub votes: BitArray,
}

/// A block from the store of a peer.
#[derive(Clone, Debug)]
pub struct BlockResponse {
    /// The block.
    pub block: Block,
    /// The precommits for it with their extensions, at heights that have them.
    pub extended_commit: Option<ExtendedCommit>,
}

/// A message between nodes.
#[derive(Clone, Debug)]
pub enum Message {
    /// On [`Channel::State`].
    NewRoundStep(NewRoundStep),
    /// On [`Channel::State`].
    NewValidBlock(NewValidBlock),
    /// On [`Channel::State`].
    HasVote(HasVote),
    /// On [`Channel::State`].
    VoteSetMaj23(VoteSetMaj23),
    /// On [`Channel::Data`].
    Proposal(Proposal),
    /// On [`Channel::Data`].
    ProposalPol(ProposalPol),
    /// On [`Channel::Data`]: a part of the block proposed in a round.
    BlockPart {
        /// Height.
        height: Height,
        /// Round.
        round: Round,
        /// The part, with its proof.
        part: Arc<Part>,
    },
    /// On [`Channel::Vote`].
    Vote(Vote),
    /// On [`Channel::VoteSetBits`].
    VoteSetBits(VoteSetBits),
    /// On [`Channel::Mempool`]: many transactions in one message.
    Txs(Vec<Bytes>),
    /// On [`Channel::Evidence`].
    Evidence(Vec<Evidence>),
    /// On [`Channel::Topology`].
    Neighbours(Neighbours),
    /// On [`Channel::BlockSync`].
    BlockRequest(Height),
    /// On [`Channel::BlockSync`]: the block asked for is not here.
    NoBlockResponse(Height),
    /// On [`Channel::BlockSync`].
    BlockResponse(BlockResponse),
    /// On [`Channel::BlockSync`]: which blocks do you have?
    StatusRequest,
    /// On [`Channel::BlockSync`].
    StatusResponse {
        /// The lowest block.
        base: Height,
        /// The highest block.
        height: Height,
    },
}

impl Message {
    /// The channel it travels on.
    pub fn channel(&self) -> Channel {
        match self {
            Message::NewRoundStep(_)
            | Message::NewValidBlock(_)
            | Message::HasVote(_)
            | Message::VoteSetMaj23(_) => Channel::State,
            Message::Proposal(_) | Message::ProposalPol(_) | Message::BlockPart { .. } => {
                Channel::Data
            }
            Message::Vote(_) => Channel::Vote,
            Message::VoteSetBits(_) => Channel::VoteSetBits,
            Message::Txs(_) => Channel::Mempool,
            Message::Evidence(_) => Channel::Evidence,
            Message::Neighbours(_) => Channel::Topology,
            Message::BlockRequest(_)
            | Message::NoBlockResponse(_)
            | Message::BlockResponse(_)
            | Message::StatusRequest
            | Message::StatusResponse { .. } => Channel::BlockSync,
        }
    }

    /// The payload as it travels: the channel's envelope.
    pub fn encode(&self) -> Bytes {
        match self {
            Message::Txs(txs) => txs::encode(txs),
            Message::Evidence(list) => {
                let evidence = list.iter().map(Evidence::to_proto).collect();
                proto::types::EvidenceList { evidence }.encode_to_vec().into()
            }
            Message::Neighbours(neighbours) => neighbours.encode(),
            Message::BlockResponse(response) => {
                let commit = response.extended_commit.as_ref();
                let commit = commit.map(|commit| commit.to_proto().encode_to_vec());
                encode_block_response(&response.block.encode(), commit.as_deref())
            }
            Message::BlockRequest(_)
            | Message::NoBlockResponse(_)
            | Message::StatusRequest
            | Message::StatusResponse { .. } => {
                bs::Message { sum: self.to_blocksync() }.encode_to_vec().into()
            }
            _ => cs::Message { sum: self.to_consensus() }.encode_to_vec().into(),
        }
    }

    /// Reads and checks what came over `channel`.
    pub fn decode(channel: Channel, payload: Bytes) -> Result<Message, MessageError> {
        if payload.len() > channel.message_bytes_max() {
            return Err(MessageError::TooLong(payload.len()));
        }
        match channel {
            Channel::Mempool => txs::decode(payload),
            Channel::Evidence => {
                let list = read::<proto::types::EvidenceList>(&payload)?;
                let list: Result<Vec<_>, _> =
                    list.evidence.into_iter().map(Evidence::from_proto).collect();
                Ok(Message::Evidence(list?))
            }
            Channel::Topology => Neighbours::decode(payload).map(Message::Neighbours),
            Channel::BlockSync => decode_blocksync(payload),
            _ => {
                let sum = read::<cs::Message>(&payload)?.sum.ok_or(MessageError::Unknown)?;
                let message = decode_consensus(sum)?;
                if message.channel() == channel { Ok(message) } else { Err(MessageError::Unknown) }
            }
        }
    }

    fn to_blocksync(&self) -> Option<bs::message::Sum> {
        use bs::message::Sum;
        Some(match self {
            Message::BlockRequest(height) => {
                Sum::BlockRequest(bs::BlockRequest { height: height.wire() })
            }
            Message::NoBlockResponse(height) => {
                Sum::NoBlockResponse(bs::NoBlockResponse { height: height.wire() })
            }
            Message::StatusRequest => Sum::StatusRequest(bs::StatusRequest {}),
            Message::StatusResponse { base, height } => {
                Sum::StatusResponse(bs::StatusResponse { height: height.wire(), base: base.wire() })
            }
            _ => return None,
        })
    }

    fn to_consensus(&self) -> Option<cs::message::Sum> {
        use cs::message::Sum;
        Some(match self {
            Message::NewRoundStep(m) => Sum::NewRoundStep(cs::NewRoundStep {
                height: m.height.wire(),
                round: m.round.wire(),
                step: m.step as u32,
                seconds_since_start_time: m.seconds_since_start,
                last_commit_round: m.last_commit_round.map_or(-1, Round::wire),
            }),
            Message::NewValidBlock(m) => Sum::NewValidBlock(cs::NewValidBlock {
                height: m.height.wire(),
                round: m.round.wire(),
                block_part_set_header: Some(m.parts_header.to_proto()),
                block_parts: Some(m.parts.to_proto()),
                is_commit: m.is_commit,
            }),
            Message::HasVote(m) => Sum::HasVote(cs::HasVote {
                height: m.height.wire(),
                round: m.round.wire(),
                r#type: m.kind.wire(),
                index: i32::try_from(m.index).unwrap_or(i32::MAX),
            }),
            Message::VoteSetMaj23(m) => Sum::VoteSetMaj23(maj23_to_proto(m)),
            Message::Proposal(m) => Sum::Proposal(cs::Proposal { proposal: Some(m.to_proto()) }),
            Message::ProposalPol(m) => Sum::ProposalPol(cs::ProposalPol {
                height: m.height.wire(),
                proposal_pol_round: m.pol_round.wire(),
                proposal_pol: Some(m.votes.to_proto()),
            }),
            Message::BlockPart { height, round, part } => Sum::BlockPart(cs::BlockPart {
                height: height.wire(),
                round: round.wire(),
                part: Some(part.to_proto()),
            }),
            Message::Vote(vote) => Sum::Vote(cs::Vote { vote: Some(vote.to_proto()) }),
            Message::VoteSetBits(m) => {
                let of = maj23_to_proto(&m.of);
                Sum::VoteSetBits(cs::VoteSetBits {
                    height: of.height,
                    round: of.round,
                    r#type: of.r#type,
                    block_id: of.block_id,
                    votes: Some(m.votes.to_proto()),
                })
            }
            _ => return None,
        })
    }
}

fn maj23_to_proto(m: &VoteSetMaj23) -> cs::VoteSetMaj23 {
    cs::VoteSetMaj23 {
        height: m.height.wire(),
        round: m.round.wire(),
        r#type: m.kind.wire(),
        block_id: Some(m.block_id.to_proto()),
    }
}

fn read<M: proto::Message + Default>(payload: &Bytes) -> Result<M, MessageError> {
    M::decode(payload.clone()).map_err(|error| MessageError::Protobuf(error.to_string()))
}

fn decode_consensus(sum: cs::message::Sum) -> Result<Message, MessageError> {
    use cs::message::Sum;
    Ok(match sum {
        Sum::NewRoundStep(m) => Message::NewRoundStep(NewRoundStep {
            height: Height::from_wire(m.height)?,
            round: Round::from_wire(m.round)?,
            step: step_from_wire(m.step)?,
            seconds_since_start: m.seconds_since_start_time,
            last_commit_round: optional_round(m.last_commit_round)?,
        }),
        Sum::NewValidBlock(m) => Message::NewValidBlock(new_valid_block(m)?),
        Sum::HasVote(m) => Message::HasVote(HasVote {
            height: Height::from_wire(m.height)?,
            round: Round::from_wire(m.round)?,
            kind: VoteKind::from_wire(m.r#type)?,
            index: u32::try_from(m.index).map_err(|_| MessageError::Field("index"))?,
        }),
        Sum::VoteSetMaj23(m) => Message::VoteSetMaj23(maj23(m)?),
        Sum::Proposal(m) => {
            let proposal = m.proposal.ok_or(MessageError::Field("proposal"))?;
            Message::Proposal(Proposal::from_proto(proposal)?)
        }
        Sum::ProposalPol(m) => Message::ProposalPol(ProposalPol {
            height: Height::from_wire(m.height)?,
            pol_round: Round::from_wire(m.proposal_pol_round)?,
            votes: bits(m.proposal_pol, 1, VALIDATORS_MAX)?,
        }),
        Sum::BlockPart(m) => {
            let part = m.part.ok_or(MessageError::Field("part"))?;
            Message::BlockPart {
                height: Height::from_wire(m.height)?,
                round: Round::from_wire(m.round)?,
                part: Arc::new(Part::from_proto(part)?),
            }
        }
        Sum::Vote(m) => {
            let vote = m.vote.ok_or(MessageError::Field("vote"))?;
            Message::Vote(Vote::from_proto(vote)?)
        }
        Sum::VoteSetBits(m) => Message::VoteSetBits(VoteSetBits {
            of: maj23(cs::VoteSetMaj23 {
                height: m.height,
                round: m.round.max(0), // CometBFT does not check it: such bits match nothing
                r#type: m.r#type,
                block_id: m.block_id,
            })?,
            votes: bits(m.votes, 0, VALIDATORS_MAX)?,
        }),
    })
}

fn new_valid_block(m: cs::NewValidBlock) -> Result<NewValidBlock, MessageError> {
    let header = m.block_part_set_header.unwrap_or_default();
    let parts_header = PartSetHeader::from_proto(&header)?;
    let parts = bits(m.block_parts, 1, PARTS_MAX as usize)?;
    if parts.len() != parts_header.total as usize {
        return Err(MessageError::Field("block_parts"));
    }
    Ok(NewValidBlock {
        height: Height::from_wire(m.height)?,
        round: Round::from_wire(m.round)?,
        parts_header,
        parts,
        is_commit: m.is_commit,
    })
}

fn maj23(m: cs::VoteSetMaj23) -> Result<VoteSetMaj23, MessageError> {
    Ok(VoteSetMaj23 {
        height: Height::from_wire(m.height)?,
        round: Round::from_wire(m.round)?,
        kind: VoteKind::from_wire(m.r#type)?,
        block_id: BlockId::from_proto(m.block_id.as_ref())?,
    })
}

fn bits(
    bits: Option<proto::libs::bits::BitArray>,
    len_min: usize,
    len_max: usize,
) -> Result<BitArray, MessageError> {
    let bits = bits.unwrap_or_default();
    let len = usize::try_from(bits.bits).map_err(|_| MessageError::Field("bits"))?;
    if len < len_min || len > len_max {
        return Err(MessageError::Field("bits"));
    }
    Ok(BitArray::from_proto(bits)?)
}

fn optional_round(round: i32) -> Result<Option<Round>, MessageError> {
    match round {
        -1 => Ok(None),
        round => Ok(Some(Round::from_wire(round)?)),
    }
}

fn step_from_wire(step: u32) -> Result<StepName, MessageError> {
    const STEPS: [StepName; 8] = [
        StepName::NewHeight,
        StepName::NewRound,
        StepName::Propose,
        StepName::Prevote,
        StepName::PrevoteWait,
        StepName::Precommit,
        StepName::PrecommitWait,
        StepName::Commit,
    ];
    STEPS.into_iter().find(|name| *name as u32 == step).ok_or(MessageError::Field("step"))
}

/// What [`Message::BlockResponse`] is on the wire, of a block that is encoded already. Field
/// numbers: `BlockResponse` is 3 of the envelope; block is 1 and ext_commit is 2 of it.
pub fn encode_block_response(block: &[u8], commit: Option<&[u8]>) -> Bytes {
    let inner_len = field_len(block.len()) + commit.map_or(0, |it| field_len(it.len()));
    let mut out = Vec::with_capacity(field_len(inner_len));
    put_head(&mut out, 3, inner_len);
    put_message(&mut out, 1, block);
    if let Some(commit) = commit {
        put_message(&mut out, 2, commit);
    }
    out.into()
}

/// Bytes around block and commit at most: four tags with their lengths.
const BLOCK_FRAMING_MAX: usize = 64;

fn decode_blocksync(payload: Bytes) -> Result<Message, MessageError> {
    use bs::message::Sum;
    if let Some(inner) = field_bytes(&payload, 3)? {
        let encoded = field_bytes(&inner, 1)?.ok_or(MessageError::Field("block"))?;
        let commit = field_bytes(&inner, 2)?;
        let block = Block::decode(encoded.clone())?;
        // The block shares the message's memory, of which nothing else may be a large part.
        let used = encoded.len() + commit.as_ref().map_or(0, Bytes::len);
        if payload.len() > used + BLOCK_FRAMING_MAX || block.encode() != encoded {
            return Err(MessageError::Field("block"));
        }
        let commit =
            commit.map(|bytes| read::<proto::types::ExtendedCommit>(&bytes)).transpose()?;
        return Ok(Message::BlockResponse(BlockResponse {
            block,
            extended_commit: commit.map(ExtendedCommit::from_proto).transpose()?,
        }));
    }
    Ok(match read::<bs::Message>(&payload)?.sum.ok_or(MessageError::Unknown)? {
        Sum::BlockRequest(m) => Message::BlockRequest(Height::from_wire(m.height)?),
        Sum::NoBlockResponse(m) => Message::NoBlockResponse(Height::from_wire(m.height)?),
        Sum::StatusRequest(_) => Message::StatusRequest,
        Sum::StatusResponse(m) => {
            let (base, height) = (Height::from_wire(m.base)?, Height::from_wire(m.height)?);
            if base > height {
                return Err(MessageError::Field("base"));
            }
            Message::StatusResponse { base, height }
        }
        Sum::BlockResponse(_) => return Err(MessageError::Unknown),
    })
}

/// The last length-delimited field with this number.
fn field_bytes(message: &Bytes, wanted: u64) -> Result<Option<Bytes>, MessageError> {
    let mut fields = Fields::of(message.clone());
    let mut found = None;
    while let Some((number, value)) = fields.next()? {
        if let (true, Value::Bytes(bytes)) = (number == wanted, value) {
            found = Some(bytes);
        }
    }
    Ok(found)
}
