//! Stable codes of refusals, and their sentences: the rule, the actor, the way out.
//!
//! A number never changes its meaning and is never used again. 0 is success.

/// Codespace of ABCI answers.
pub const CODESPACE: &str = "guts";

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal, $sentence:literal;)*) => {
        /// Why something was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum Code {
            $($(#[$doc])* #[doc = $sentence] $name = $number,)*
        }

        impl Code {
            /// Every code, by rising number.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name, as JSON output has it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Its sentence, with `{}` for each particular.
            pub const fn template(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

codes! {
    // 1..: transactions, without state.
    TxOversize = 1, "tx_oversize", "{}";
    TxUndecodable = 2, "tx_undecodable", "{}";
    TxWrongChain = 3, "tx_wrong_chain", "{}";
    TxSignature = 4, "tx_signature", "{}";
    TxMalformed = 5, "tx_malformed", "{}";
    TxName = 6, "tx_name", "{}";
    TxCertificate = 7, "tx_certificate", "{}";
    TxPseudo = 8, "tx_pseudo", "{}";

    // 100..: paying and ordering.
    NonceLow = 100, "nonce_low",
        "nonce {} of account {} is spent; its next is {}: sign again with that";
    NonceHigh = 101, "nonce_high",
        "nonce {} of account {} is too far ahead; its next is {}: send the ones between first";
    Expired = 102, "expired",
        "the transaction was valid until {}, header time is {}: sign again";
    PaymentMissing = 103, "payment_missing",
        "{} must be paid by proof of work or a fee: add one";
    WorkRefused = 104, "work_refused",
        "this network takes no proof of work: pay a fee";
    FeeRefused = 105, "fee_refused",
        "this network takes no fees: do proof of work";
    WorkLow = 106, "work_low",
        "{} bits of work were done, {} are needed: search on";
    WorkAnchor = 107, "work_anchor",
        "the work names an anchor that is not among the last recorded: do it again";
    FeeLow = 108, "fee_low",
        "the fee is {}, {} is needed: raise it";
    StakeMissing = 109, "stake_missing",
        "account {} is no bonded validator's, or not all of this is free to one: pay by work";
    BalanceLow = 110, "balance_low",
        "account {} has {}, {} is needed: get more first";

    WaitingMany = 111, "waiting_many",
        "account {} has {} transactions waiting, which is the most: send more when a block took some";

    // 200..: accounts and handles.
    AccountUnknown = 200, "account_unknown",
        "account {} does not exist: make it with 'guts init'";
    AccountExists = 201, "account_exists",
        "account {} exists already: use it, or make one with another key";
    KeyUsed = 202, "key_used",
        "key {} belongs or belonged to an account: use another";
    KeyInvalid = 203, "key_invalid",
        "key {} is not valid for account {}: sign with one that is";
    CommitExists = 204, "commit_exists",
        "this commitment was made already: choose another salt";
    CommitUnknown = 205, "commit_unknown",
        "account {} committed to no such handle, or too long ago: commit again, then claim";
    CommitFresh = 206, "commit_fresh",
        "the commitment counts from the next block on: claim again then";
    HandleTaken = 207, "handle_taken",
        "the handle {} is taken: choose another";
    HandleHeld = 208, "handle_held",
        "account {} has the handle {} already: release that first";
    KeyScoped = 210, "key_scoped",
        "key {} pushes to repository {} and does nothing else: sign with another key";
    KeyLast = 211, "key_last",
        "key {} is the last that controls account {}: add another before revoking it";
    KeysMany = 212, "keys_many",
        "account {} has had {} keys, which is the most an account may have: use those it has";
    KeyPast = 213, "key_past",
        "the key would be valid until {}, header time is {}: choose a later end";
    HandleNone = 214, "handle_none",
        "account {} has no handle to give: claim one first";
    HandleInUse = 215, "handle_in_use",
        "{} repositories are named by the handle {}: transfer them first";
    GuardianUnknown = 216, "guardian_unknown",
        "{} cannot guard account {}: guardians are other accounts that exist";
    RecoveryDelay = 217, "recovery_delay",
        "a recovery takes {} seconds at least on this network, not {}: choose a longer delay";
    NotGuardian = 218, "not_guardian",
        "{} is no guardian of account {}: only a guardian may do that";
    RecoveryNone = 219, "recovery_none",
        "no recovery of account {} is under way: its guardians can begin one";
    RecoveryEarly = 220, "recovery_early",
        "the recovery of account {} may be finished from {} on, header time is {}: wait";
    RecoveryOpen = 221, "recovery_open",
        "too few guardians of account {} agree on a key yet: ask the others";

    // 300..: validators.
    ValidatorUnknown = 300, "validator_unknown",
        "{} is no validator: 'guts validators list' shows who is";
    ValidatorExists = 301, "validator_exists",
        "validator {} exists already: bond another consensus key";
    OperatorBusy = 302, "operator_busy",
        "account {} operates validator {} already: delegate to that";
    StakeSmall = 303, "stake_small",
        "a stake of {} is too little, {} is the least: stake more";
    StakeLow = 304, "stake_low",
        "account {} has {} with validator {}, not {}: ask for less";
    CommissionStep = 305, "commission_step",
        "commission may change by {} millionths a day, not by {}: take a smaller step";
    CommissionEarly = 306, "commission_early",
        "commission may change again at {}, header time is {}: wait";
    NotOperator = 307, "not_operator",
        "account {} operates no validator: bond one first";
    NotJailed = 308, "not_jailed",
        "validator {} is not jailed: nothing needs to be done";
    JailedUntil = 309, "jailed_until",
        "validator {} is jailed until {}, header time is {}: wait";
    Tombstoned = 310, "tombstoned",
        "validator {} signed two blocks of one height and is out for ever: choose another";
    CandidatesMany = 311, "candidates_many",
        "{} validators have enough stake to be elected, which is the most: {}";
    StakeLocked = 312, "stake_locked",
        "stake that came to validator {} from another may not move on before {}: unbond or wait";
    UnbondingsMany = 313, "unbondings_many",
        "account {} has {} unbondings under way, which is the most: wait for one to end";
    DelegationsMany = 314, "delegations_many",
        "account {} has stake with {} validators, which is the most: leave one first";
    RewardsNone = 315, "rewards_none",
        "nothing is due to account {} from validator {}: claim after the epoch has ended";
    ValidatorEmpty = 316, "validator_empty",
        "validator {} lost all its stake: delegate to another";
    UnbondingsAll = 317, "unbondings_all",
        "{} unbondings are under way, which is too many for one more: wait, or take {} or more at once";

    // 350..: the faucet.
    FaucetWork = 350, "faucet_work",
        "the faucet gives for proof of work and nothing else: pay this by work";
    FaucetDrawn = 351, "faucet_drawn",
        "account {} drew from the faucet already: come back after {}";
    FaucetEmpty = 352, "faucet_empty",
        "the faucet has {} left for now, not {}: come back after {}";
    FaucetShut = 353, "faucet_shut",
        "the faucet of this network is shut: ask somebody who has something";

    // 400..: repositories.
    RepoUnknown = 400, "repo_unknown",
        "repository {} does not exist: make it with 'guts repo create'";
    RepoExists = 401, "repo_exists",
        "repository {} exists already: choose another name";
    RepoNotYours = 402, "repo_not_yours",
        "only who {} {} may do that; {} does not: ask somebody who does";
    RepoArchived = 403, "repo_archived",
        "repository {} is archived: its owner can take it out with 'guts repo edit'";
    HandleMissing = 404, "handle_missing",
        "account {} has no handle to name a repository by: claim one with 'guts init --handle'";
    ReposMany = 405, "repos_many",
        "account {} has {} repositories, which is the most: transfer one first";
    RepoOffer = 406, "repo_offer",
        "repository {} is not offered to {}: ask its owner";
    RepoRulesMany = 407, "repo_rules_many",
        "repository {} has {} of these, which is the most: remove one first";
    RoleSame = 408, "role_same",
        "{} has that role in {} already: nothing needs to be done";
    StarSame = 409, "star_same",
        "nothing changes: {} has or has not starred {} already";
    ProtectionNone = 410, "protection_none",
        "{} is not protected in {}: 'guts repo access' shows what is";

    // 500..: pushes.
    PushReplayed = 500, "push_replayed",
        "this push was made already: run 'git push' again";
    PushStale = 501, "push_stale",
        "the push was signed for {}, header time is {}: run 'git push' again";
    PushKeyUnknown = 502, "push_key_unknown",
        "key {} belongs to no account: push with the key that 'guts whoami' shows";
    PushNotAllowed = 503, "push_not_allowed",
        "{} may not push to {}: ask its owner";
    PushFormat = 504, "push_format",
        "repository {} has {} object ids: push objects of that format";
    PushesMany = 505, "pushes_many",
        "{} pushes of {} are in flight, which is the most: wait for them";
    PushBytesMany = 506, "push_bytes_many",
        "{} bytes are in flight, which with this push is too much: wait or push less";
    PackOversize = 507, "pack_oversize",
        "the pack has {} bytes, the most is {}: push in parts";
    RefMoved = 508, "ref_moved",
        "{} is now {}, not {}: fetch, then push again";
    RefInTheWay = 509, "ref_in_the_way",
        "{} cannot be made while {} exists: delete that first";
    RefsMany = 510, "refs_many",
        "repository {} may have {} refs: delete some first";
    PushRejected = 511, "push_rejected",
        "more than a third of the stake refused the push: {}";
    PushDeadline = 512, "push_deadline",
        "the validators did not agree in {} seconds: push again";
    DefaultBranchDelete = 514, "default_branch_delete",
        "{} is the default branch: choose another with 'guts repo edit' before deleting it";
    PushProtected = 515, "push_protected",
        "{} is protected: {} may not push to it; ask somebody with a higher role";
    PushForced = 516, "push_forced",
        "this push rewrites the history of {}, which is protected: merge or rebase it";
    DeleteProtected = 517, "delete_protected",
        "{} is protected and may not be deleted: drop its protection first";

    // 600..: organisations.
    OrgUnknown = 600, "org_unknown",
        "{} is no organisation: make it with 'guts org create'";
    OrgNotOwner = 601, "org_not_owner",
        "only an owner of {} may do that, {} is not: ask one";
    MemberUnknown = 602, "member_unknown",
        "{} is no member of {}: invite it first";
    MemberExists = 603, "member_exists",
        "{} is a member of {} already: 'guts org role' changes its role";
    OwnerLast = 604, "owner_last",
        "{} is the last owner of {}: make somebody else an owner first";
    InviteNone = 605, "invite_none",
        "{} is not invited to {}: ask an owner";
    MembersMany = 606, "members_many",
        "{} has {} members and invitations, which is the most: remove one first";
    TeamUnknown = 607, "team_unknown",
        "{} has no team {}: make it first";
    TeamsMany = 608, "teams_many",
        "{} has {} teams, which is the most: drop one first";

    // 700..: threads.
    ThreadUnknown = 700, "thread_unknown",
        "{} has no number {}: 'guts issue list' shows what it has";
    ThreadLocked = 701, "thread_locked",
        "number {} of {} is locked: ask somebody who has a role there";
    CommentUnknown = 702, "comment_unknown",
        "number {} has no comment {}: 'guts issue show' shows those it has";
    CommentNotYours = 703, "comment_not_yours",
        "only its author may edit a comment, {} is not: comment instead";
    SameAlready = 704, "same_already",
        "nothing changes: it is so already";
    ThreadRole = 705, "thread_role",
        "{} may not do that in {}: ask somebody who has a role there";

    // 720..: issues.
    LabelUnknown = 720, "label_unknown",
        "{} has no label {}: make it first";
    MilestoneUnknown = 721, "milestone_unknown",
        "{} has no milestone {}: make it first";
    LabelsMany = 722, "labels_many",
        "{} has {} of these, which is the most: change one of them instead";
    AssigneeRole = 723, "assignee_role",
        "{} cannot be assigned in {}: give it a role there first";
    PinsMany = 724, "pins_many",
        "{} has {} pinned issues, which is the most: unpin one first";

    // 800..: governance.
    ProposalUnknown = 800, "proposal_unknown",
        "there is no proposal {}: 'guts gov list --all' shows all";
    ProposalPast = 801, "proposal_past",
        "proposal {} takes no {} now: 'guts gov show' says where it stands";
    VoteStake = 802, "vote_stake",
        "account {} has {} of stake, {} is the least to vote with: delegate some first";
    ProposalsMany = 803, "proposals_many",
        "{} proposals wait for deposits, which is the most: lay down more than they, or wait";
    ParamsRefused = 804, "params_refused",
        "these parameters cannot be: {}";
    UpgradePast = 805, "upgrade_past",
        "height {} or version {} comes too late or leads back, now is {}, version {}: name later ones";
    DepositorsMany = 806, "depositors_many",
        "{} accounts laid something down for proposal {}, which is the most: one of them may add";
    TreasuryLow = 807, "treasury_low",
        "the treasury has {}, {} is asked for: ask for less";
    VotesMany = 808, "votes_many",
        "{} proposals are voted on or wait for their time, which is the most: wait for one to end";

    // 900..: queries.
    QueryPath = 900, "query_path",
        "no query path {}: ask for one of those that are documented";
    QueryData = 901, "query_data",
        "the query's data are malformed: encode what its path takes";
    QueryHeight = 902, "query_height",
        "height {} is not kept, only those from {} to {}: ask for one of them";
    QueryBusy = 903, "query_busy",
        "this node tries {} transactions a second and no more: ask again later";
}

impl Code {
    /// Its stable number.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The code with that number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }

    /// The sentence with the particulars in their places.
    ///
    /// # Panics
    /// When there are not as many as places: a mistake of the program.
    pub fn sentence(self, particulars: &[&dyn std::fmt::Display]) -> String {
        let mut parts = self.template().split("{}");
        let mut sentence = parts.next().unwrap_or_default().to_owned();
        let mut given = particulars.iter();
        for part in parts {
            let particular = given.next().expect("a particular for each place");
            sentence.push_str(&particular.to_string());
            sentence.push_str(part);
        }
        assert!(given.next().is_none(), "a place for each particular");
        sentence
    }
}

#[cfg(test)]
mod tests;
