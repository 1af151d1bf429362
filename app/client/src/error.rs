//! What can go wrong, said with the rule and the way out.

use guts_schema::Code;

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The node was not reached, or answered with an error of its own.
    #[error(
        "node {address}: {source}\n  is it running? 'guts node status --node URL' asks another"
    )]
    Node {
        /// The node's address.
        address: String,
        /// What happened.
        source: guts_rpc::client::ClientError,
    },
    /// The node's answer does not hold.
    #[error("not proved: {0}\n  the node is wrong or lies: ask another with --node URL")]
    Proof(String),
    /// What was believed last is too old to believe more from.
    #[error(
        "not proved: {what} is of {time}, more than {period} ago\n  who signed then may have \
         taken their stake out and could sign anything now, so nothing follows from it any more\n  \
         ask somebody you trust, not this node, for the height and hash of a newer header ('guts \
         node status' shows them), and pin it: 'guts node trust --height H --hash HASH'"
    )]
    TrustExpired {
        /// The genesis, or which header.
        what: String,
        /// Its time, RFC 3339.
        time: String,
        /// The trust period, in words.
        period: String,
    },
    /// The chain refused.
    #[error("refused ({}): {log}", code_name(*code))]
    Refused {
        /// Its stable code.
        code: u32,
        /// The sentence, on the node's word.
        log: String,
    },
    /// More would have to be paid than may be.
    #[error("{0}")]
    TooDear(String),
    /// A dry run got as far as sending a transaction: no failure, but the end of it.
    #[error("not sent: {0}")]
    NotSent(Box<crate::send::Trial>),
    /// Something did not happen in time.
    #[error(
        "{what} did not happen in {seconds} s\n  'guts node status' says whether blocks are made"
    )]
    Late {
        /// What was waited for.
        what: String,
        /// For how long.
        seconds: u64,
    },
    /// A key or an agent does not do.
    #[error("key: {0}")]
    Key(String),
    /// `GUTS_HOME` does not do.
    #[error("{path}: {why}")]
    Home {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// git does not do.
    #[error("git: {0}")]
    Git(String),
    /// A clone is not what was agreed on.
    #[error("{0}")]
    Differs(String),
    /// What was asked for does not exist.
    #[error("{0}")]
    Missing(String),
    /// What was asked for is malformed.
    #[error("{0}")]
    Usage(String),
}

/// The name of a refusal; of one that this program does not know, its number.
pub(crate) fn code_name(code: u32) -> String {
    Code::from_number(code).map_or_else(|| code.to_string(), |code| code.name().to_owned())
}

impl Error {
    /// What the command exits with: 1 refused, too dear or missing, 2 wrong usage, 3 not proved,
    /// 4 no node.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Proof(_) | Self::TrustExpired { .. } | Self::Differs(_) => 3,
            Self::Node { .. } | Self::Late { .. } => 4,
            _ => 1,
        }
    }

    /// Its kind, for JSON output.
    pub fn kind(&self) -> String {
        match self {
            Self::Node { .. } => "node".into(),
            Self::Proof(_) => "not_proved".into(),
            Self::TrustExpired { .. } => "trust_expired".into(),
            Self::Refused { code, .. } => code_name(*code),
            Self::TooDear(_) => "too_dear".into(),
            Self::NotSent(_) => "not_sent".into(),
            Self::Late { .. } => "late".into(),
            Self::Key(_) => "key".into(),
            Self::Home { .. } => "home".into(),
            Self::Git(_) => "git".into(),
            Self::Differs(_) => "differs".into(),
            Self::Missing(_) => "missing".into(),
            Self::Usage(_) => "usage".into(),
        }
    }
}
