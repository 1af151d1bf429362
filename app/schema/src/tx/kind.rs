//! The kinds of action, their numbers and names, spelled once.

macro_rules! kinds {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        /// The kinds of action; numbers are those of the fields of `proto::Action` and do not
        /// change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ActionKind {
            $(#[doc = concat!("`proto::", stringify!($name), "`")] $name = $number,)*
        }

        impl ActionKind {
            /// Every kind, by rising number.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

kinds! {
    CreateAccount = 16, "create_account";
    CommitHandle = 17, "commit_handle";
    ClaimHandle = 18, "claim_handle";
    Transfer = 19, "transfer";
    AddKey = 20, "add_key";
    RevokeKey = 21, "revoke_key";
    TransferHandle = 22, "transfer_handle";
    ReleaseHandle = 23, "release_handle";
    SetGuardians = 24, "set_guardians";
    ApproveRecovery = 25, "approve_recovery";
    CancelRecovery = 26, "cancel_recovery";
    FinishRecovery = 27, "finish_recovery";
    CreateRepo = 32, "create_repo";
    EditRepo = 33, "edit_repo";
    ForkRepo = 34, "fork_repo";
    RenameRepo = 35, "rename_repo";
    TransferRepo = 36, "transfer_repo";
    AcceptRepo = 37, "accept_repo";
    SetCollaborator = 38, "set_collaborator";
    SetTeamRole = 39, "set_team_role";
    SetTopics = 40, "set_topics";
    StarRepo = 41, "star_repo";
    SetProtection = 42, "set_protection";
    PushRefs = 48, "push_refs";
    Bond = 64, "bond";
    EditValidator = 65, "edit_validator";
    Delegate = 66, "delegate";
    Unbond = 67, "unbond";
    Redelegate = 68, "redelegate";
    Unjail = 69, "unjail";
    ClaimRewards = 70, "claim_rewards";
    CreateOrg = 80, "create_org";
    InviteMember = 81, "invite_member";
    AcceptInvite = 82, "accept_invite";
    DropInvite = 83, "drop_invite";
    SetMemberRole = 84, "set_member_role";
    RemoveMember = 85, "remove_member";
    PutTeam = 86, "put_team";
    DropTeam = 87, "drop_team";
    OrgTransfer = 88, "org_transfer";
    Propose = 96, "propose";
    Deposit = 97, "deposit";
    Vote = 98, "vote";
    DrawFaucet = 112, "draw_faucet";
    Comment = 128, "comment";
    EditComment = 129, "edit_comment";
    React = 130, "react";
    LockThread = 131, "lock_thread";
    OpenIssue = 144, "open_issue";
    RetitleIssue = 145, "retitle_issue";
    CloseIssue = 146, "close_issue";
    ReopenIssue = 147, "reopen_issue";
    LabelIssue = 148, "label_issue";
    AssignIssue = 149, "assign_issue";
    PlanIssue = 150, "plan_issue";
    PinIssue = 151, "pin_issue";
    PutLabel = 152, "put_label";
    DropLabel = 153, "drop_label";
    PutMilestone = 154, "put_milestone";
}

impl ActionKind {
    /// Its number, as prices name it.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The kind with that number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.number() == number)
    }
}
