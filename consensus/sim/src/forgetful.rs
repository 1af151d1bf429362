//! Tendermint without its lock: what an amnesiac validator runs, and a canary of [S-3].

use guts_consensus::protocol::Protocol;
use guts_consensus::round::{Effect, Event, Machine};

/// Prevotes any valid proposal, whatever is locked (line 29).
#[derive(Debug)]
pub struct Forgetful;

impl Protocol for Forgetful {
    fn step(&self, machine: &mut Machine, event: Event) -> Option<Effect> {
        let locked = machine.locked;
        if let Event::Proposal { .. } = event {
            machine.locked = None;
        }
        let effect = machine.step(event);
        if let Event::Proposal { .. } = event {
            machine.locked = locked;
        }
        effect
    }
}
