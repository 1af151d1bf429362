//! `guts gov list | show`.

use guts_schema::proto::propose::Content;
use guts_schema::proto::{ProposalStatus, VoteOption};
use guts_schema::tally::{Bars, Outcome, Tally};
use guts_schema::{AccountId, keys, proto};
use serde_json::{Value, json};

use super::super::Context;
use super::super::out::{percent, time};
use crate::state::account_id;
use crate::{Error, State};

async fn proposals(state: &State) -> Result<proto::Proposals, Error> {
    let list: Option<proto::Proposals> = state.get(&keys::proposals()).await?;
    Ok(list.unwrap_or_default())
}

/// A proposal that somebody named.
pub(super) async fn existing(state: &State, number: u64) -> Result<proto::Proposal, Error> {
    let found: Option<proto::Proposal> = state.get(&keys::proposal(number)).await?;
    let missing = || {
        Error::Missing(format!("there is no proposal {number}: 'guts gov list --all' shows all"))
    };
    found.ok_or_else(missing)
}

/// A proposal that is among those counted.
async fn one_of(state: &State, number: u64) -> Result<proto::Proposal, Error> {
    let found: Option<proto::Proposal> = state.get(&keys::proposal(number)).await?;
    found.ok_or_else(|| Error::Proof("a proposal is missing".into()))
}

/// The newest proposal of an account with a title. Others may propose in the same block.
pub(super) async fn newest(
    state: &State,
    proposer: &AccountId,
    title: &str,
) -> Result<(u64, proto::Proposal), Error> {
    for number in (1..=proposals(state).await?.count).rev() {
        let proposal = one_of(state, number).await?;
        let is_titled = proposal.what.as_ref().is_some_and(|what| what.title == title);
        if is_titled && proposal.proposer == proposer.to_vec() {
            return Ok((number, proposal));
        }
    }
    Err(Error::Missing("it was proposed, and is not there".into()))
}

pub(super) fn status_name(status: ProposalStatus) -> String {
    status.as_str_name().trim_start_matches("PROPOSAL_STATUS_").to_lowercase()
}

pub(super) fn option_name(option: VoteOption) -> String {
    option.as_str_name().trim_start_matches("VOTE_OPTION_").to_lowercase()
}

const fn kind(content: Option<&Content>) -> &'static str {
    match content {
        None => "text",
        Some(Content::Params(_)) => "params",
        Some(Content::Emergency(_)) => "emergency",
        Some(Content::Upgrade(_)) => "upgrade",
        Some(Content::Spend(_)) => "spend",
    }
}

/// How a proposal stands, as the end of a sentence about it.
pub(super) fn standing(proposal: &proto::Proposal) -> String {
    let (until, reason) = (time(proposal.until_s), &proposal.reason);
    match proposal.status() {
        ProposalStatus::Deposit => format!("takes deposits until {until}"),
        ProposalStatus::Voting => format!("takes votes until {until}"),
        ProposalStatus::Queued => format!("was accepted, to be carried out after {until}"),
        ProposalStatus::Done => "was accepted and carried out".into(),
        ProposalStatus::Rejected => format!("was rejected: {reason}"),
        ProposalStatus::Vetoed => "was vetoed, and what was laid down for it burnt".into(),
        ProposalStatus::Failed => format!("was accepted and cannot be carried out: {reason}"),
        // Others may have pushed it out, which is said then.
        ProposalStatus::Dropped if reason.is_empty() => {
            "was dropped: too little was laid down in time".into()
        }
        ProposalStatus::Dropped => format!("was dropped: {reason}"),
    }
}

pub(super) async fn list(context: &Context, all: bool) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let proto::Proposals { count, open } = proposals(&state).await?;
    let numbers = if all { (1..=count).collect() } else { open };
    let (mut listed, mut rows) = (Vec::new(), Vec::new());
    let places: Vec<_> = numbers.iter().map(|number| keys::proposal(*number)).collect();
    let found: Vec<proto::Proposal> = state.list("a proposal", &places).await?;
    for (number, proposal) in numbers.into_iter().zip(found) {
        let value = describe(&state, number, &proposal).await?;
        let word = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        rows.push([number.to_string(), word("kind"), word("status"), word("title")]);
        listed.push(value);
    }
    context.out.table(&rows);
    let shown = listed.len();
    context.out.fact(&format!("proved at height {}: {shown}, and no other", state.height()));
    context.out.result(&json!({ "proposals": listed, "proved_height": state.height() }));
    Ok(())
}

async fn describe(state: &State, number: u64, proposal: &proto::Proposal) -> Result<Value, Error> {
    let what = proposal.what.clone().unwrap_or_default();
    let mut deposits = Vec::new();
    for one in &proposal.deposits {
        let account = state.name_of(&account_id(&one.account)?).await?;
        deposits.push(json!({ "account": account, "amount": one.amount.to_string() }));
    }
    let content = match &what.content {
        None => Value::Null,
        Some(Content::Params(text) | Content::Emergency(text)) => {
            serde_json::from_str(text).unwrap_or_else(|_| json!(text))
        }
        Some(Content::Upgrade(upgrade)) => {
            json!({ "height": upgrade.height, "rules": upgrade.version })
        }
        Some(Content::Spend(spend)) => {
            let to = state.name_of(&account_id(&spend.to)?).await?;
            json!({ "to": to, "amount": spend.amount.to_string() })
        }
    };
    Ok(json!({
        "proposal": number,
        "kind": kind(what.content.as_ref()),
        "title": what.title,
        "text": what.text,
        "content": content,
        "proposer": state.name_of(&account_id(&proposal.proposer)?).await?,
        "status": status_name(proposal.status()),
        "until_s": proposal.until_s,
        "reason": proposal.reason,
        "deposits": deposits,
        "votes": proposal.votes,
        "tally": tally(proposal),
    }))
}

/// What the votes came to, when they were counted; before that, nothing.
pub(super) fn tally(proposal: &proto::Proposal) -> Value {
    Tally::counted(proposal).map_or(Value::Null, |tally| sums(&tally))
}

fn sums(tally: &Tally) -> Value {
    json!({
        "yes": tally.yes.to_string(),
        "no": tally.no.to_string(),
        "veto": tally.veto.to_string(),
        "abstain": tally.abstain.to_string(),
        "total": tally.total.to_string(),
    })
}

fn stake(tally: &Tally) -> String {
    let Tally { yes, no, veto, abstain, total } = tally;
    format!("yes {yes}, no {no}, veto {veto}, abstain {abstain}, of {total}")
}

/// What the votes come to so far, what they are held against, and how it would end now.
pub(super) fn so_far(tally: &Tally, bars: &Bars) -> (Vec<String>, Value) {
    let (cast, quorum, outcome) = (tally.cast(), tally.quorum(bars), tally.outcome(bars));
    let (would, text) = match outcome {
        Outcome::Passed => ("pass", "be accepted".to_owned()),
        Outcome::Vetoed => ("be_vetoed", "be vetoed, and what was laid down burnt".to_owned()),
        Outcome::FewVoted | Outcome::FewAgreed => {
            ("be_rejected", format!("be rejected: {}", outcome.reason()))
        }
    };
    let (threshold, veto) = (percent(bars.threshold_ppm), percent(bars.veto_ppm));
    let of = if bars.is_of_all { "all stake" } else { "yes, no and veto" };
    let lines = vec![
        format!("stake     so far {}", stake(tally)),
        format!("quorum    {quorum}, and {cast} voted"),
        format!("yes       must be more than {threshold} of {of}"),
        format!("veto      stops it above {veto} of all votes"),
        format!("now       it would {text}"),
    ];
    let value = json!({
        "tally": sums(tally),
        "cast": cast.to_string(),
        "quorum": quorum.to_string(),
        "threshold_ppm": bars.threshold_ppm,
        "threshold_of_all": bars.is_of_all,
        "veto_ppm": bars.veto_ppm,
        "would": would,
        "reason": outcome.reason(),
    });
    (lines, value)
}

pub(super) async fn show(context: &Context, number: u64, votes: bool) -> Result<(), Error> {
    let mut chain = context.chain().await?;
    let state = chain.state().await?;
    let proposal = existing(&state, number).await?;
    let mut value = describe(&state, number, &proposal).await?;
    let out = &context.out;
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    out.line(&format!("proposal  {number}: {}", word(&value["title"])));
    out.line(&format!("by        {}", word(&value["proposer"])));
    let content = match &value["content"] {
        Value::Null => String::new(),
        content => format!(" {content}"),
    };
    out.line(&format!("what      {}{content}", word(&value["kind"])));
    out.line(&format!("status    it {}", standing(&proposal)));
    for one in value["deposits"].as_array().into_iter().flatten() {
        out.line(&format!("deposit   {} of {}", word(&one["amount"]), word(&one["account"])));
    }
    out.line(&format!("votes     {}", proposal.votes));
    if let Some(tally) = Tally::counted(&proposal) {
        out.line(&format!("stake     {}", stake(&tally)));
    }
    let is_voting = proposal.status() == ProposalStatus::Voting;
    let all = match is_voting || votes {
        true => state.votes(number, &proposal).await?,
        false => Vec::new(),
    };
    if is_voting {
        let (tally, bars) = state.tally(&all, &proposal).await?;
        let (lines, so_far) = so_far(&tally, &bars);
        lines.iter().for_each(|line| out.line(line));
        value["so_far"] = so_far;
    }
    out.quote(&word(&value["text"]));
    if votes {
        value["cast"] = json!(cast(context, &state, &all).await?);
    }
    out.proved(&state);
    value["proved_height"] = json!(state.height());
    out.result(&value);
    Ok(())
}

/// Who voted how.
async fn cast(
    context: &Context,
    state: &State,
    votes: &[(AccountId, VoteOption)],
) -> Result<Vec<Value>, Error> {
    let names = state.names_of(votes.iter().map(|(account, _)| *account)).await?;
    let (mut listed, mut rows) = (Vec::new(), Vec::new());
    for (account, option) in votes {
        let (account, option) = (&names[account], option_name(*option));
        rows.push([option.clone(), account.clone()]);
        listed.push(json!({ "account": account, "option": option }));
    }
    context.out.table(&rows);
    Ok(listed)
}
