//! Ends processes because somebody said so: `./localnet/kill` and `./localnet/stop`.
//!
//! Each notes in `network.json` what it is about to end, so that a network in the foreground of
//! another terminal tells an end that was wanted from one that was not.

use std::path::Path;

use crate::network::{EndedBy, Half, Network, Started};
use crate::start::say;
use crate::{Result, process};

const HALVES: [Half; 2] = [Half::Engine, Half::App];

/// Ends every process of the network.
///
/// # Errors
/// When there is no network in `home`, or a process does not end even when it is killed.
pub fn stop(home: &Path) -> Result<()> {
    let running = note(home, EndedBy::Stop, |_, _| true)?;
    if running.is_empty() {
        say("nothing runs");
        return Ok(());
    }
    let killed = process::terminate(&running)?;
    say(&format!("✓ ended {} processes", running.len()));
    if killed > 0 {
        say(&format!("  {killed} of them had to be killed: they did not end on SIGTERM"));
    }
    Ok(())
}

/// Ends a validator, or one half of it, as a power cut would.
///
/// # Errors
/// When there is no such validator, or a process does not end.
pub fn kill(home: &Path, index: usize, half: Option<Half>) -> Result<()> {
    Network::load(home)?.validator(index)?;
    let is_meant = |at, of| at == index && half.is_none_or(|half| half == of);
    process::kill(&note(home, EndedBy::Kill, is_meant)?)?;
    let what = half.map(|half| format!("the {half} of ")).unwrap_or_default();
    say(&format!("✓ killed {what}validator {index}"));
    Ok(())
}

/// Notes by whom those processes that run and are meant will be ended, and returns them.
fn note(home: &Path, by: EndedBy, is_meant: impl Fn(usize, Half) -> bool) -> Result<Vec<Started>> {
    let (mut network, _turn) = Network::load_to_change(home)?;
    let mut running = Vec::new();
    // Engines first: an engine that loses its application would try to reconnect.
    for half in HALVES {
        for validator in &mut network.validators {
            let index = validator.index;
            let Some(started) = validator.started_mut(half) else { continue };
            if is_meant(index, half) && process::is_alive(started) {
                started.ended_by = Some(by);
                running.push(started.clone());
            }
        }
    }
    network.save()?;
    Ok(running)
}
