//! Events of FinalizeBlock: their types and the keys of their attributes. All are indexed; ids are
//! lowercase hex, numbers decimal.

/// An account was made: `account`, `key`.
pub const ACCOUNT_CREATED: &str = "account_created";
/// A handle was committed to: `account`.
pub const HANDLE_COMMITTED: &str = "handle_committed";
/// A handle was claimed: `account`, `handle`.
pub const HANDLE_CLAIMED: &str = "handle_claimed";
/// A key was added: `account`, `key`, and `repo`, `until` where it has those bounds.
pub const KEY_ADDED: &str = "key_added";
/// A key was revoked: `account`, `key`.
pub const KEY_REVOKED: &str = "key_revoked";
/// A handle went to another account: `from`, `to`, `handle`.
pub const HANDLE_TRANSFERRED: &str = "handle_transferred";
/// A handle was given up: `account`, `handle`.
pub const HANDLE_RELEASED: &str = "handle_released";
/// An account has other guardians: `account`, `guardians` (how many), `threshold`.
pub const GUARDIANS_SET: &str = "guardians_set";
/// A guardian agreed to a new key: `account`, `guardian`, `key`.
pub const RECOVERY_APPROVED: &str = "recovery_approved";
/// Enough guardians agreed: `account`, `key`, `due` (from when on it can be finished).
pub const RECOVERY_READY: &str = "recovery_ready";
/// The owner stopped a recovery: `account`.
pub const RECOVERY_CANCELLED: &str = "recovery_cancelled";
/// A new key controls an account: `account`, `key`.
pub const RECOVERED: &str = "recovered";
/// Balance moved: `from`, `to`, `amount`.
pub const TRANSFERRED: &str = "transferred";
/// A validator was bonded: `validator`, `account`, `amount`.
pub const VALIDATOR_BONDED: &str = "validator_bonded";
/// A validator was edited: `validator`, and each new value of `peer_id`, `name`, `commission` and
/// `gateway`.
pub const VALIDATOR_EDITED: &str = "validator_edited";
/// Stake was given to a validator: `validator`, `account`, `amount`.
pub const DELEGATED: &str = "delegated";
/// Stake leaves a validator: `validator`, `account`, `amount`, `due`.
pub const UNBONDING: &str = "unbonding";
/// Stake moved between validators: `from`, `to`, `account`, `amount`.
pub const REDELEGATED: &str = "redelegated";
/// Stake came back to a balance: `account`, `amount`.
pub const UNBONDED: &str = "unbonded";
/// Rewards were paid out: `validator`, `account`, `amount`.
pub const REWARDS_PAID: &str = "rewards_paid";
/// A validator lost stake: `validator`, `amount`, `reason` (`double_sign` or `downtime`).
pub const SLASHED: &str = "slashed";
/// A validator missed too much: `validator`, `until`.
pub const JAILED: &str = "jailed";
/// A validator may not be elected any more, since another has more stake and there is no room for
/// both: `validator`, `amount` (its stake), `by`.
pub const CANDIDATE_OUTBID: &str = "candidate_outbid";
/// A validator came back: `validator`.
pub const UNJAILED: &str = "unjailed";
/// An epoch ended: `epoch`, `amount` (what was given out), `validators` (how many are in the set).
pub const EPOCH_ENDED: &str = "epoch_ended";
/// A validator has another power from two blocks on: `validator`, `power`; 0 when it left.
pub const POWER_CHANGED: &str = "power_changed";
/// A fee was paid: `account`, `amount`.
pub const FEE_PAID: &str = "fee_paid";
/// A repository was made: `repo`, `owner`, `name`, `account`.
pub const REPO_CREATED: &str = "repo_created";
/// A repository was edited: `repo`, and each new value.
pub const REPO_EDITED: &str = "repo_edited";
/// The faucet gave: `account`, `amount`.
pub const FAUCET_DRAWN: &str = "faucet_drawn";
/// Somebody said something: `repo`, `number`, `comment`, `account`.
pub const COMMENTED: &str = "commented";
/// A comment has another text: `repo`, `number`, `comment`.
pub const COMMENT_EDITED: &str = "comment_edited";
/// A reaction was given or taken back: `repo`, `number`, `comment`, `account`, `reaction`, `on`.
pub const REACTED: &str = "reacted";
/// A thread was locked or unlocked: `repo`, `number`, `locked`.
pub const THREAD_LOCKED: &str = "thread_locked";
/// A text names an account: `repo`, `number`, `account` (who is named).
pub const MENTIONED: &str = "mentioned";
/// A text names a thread that no text of its thread named before: `repo`, `number` (which is
/// named), `from_repo`, `from_number`, `from_comment`.
pub const REFERENCED: &str = "referenced";
/// An issue was opened: `repo`, `number`, `account`, `title`.
pub const ISSUE_OPENED: &str = "issue_opened";
/// An issue has another title: `repo`, `number`, `title`, `was`.
pub const ISSUE_RETITLED: &str = "issue_retitled";
/// An issue was closed: `repo`, `number`, `account`, `reason` (its number).
pub const ISSUE_CLOSED: &str = "issue_closed";
/// An issue was opened again: `repo`, `number`, `account`.
pub const ISSUE_REOPENED: &str = "issue_reopened";
/// An issue has other labels: `repo`, `number`, `labels`.
pub const ISSUE_LABELLED: &str = "issue_labelled";
/// An account was assigned: `repo`, `number`, `account`.
pub const ISSUE_ASSIGNED: &str = "issue_assigned";
/// An account is assigned no more: `repo`, `number`, `account`.
pub const ISSUE_UNASSIGNED: &str = "issue_unassigned";
/// An issue has another milestone: `repo`, `number`, `milestone`.
pub const ISSUE_PLANNED: &str = "issue_planned";
/// An issue was pinned or unpinned: `repo`, `number`, `pinned`.
pub const ISSUE_PINNED: &str = "issue_pinned";
/// A label was made, changed or dropped: `repo`, `label`.
pub const LABEL_SET: &str = "label_set";
/// A milestone was made or changed: `repo`, `milestone`.
pub const MILESTONE_SET: &str = "milestone_set";
/// Something was proposed: `proposal`, `account`, `title`.
pub const PROPOSED: &str = "proposed";
/// Something was laid down for a proposal: `proposal`, `account`, `amount`.
pub const DEPOSITED: &str = "deposited";
/// An account voted: `proposal`, `account`, `option` (its number).
pub const VOTED: &str = "voted";
/// A proposal has another status: `proposal`, `status` (its number), `reason`.
pub const PROPOSAL_MOVED: &str = "proposal_moved";
/// Other rules hold: `version`.
pub const UPGRADED: &str = "upgraded";
/// A repository was forked: `repo` (the fork), `parent`, `account`.
pub const REPO_FORKED: &str = "repo_forked";
/// A repository has another name: `repo`, `name`.
pub const REPO_RENAMED: &str = "repo_renamed";
/// A repository was offered; to its owner, when an offer was taken back: `repo`, `to`.
pub const REPO_OFFERED: &str = "repo_offered";
/// A repository has another owner: `repo`, `from`, `to`.
pub const REPO_TRANSFERRED: &str = "repo_transferred";
/// Somebody, or a team, has another role: `repo`, `account` or `team`, `role` (its number).
pub const REPO_ROLE_SET: &str = "repo_role_set";
/// A repository has other topics: `repo`, `topics`.
pub const TOPICS_SET: &str = "topics_set";
/// A repository was starred or not any more: `repo`, `account`, `star`.
pub const REPO_STARRED: &str = "repo_starred";
/// Refs are protected, or not any more: `repo`, `pattern`.
pub const PROTECTION_SET: &str = "protection_set";
/// An organisation was made: `org`, `handle`, `account`.
pub const ORG_CREATED: &str = "org_created";
/// Somebody was invited: `org`, `account`, `role` (its number).
pub const MEMBER_INVITED: &str = "member_invited";
/// An invitation is gone: `org`, `account`.
pub const INVITE_DROPPED: &str = "invite_dropped";
/// Somebody is a member, or has another role: `org`, `account`, `role`.
pub const MEMBER_SET: &str = "member_set";
/// Somebody is no member any more: `org`, `account`.
pub const MEMBER_REMOVED: &str = "member_removed";
/// A team has these members: `org`, `team`, `members` (how many).
pub const TEAM_SET: &str = "team_set";
/// A team is gone: `org`, `team`.
pub const TEAM_DROPPED: &str = "team_dropped";
/// A push was ordered and waits for attestations: `push`, `repo`, `account`, `key`.
pub const PUSH_ORDERED: &str = "push_ordered";
/// The refs of a push moved: `push`, `repo`, `account`, `refs_root`, `refs`.
pub const PUSH_MOVED: &str = "push_moved";
/// A push failed: `push`, `repo`, `account`, `code`, `reason`.
pub const PUSH_FAILED: &str = "push_failed";
/// A ref moved: `repo`, `ref`, `old`, `new`, `push` (old or new empty: made or deleted).
pub const REF_MOVED: &str = "ref_moved";
/// A validator attested a push: `push`, `validator`, `verdict`.
pub const PUSH_ATTESTED: &str = "push_attested";

/// Keys of attributes.
pub mod attribute {
    /// An account id.
    pub const ACCOUNT: &str = "account";
    /// An ed25519 key.
    pub const KEY: &str = "key";
    /// Unix seconds of header time.
    pub const UNTIL: &str = "until";
    /// How many guardians there are.
    pub const GUARDIANS: &str = "guardians";
    /// How many of them must agree.
    pub const THRESHOLD: &str = "threshold";
    /// An account id.
    pub const GUARDIAN: &str = "guardian";
    /// Unix seconds of header time.
    pub const DUE: &str = "due";
    /// Number of an epoch.
    pub const EPOCH: &str = "epoch";
    /// How many validators there are.
    pub const VALIDATORS: &str = "validators";
    /// Voting power.
    pub const POWER: &str = "power";
    /// In millionths.
    pub const COMMISSION: &str = "commission";
    /// In hex.
    pub const PEER_ID: &str = "peer_id";
    /// A repository's number.
    pub const PARENT: &str = "parent";
    /// Number of a role.
    pub const ROLE: &str = "role";
    /// Words, separated by spaces.
    pub const TOPICS: &str = "topics";
    /// `true` or `false`.
    pub const STAR: &str = "star";
    /// A ref name, or one ending in a star.
    pub const PATTERN: &str = "pattern";
    /// Account id of an organisation.
    pub const ORG: &str = "org";
    /// Name of a team.
    pub const TEAM: &str = "team";
    /// How many members there are.
    pub const MEMBERS: &str = "members";
    /// Number of a thread.
    pub const NUMBER: &str = "number";
    /// Number of a comment.
    pub const COMMENT: &str = "comment";
    /// A title.
    pub const TITLE: &str = "title";
    /// Number of a repository.
    pub const FROM_REPO: &str = "from_repo";
    /// Number of a thread.
    pub const FROM_NUMBER: &str = "from_number";
    /// Number of a proposal.
    pub const PROPOSAL: &str = "proposal";
    /// Number of a vote option.
    pub const OPTION: &str = "option";
    /// Number of a status.
    pub const STATUS: &str = "status";
    /// A handle.
    pub const HANDLE: &str = "handle";
    /// The account balance comes from.
    pub const FROM: &str = "from";
    /// The account balance goes to.
    pub const TO: &str = "to";
    /// Smallest units.
    pub const AMOUNT: &str = "amount";
    /// A repository's number.
    pub const REPO: &str = "repo";
    /// Handle of a repository's owner.
    pub const OWNER: &str = "owner";
    /// Name of a repository.
    pub const NAME: &str = "name";
    /// One line about a repository.
    pub const DESCRIPTION: &str = "description";
    /// Full name of a branch.
    pub const DEFAULT_BRANCH: &str = "default_branch";
    /// `true` or `false`.
    pub const ARCHIVED: &str = "archived";
    /// A push id.
    pub const PUSH: &str = "push";
    /// Root over all refs.
    pub const REFS_ROOT: &str = "refs_root";
    /// How many refs moved.
    pub const REFS: &str = "refs";
    /// Full name of a ref.
    pub const REF: &str = "ref";
    /// Object id before.
    pub const OLD: &str = "old";
    /// Object id after.
    pub const NEW: &str = "new";
    /// A stable code.
    pub const CODE: &str = "code";
    /// A sentence.
    pub const REASON: &str = "reason";
    /// A consensus address.
    pub const VALIDATOR: &str = "validator";
    /// Number of a verdict.
    pub const VERDICT: &str = "verdict";
}
