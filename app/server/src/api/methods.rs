//! The table of methods: which key of the state each reads, and what its value is.

use std::str::FromStr;

use guts_rpc::RpcError;
use guts_rpc::server::Args;
use guts_schema::ids::ValidatorAddress;
use guts_schema::{AccountId, Hash, Key, PushId, RepoId, keys, names, refs};

/// A method.
pub(super) struct Spec {
    /// Its name.
    pub(super) name: &'static str,
    /// What it answers, in one line.
    pub(super) summary: &'static str,
    /// Its parameters, of [`PARAMS`]; the last is always the height.
    pub(super) params: &'static [&'static str],
    /// The message of its value.
    pub(super) message: &'static str,
    /// The key it reads, of parameters that [`Spec::check`] let pass.
    pub(super) key: fn(&Args<'_>) -> Result<Vec<u8>, RpcError>,
}

impl Spec {
    /// Refuses what the description does not allow, naming the parameter: one that is required
    /// and missing, or of another form. The height alone has a default.
    pub(super) fn check(&self, args: &Args<'_>) -> Result<(), RpcError> {
        let last = self.params.len().saturating_sub(1);
        for (at, name) in self.params.iter().enumerate() {
            let Some(param) = PARAMS.iter().find(|param| param.name == *name) else { continue };
            let named = |mut error: RpcError| {
                error.data = error.data.map(|why| format!("parameter {name}: {why}"));
                error
            };
            if args.is_given(at) {
                param.check(args, at).map_err(named)?;
            } else if at < last {
                let why = format!("parameter {name} is missing: {}", param.about);
                return Err(args.refuse(&why));
            }
        }
        Ok(())
    }
}

/// How a parameter is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Hex of that many bytes.
    Hex(usize),
    /// A whole number, in a string: JSON's own lose digits.
    Number,
    /// As a number, from 1 on.
    RepoId,
    /// Text that can be a handle.
    Handle,
    /// Text that can be a repository's name.
    RepoName,
    /// Text that can be a ref's name.
    RefName,
}

/// A parameter, the same in every method that has it.
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) about: &'static str,
}

impl Param {
    /// Refuses what is not of its form.
    fn check(&self, args: &Args<'_>, at: usize) -> Result<(), RpcError> {
        match self.form {
            Form::Hex(bytes) => {
                let text = args.string(at)?;
                let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
                if text.len() != bytes * 2 || !is_hex {
                    return Err(
                        args.refuse(&format!("{bytes} bytes in hexadecimal, {}", self.about))
                    );
                }
            }
            Form::Number => drop(number(args, at)?),
            Form::RepoId => drop(repo(args, at)?),
            Form::Handle => obey(args, names::check_handle(&args.string(at)?))?,
            Form::RepoName => obey(args, names::check_repo_name(&args.string(at)?))?,
            Form::RefName => obey(args, refs::check_ref_name(&args.string(at)?))?,
        }
        Ok(())
    }
}

/// Refuses what a rule says no to.
fn obey<E: std::fmt::Display>(args: &Args<'_>, rule: Result<(), E>) -> Result<(), RpcError> {
    rule.map_err(|why| args.refuse(&why.to_string()))
}

const fn param(name: &'static str, form: Form, about: &'static str) -> Param {
    Param { name, form, about }
}

/// Every parameter there is.
pub(super) static PARAMS: [Param; 18] = [
    param("account", Form::Hex(AccountId::LEN), "id of an account or organisation"),
    param("certificate", Form::Hex(Hash::LEN), "digest of the signed part of a push certificate"),
    param("comment", Form::Number, "number of the comment in its thread"),
    param("commitment", Form::Hex(Hash::LEN), "digest that commits to a handle"),
    param("edit", Form::Number, "number of the edit, from 0 on"),
    param("from_number", Form::Number, "number of the thread that refers to the other"),
    param("from_repo", Form::Number, "repository id of the thread that refers to the other"),
    param("gateway", Form::Hex(AccountId::LEN), "account of a gateway, which pays for pushes"),
    param("handle", Form::Handle, "handle of an account"),
    param("height", Form::Number, "height of the state; 0 or none: the newest that is proved"),
    param("index", Form::Number, "place in the list, from 0 on"),
    param("key", Form::Hex(Key::LEN), "ed25519 public key"),
    param("name", Form::RepoName, "name of a repository"),
    param("number", Form::Number, "number of the entry, or the height of a change"),
    param("push", Form::Hex(PushId::LEN), "digest of certificate, gateway and pack"),
    param("ref", Form::RefName, "full name of a ref, such as refs/heads/main"),
    param("repo", Form::RepoId, "repository id"),
    param("validator", Form::Hex(ValidatorAddress::LEN), "consensus address"),
];

const HEIGHT: &[&str] = &["height"];
const ACCOUNT: &[&str] = &["account", "height"];
const VALIDATOR: &[&str] = &["validator", "height"];
const REPO: &[&str] = &["repo", "height"];

const fn spec(
    name: &'static str,
    summary: &'static str,
    params: &'static [&'static str],
    message: &'static str,
    key: fn(&Args<'_>) -> Result<Vec<u8>, RpcError>,
) -> Spec {
    Spec { name, summary, params, message, key }
}

/// Every method that reads the state, by name.
pub(super) static TABLE: &[Spec] = &[
    spec("guts_account", "an account", ACCOUNT, "Account", |args| {
        Ok(keys::account(&id::<AccountId>(args, 0)?))
    }),
    spec(
        "guts_anchor",
        "a recorded anchor, by its number",
        &["number", "height"],
        "Anchor",
        |args| Ok(keys::anchor(number(args, 0)?)),
    ),
    spec("guts_anchors", "how many anchors were recorded", HEIGHT, "Anchors", |_| {
        Ok(keys::anchors())
    }),
    spec("guts_candidates", "validators with stake", HEIGHT, "Candidates", |_| {
        Ok(keys::candidates())
    }),
    spec(
        "guts_certificate",
        "which push spent a push certificate, while it is fresh",
        &["certificate", "height"],
        "SpentCertificate",
        |args| Ok(keys::certificate(&id::<Hash>(args, 0)?)),
    ),
    spec(
        "guts_comment",
        "a comment of a thread",
        &["repo", "number", "comment", "height"],
        "CommentValue",
        |args| Ok(keys::comment(repo(args, 0)?, number(args, 1)?, number(args, 2)?)),
    ),
    spec(
        "guts_comment_edit",
        "a former text of a comment",
        &["repo", "number", "comment", "edit", "height"],
        "CommentEdit",
        |args| {
            let (number, comment, edit) = (number(args, 1)?, number(args, 2)?, number(args, 3)?);
            Ok(keys::comment_edit(repo(args, 0)?, number, comment, edit))
        },
    ),
    spec(
        "guts_delegation",
        "what an account has delegated to a validator",
        &["validator", "account", "height"],
        "Delegation",
        |args| Ok(keys::delegation(&id(args, 0)?, &id(args, 1)?)),
    ),
    spec(
        "guts_delegations_of",
        "the validators an account delegates to",
        ACCOUNT,
        "DelegationsOf",
        |args| Ok(keys::delegations_of(&id(args, 0)?)),
    ),
    spec("guts_epoch", "the staking period under way", HEIGHT, "Epoch", |_| Ok(keys::epoch())),
    spec("guts_faucet", "what the faucet gave in this staking period", HEIGHT, "Faucet", |_| {
        Ok(keys::faucet())
    }),
    spec(
        "guts_faucet_draw",
        "what an account drew from the faucet",
        ACCOUNT,
        "FaucetDraw",
        |args| Ok(keys::faucet_draw(&id(args, 0)?)),
    ),
    spec("guts_guardians", "who may recover an account", ACCOUNT, "Guardians", |args| {
        Ok(keys::guardians(&id(args, 0)?))
    }),
    spec(
        "guts_handle",
        "the account that has a handle",
        &["handle", "height"],
        "HandleRecord",
        |args| Ok(keys::handle(&args.string(0)?)),
    ),
    spec(
        "guts_handle_commit",
        "a handle that somebody is about to claim",
        &["account", "commitment", "height"],
        "HandleCommit",
        |args| Ok(keys::handle_commit(&id(args, 0)?, &id(args, 1)?)),
    ),
    spec("guts_issue", "an issue", &["repo", "number", "height"], "Issue", |args| {
        Ok(keys::issue(repo(args, 0)?, number(args, 1)?))
    }),
    spec("guts_key", "whose a key is, and since when", &["key", "height"], "KeyRecord", |args| {
        Ok(keys::key(&id::<Key>(args, 0)?))
    }),
    spec("guts_missed", "the blocks a validator has missed", VALIDATOR, "Missed", |args| {
        Ok(keys::missed(&id(args, 0)?))
    }),
    spec("guts_operator", "the validator an account operates", ACCOUNT, "OperatorOf", |args| {
        Ok(keys::operator(&id(args, 0)?))
    }),
    spec("guts_org", "an organisation", ACCOUNT, "Org", |args| Ok(keys::org(&id(args, 0)?))),
    spec("guts_orgs", "how many organisations there are", HEIGHT, "Orgs", |_| Ok(keys::orgs())),
    spec(
        "guts_owner_repo",
        "a repository by its place among its owner's",
        &["account", "index", "height"],
        "RepoPointer",
        |args| Ok(keys::owner_repo(&id(args, 0)?, number(args, 1)?)),
    ),
    spec("guts_params", "the chain's parameters", HEIGHT, "Params", |_| Ok(keys::params())),
    spec("guts_proposal", "a proposal, by its number", &["number", "height"], "Proposal", |args| {
        Ok(keys::proposal(number(args, 0)?))
    }),
    spec(
        "guts_proposals",
        "how many proposals there are, and which are open",
        HEIGHT,
        "Proposals",
        |_| Ok(keys::proposals()),
    ),
    spec(
        "guts_protections",
        "what protects the refs of a repository",
        REPO,
        "Protections",
        |args| Ok(keys::protections(repo(args, 0)?)),
    ),
    spec(
        "guts_push",
        "a push, while it is pending or its certificate fresh",
        &["push", "height"],
        "Push",
        |args| Ok(keys::push(&id::<PushId>(args, 0)?)),
    ),
    spec(
        "guts_pushes_of",
        "what an account has in flight, brought by the account of one gateway",
        &["account", "gateway", "height"],
        "PushesOf",
        |args| Ok(keys::pushes_of(&id(args, 0)?, &id(args, 1)?)),
    ),
    spec("guts_pushes_pending", "pushes under way", HEIGHT, "PushesPending", |_| {
        Ok(keys::pushes_pending())
    }),
    spec(
        "guts_reactions",
        "an account's reactions to a comment",
        &["repo", "number", "comment", "account", "height"],
        "Reactions",
        |args| {
            let (number, comment) = (number(args, 1)?, number(args, 2)?);
            Ok(keys::reactions(repo(args, 0)?, number, comment, &id(args, 3)?))
        },
    ),
    spec("guts_recovery", "a recovery under way", ACCOUNT, "Recovery", |args| {
        Ok(keys::recovery(&id(args, 0)?))
    }),
    spec("guts_ref", "where a ref points", &["repo", "ref", "height"], "RefRecord", |args| {
        Ok(keys::ref_record(repo(args, 0)?, &args.string(1)?))
    }),
    spec(
        "guts_ref_log",
        "an entry of a repository's ref log",
        &["repo", "number", "height"],
        "RefLogEntry",
        |args| Ok(keys::ref_log(repo(args, 0)?, number(args, 1)?)),
    ),
    spec(
        "guts_reference",
        "a reference to a thread from another; its thread says how many there are",
        &["repo", "number", "index", "height"],
        "Reference",
        |args| Ok(keys::reference(repo(args, 0)?, number(args, 1)?, number(args, 2)?)),
    ),
    spec(
        "guts_reference_of",
        "whether a thread is referred to by another: the place of the reference",
        &["repo", "number", "from_repo", "from_number", "height"],
        "ReferenceOf",
        |args| {
            let (number, from) = (number(args, 1)?, (repo(args, 2)?, number(args, 3)?));
            Ok(keys::reference_of(repo(args, 0)?, number, from.0, from.1))
        },
    ),
    spec(
        "guts_refs",
        "the root over all refs of a repository, and the length of its ref log",
        REPO,
        "RefsHead",
        |args| Ok(keys::refs(repo(args, 0)?)),
    ),
    spec("guts_repo", "a repository", REPO, "Repo", |args| Ok(keys::repo(repo(args, 0)?))),
    spec("guts_repo_access", "who may do what in a repository", REPO, "RepoAccess", |args| {
        Ok(keys::repo_access(repo(args, 0)?))
    }),
    spec(
        "guts_repo_named",
        "the repository of that owner and name",
        &["account", "name", "height"],
        "RepoPointer",
        |args| Ok(keys::repo_name(&id(args, 0)?, &args.string(1)?)),
    ),
    spec("guts_repos", "how many repositories there are", HEIGHT, "Repos", |_| Ok(keys::repos())),
    spec(
        "guts_star",
        "the star that an account gave a repository",
        &["repo", "account", "height"],
        "Star",
        |args| Ok(keys::star(repo(args, 0)?, &id(args, 1)?)),
    ),
    spec("guts_supply", "all money there is, and where", HEIGHT, "Supply", |_| Ok(keys::supply())),
    spec("guts_thread", "a thread of comments", &["repo", "number", "height"], "Thread", |args| {
        Ok(keys::thread(repo(args, 0)?, number(args, 1)?))
    }),
    spec("guts_threads", "how many threads a repository has", REPO, "Threads", |args| {
        Ok(keys::threads(repo(args, 0)?))
    }),
    spec("guts_tracker", "labels and milestones of a repository", REPO, "Tracker", |args| {
        Ok(keys::tracker(repo(args, 0)?))
    }),
    spec(
        "guts_unbonding",
        "stake on its way out, by its number",
        &["number", "height"],
        "Unbonding",
        |args| Ok(keys::unbonding(number(args, 0)?)),
    ),
    spec("guts_upgrade", "the upgrade that waits for its height", HEIGHT, "UpgradePlan", |_| {
        Ok(keys::upgrade())
    }),
    spec("guts_validator", "what a validator bonded", VALIDATOR, "ValidatorInfo", |args| {
        Ok(keys::validator(&id(args, 0)?))
    }),
    spec(
        "guts_validators",
        "the newest set of validators: in force, or about to be",
        HEIGHT,
        "Validators",
        |_| Ok(keys::validators()),
    ),
    spec(
        "guts_validators_at",
        "the validators whose signatures count from a change on",
        &["number", "height"],
        "Validators",
        |args| Ok(keys::validators_at(number(args, 0)?)),
    ),
    spec(
        "guts_validators_changes",
        "the heights at which the validators changed",
        HEIGHT,
        "ValidatorsChanges",
        |_| Ok(keys::validators_changes()),
    ),
    spec(
        "guts_vote",
        "a vote on a proposal, by its place",
        &["number", "index", "height"],
        "VoteCast",
        |args| Ok(keys::vote(number(args, 0)?, number(args, 1)?)),
    ),
    spec(
        "guts_vote_of",
        "the vote of an account on a proposal",
        &["number", "account", "height"],
        "VoteOf",
        |args| Ok(keys::vote_of(number(args, 0)?, &id(args, 1)?)),
    ),
];

/// An identifier in hex.
fn id<T: FromStr<Err: std::fmt::Display>>(args: &Args<'_>, at: usize) -> Result<T, RpcError> {
    args.string(at)?.parse().map_err(|why: T::Err| args.refuse(&why.to_string()))
}

/// A number that is given: [`Spec::check`] has seen to it.
fn number(args: &Args<'_>, at: usize) -> Result<u64, RpcError> {
    let number = args.int(at)?.ok_or_else(|| args.refuse("a number is missing"))?;
    u64::try_from(number).map_err(|_| args.refuse("a number from 0 on"))
}

fn repo(args: &Args<'_>, at: usize) -> Result<RepoId, RpcError> {
    let number = number(args, at)?;
    RepoId::new(number).ok_or_else(|| args.refuse("a repository id is a number from 1 on"))
}
