//! What a command says: lines for people, or one JSON object on stdout and the lines on stderr.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use guts_schema::stake::ppm_in;
use serde_json::{Value, json};

use crate::send::{self, Progress, Trial};
use crate::{Error, State};

/// One line that somebody wrote: no control character of it reaches a terminal.
pub fn plain(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).collect()
}

/// Unix seconds of header time as people read them, in UTC.
pub fn time(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok();
    let time = time.and_then(|seconds| tendermint::Time::from_unix_timestamp(seconds, 0).ok());
    time.map_or_else(|| format!("header time {seconds}"), |time| time.to_rfc3339())
}

/// Millionths as people read them: percent, with as many digits as there are.
pub fn percent(ppm: u64) -> String {
    let (whole, part) = (ppm / 10_000, format!("{:04}", ppm % 10_000));
    let part = part.trim_end_matches('0');
    let point = if part.is_empty() { "" } else { "." };
    format!("{whole}{point}{part} %")
}

/// Part of a whole in percent, rounded down to tenths of one.
pub fn share(part: u64, whole: u64) -> String {
    let ppm = ppm_in(part, whole);
    percent(ppm - ppm % 1000)
}

/// Where a command speaks.
#[derive(Clone, Debug)]
pub struct Out {
    is_json: bool,
}

impl Out {
    pub const fn new(is_json: bool) -> Self {
        Self { is_json }
    }

    /// A fact that holds.
    pub fn fact(&self, text: &str) {
        self.line(&format!("✓ {text}"));
    }

    /// A line that is no fact: a table's row, what to do next.
    pub fn line(&self, text: &str) {
        // A reader that went away is no reason to fail.
        let _ = match self.is_json {
            true => writeln!(std::io::stderr(), "{text}"),
            false => writeln!(std::io::stdout(), "{text}"),
        };
    }

    /// What a person asked to have on stdout; programs get it in the result.
    pub fn text(&self, text: &str) {
        if !self.is_json {
            let _ = writeln!(std::io::stdout(), "{text}");
        }
    }

    /// Lines that people wrote. Not as they formatted them for a terminal: see [`plain`].
    pub fn quote(&self, text: &str) {
        for line in text.lines() {
            self.line(&format!("   {}", plain(line)));
        }
    }

    /// What was read was proved, and when that was so.
    pub fn proved(&self, state: &State) {
        self.fact(&format!("proved at height {}", state.height()));
    }

    /// The result, for programs.
    pub fn result(&self, value: &Value) {
        if self.is_json {
            let _ = writeln!(std::io::stdout(), "{value}");
        }
    }

    /// What a transaction would have cost and done that was not sent.
    pub fn trial(&self, trial: &Trial) {
        let Trial { bill, outcome } = trial;
        self.line(&bill.to_string());
        for (pay, cost) in trial.others() {
            self.line(&format!("or {cost}, with --pay {}", pay.name()));
        }
        self.line(&plain(&send::outcome(outcome)));
        for event in &outcome.events {
            let told = event.attributes.iter().map(|one| format!(" {}={}", one.key, one.value));
            self.quote(&format!("{}{}", event.kind, told.collect::<String>()));
        }
        self.fact("nothing was sent");
        let events = outcome.events.iter().map(|event| {
            let told = event.attributes.iter().map(|one| json!({one.key.as_str(): one.value}));
            json!({ "kind": event.kind, "attributes": told.collect::<Vec<_>>() })
        });
        let others: Vec<_> = trial.others().iter().map(|(pay, _)| pay.name()).collect();
        self.result(&json!({
            "sent": false,
            "actions": bill.actions,
            "bytes": bill.size,
            "pay": bill.pay.name(),
            "work_bits": bill.work_bits,
            "fee": bill.fee.to_string(),
            "others": others,
            "outcome": {
                "height": outcome.height,
                "code": outcome.code,
                "name": outcome.name,
                "sentence": outcome.sentence,
                "events": events.collect::<Vec<_>>(),
            },
        }));
    }

    /// Why it did not work.
    pub fn error(&self, error: &Error) {
        let _ = writeln!(std::io::stderr(), "✗ {error}");
        self.result(&json!({ "error": { "kind": error.kind(), "message": error.to_string() } }));
    }

    /// A bar on stderr, while a proof of work is sought.
    pub fn bar(&self, what: &'static str) -> Bar {
        let shown = (std::io::stderr().is_terminal() && !self.is_json).then(Default::default);
        Bar { what, since: Instant::now(), shown }
    }
}

/// Says how far a proof of work is.
pub struct Bar {
    what: &'static str,
    since: Instant,
    /// When it was last drawn; `None` where nobody looks.
    shown: Option<std::sync::Mutex<Duration>>,
}

/// Seconds of work that nobody need be told of before.
const UNTOLD_S: u64 = 10;

impl Progress for Bar {
    fn begins(&self, bits: u32, seconds: u64) {
        if seconds >= UNTOLD_S {
            let what = self.what;
            let text = format!("{what}: a proof of work of {bits} bits, about {seconds} s of work");
            let _ = writeln!(std::io::stderr(), "  {text}");
        }
    }

    fn work(&self, tried: u64, expected: u64) {
        let Some(shown) = &self.shown else { return };
        let now = self.since.elapsed();
        let Ok(mut last) = shown.lock() else { return };
        if now.saturating_sub(*last) < Duration::from_millis(100) {
            return;
        }
        *last = now;
        let percent = tried.saturating_mul(100) / expected.max(1);
        let _ = write!(std::io::stderr(), "\r  {}: {percent} % of the usual work", self.what);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        let drawn = self.shown.as_ref().and_then(|shown| shown.lock().ok());
        if drawn.is_some_and(|last| *last > Duration::ZERO) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
