//! Before the transactions of a block: verdicts are counted, pushes close. After them: old pushes
//! are forgotten, and a tick keeps blocks coming while any is pending.

use std::collections::BTreeMap;

use guts_schema::attest::{Attested, RefSet, Verdict};
use guts_schema::ids::ValidatorAddress;
use guts_schema::keys::Queue;
use guts_schema::limits::PUSH_WINDOW_MAX_S;
use guts_schema::{PushId, events, proto};

use super::state::Ways;
use super::{error, execute, state};
use crate::fault::{Broken, Fault, Refusal};
use crate::modules::staking::Set;
use crate::modules::{account, params, staking};
use crate::run::Run;

/// Seconds a closed push is remembered at least, so that whoever waits for it can read how it
/// ended.
const MEMORY_S: u64 = 3600;
/// Old pushes forgotten per block: more than can be ordered in one on average.
const FORGOTTEN_MAX: usize = 64;

pub(super) fn begin(run: &mut Run<'_>, attested: Option<&Attested>) -> Result<(), Broken> {
    if let Some(attested) = attested {
        record(run, attested)?;
    }
    let (ids, _) = state::pending(&run.state)?;
    if ids.is_empty() {
        return Ok(());
    }
    let set = staking::in_force(run)?;
    let deadline_s = params::of(run)?.push_deadline_s;
    for id in ids {
        let gone = || Broken::Contradiction(format!("pending push {id} is gone"));
        let push = state::get(&run.state, &id)?.ok_or_else(gone)?;
        // Another push of its certificate was the faster.
        if state::spent(&run.state, &state::certificate_of(&push)?)?.is_some() {
            fail(run, &id, push, error::replayed())?;
            continue;
        }
        let late = run.block.time_s > push.ordered_time_s.saturating_add(deadline_s);
        match tally(&set, &push)? {
            Tally::Good { forced } => conclude(run, &id, push, forced)?,
            Tally::Refused(reason) => fail(run, &id, push, error::rejected(reason.sentence()))?,
            Tally::Open if late => fail(run, &id, push, error::deadline(deadline_s))?,
            Tally::Open => {}
        }
    }
    Ok(())
}

/// Writes down new verdicts on pending pushes. The first of a validator stands.
fn record(run: &mut Run<'_>, attested: &Attested) -> Result<(), Broken> {
    let mut touched: BTreeMap<PushId, proto::Push> = BTreeMap::new();
    for vote in &attested.votes {
        for (id, verdict) in &vote.verdicts {
            if !touched.contains_key(id) {
                match state::get(&run.state, id)? {
                    Some(push) => touched.insert(*id, push),
                    None => continue,
                };
            }
            let Some(push) = touched.get_mut(id) else { continue };
            let validator = vote.validator.to_vec();
            let known = push.verdicts.binary_search_by(|v| v.validator.cmp(&validator));
            if push.status() != proto::PushStatus::Pending {
                continue;
            }
            if let Err(place) = known {
                let (number, refs) = (verdict.number(), verdict.refs().to_vec());
                let value = proto::ValidatorVerdict { validator, verdict: number, refs };
                push.verdicts.insert(place, value);
                run.emit(
                    events::PUSH_ATTESTED,
                    &[("push", id), ("validator", &vote.validator), ("verdict", &verdict.number())],
                );
            }
        }
    }
    touched.iter().try_for_each(|(id, push)| state::put(run, id, push))
}

enum Tally {
    Good { forced: RefSet },
    Refused(Verdict),
    Open,
}

/// Sums verdicts with the power in force now. Shares are of all power, in integers.
fn tally(set: &Set, push: &proto::Push) -> Result<Tally, Broken> {
    let mut powers: BTreeMap<Verdict, u128> = BTreeMap::new();
    for entry in &push.verdicts {
        let damaged = || Broken::Contradiction("a verdict of the wrong form".into());
        let validator = ValidatorAddress::from_slice(&entry.validator).map_err(|_| damaged())?;
        let verdict = Verdict::from_parts(entry.verdict, &entry.refs).ok_or_else(damaged)?;
        *powers.entry(verdict).or_default() += u128::from(set.power(&validator));
    }
    let sum = |good: bool| -> u128 {
        powers.iter().filter(|(v, _)| v.is_good() == good).map(|(_, power)| *power).sum()
    };
    if sum(true) * 3 > set.total() * 2 {
        // Of those who find the push good, most say so of each.
        let says = |place: usize| -> u128 {
            let those = powers.iter().filter(|(verdict, _)| verdict.refs().has(place));
            those.map(|(_, power)| *power).sum()
        };
        let forced = (0..push.updates.len()).filter(|place| says(*place) * 2 > sum(true));
        return Ok(Tally::Good { forced: forced.collect() });
    }
    if sum(false) * 3 >= set.total() && sum(false) > 0 {
        let refusals = powers.iter().filter(|(verdict, _)| !verdict.is_good());
        let reason = refusals.max_by_key(|(_, power)| **power).map(|(verdict, _)| *verdict);
        return Ok(reason.map_or(Tally::Open, Tally::Refused));
    }
    Ok(Tally::Open)
}

/// The validators agree: refs move, unless a rule forbids it by now. Either way the certificate has
/// had its time: what its pusher is told has failed does not happen later.
fn conclude(
    run: &mut Run<'_>,
    id: &PushId,
    mut push: proto::Push,
    forced: RefSet,
) -> Result<(), Broken> {
    state::spend(run, id, &push)?;
    let mut motion = Run::new(run.block, &run.state);
    let root = match execute::move_refs(&mut motion, id, &push, forced) {
        Ok(root) => root,
        Err(fault) => return fail(run, id, push, fault),
    };
    let (changes, moved) = (motion.state.into_changes(), motion.events);
    run.state.absorb(changes);
    push.status = proto::PushStatus::Moved.into();
    push.refs_root = root.to_vec();
    let refs = push.updates.len();
    let (repo, pusher) = (push.repo, Ways::of(&push)?.pusher);
    close(run, id, push)?;
    run.emit(
        events::PUSH_MOVED,
        &[
            ("push", id),
            ("repo", &repo),
            ("account", &pusher),
            ("refs_root", &root),
            ("refs", &refs),
        ],
    );
    run.events.extend(moved);
    Ok(())
}

fn fail(run: &mut Run<'_>, id: &PushId, mut push: proto::Push, why: Fault) -> Result<(), Broken> {
    let Refusal { code, sentence } = why.refusal()?;
    push.status = proto::PushStatus::Failed.into();
    push.code = code.number();
    push.reason.clone_from(&sentence);
    let (repo, pusher) = (push.repo, Ways::of(&push)?.pusher);
    close(run, id, push)?;
    let code = code.name();
    run.emit(
        events::PUSH_FAILED,
        &[
            ("push", id),
            ("repo", &repo),
            ("account", &pusher),
            ("code", &code),
            ("reason", &sentence),
        ],
    );
    Ok(())
}

/// Counts a push out and remembers it until its certificate is stale, however long the window may
/// be by then: it cannot be ordered again, nor, if its validators agreed, any other of its
/// certificate.
fn close(run: &mut Run<'_>, id: &PushId, mut push: proto::Push) -> Result<(), Broken> {
    state::remove_pending(run, id, &Ways::of(&push)?, push.pack_size)?;
    push.closed_height = run.block.height;
    push.verdicts.clear();
    state::put(run, id, &push)?;
    let stale_s = push.nonce_time_s.saturating_add(PUSH_WINDOW_MAX_S).saturating_add(1);
    let due_s = stale_s.max(run.block.time_s.saturating_add(MEMORY_S));
    account::queue_push(run, Queue::Pushes, due_s, id.as_bytes())
}

pub(super) fn end(run: &mut Run<'_>) -> Result<(), Broken> {
    if run.block.has_txs {
        for id in account::queue_pop_due(run, Queue::Pushes, FORGOTTEN_MAX)? {
            let id = PushId::from_slice(&id);
            let id = id.map_err(|error| Broken::Contradiction(error.to_string()))?;
            state::forget(run, &id)?;
        }
    }
    if state::pending(&run.state)?.0.is_empty() {
        return Ok(());
    }
    state::tick(run)
}
