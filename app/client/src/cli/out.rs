//! What a command says: lines for people, or one JSON object on stdout and the lines on stderr.

use std::io::{self, IsTerminal, Stderr, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use guts_schema::stake::ppm_in;
use serde_json::{Value, json};

use crate::send::{self, Progress, Trial};
use crate::{Error, State};

/// One line as a terminal may have it, whoever wrote it: without control characters, and with
/// those that turn the direction of text shown in place of taking effect.
fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    for c in line.chars().filter(|c| !c.is_control()) {
        match c {
            '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => plain.extend(c.escape_unicode()),
            c => plain.push(c),
        }
    }
    plain
}

/// Writes one line, whatever is in it. A reader that went away is no reason to fail.
fn put(to: &mut dyn Write, text: &str) {
    let _ = writeln!(to, "{}", plain(text));
}

/// Writes why something did not work: further lines of it are indented, so that none that came
/// from a node looks like one of ours.
fn put_error(to: &mut dyn Write, error: &Error) {
    for (number, line) in error.to_string().lines().enumerate() {
        match (number, line.starts_with("  ")) {
            (0, _) => put(to, &format!("✗ {line}")),
            (_, true) => put(to, line),
            (_, false) => put(to, &format!("  {line}")),
        }
    }
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

/// How many there are of something whose plural ends with an s.
pub fn counted(count: u64, one: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {one}{plural}")
}

/// Rows as lines, each column as wide as its widest cell.
fn lined_up<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    // What fills a column comes after what is taken out of its cell, or shown in its place.
    let rows: Vec<_> = rows.iter().map(|row| row.each_ref().map(|cell| plain(cell))).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
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

    /// A line that is no fact: a table's row, what to do next. It may have come from anywhere.
    pub fn line(&self, text: &str) {
        match self.is_json {
            true => put(&mut io::stderr(), text),
            false => put(&mut io::stdout(), text),
        }
    }

    /// Rows with columns under each other.
    pub fn table<const N: usize>(&self, rows: &[[String; N]]) {
        lined_up(rows).iter().for_each(|line| self.line(line));
    }

    /// What a person asked to have on stdout, all of it ours; programs get it in the result.
    pub fn text(&self, text: &str) {
        if !self.is_json {
            let _ = writeln!(io::stdout(), "{text}");
        }
    }

    /// Lines that people wrote.
    pub fn quote(&self, text: &str) {
        for line in text.lines() {
            self.line(&format!("   {line}"));
        }
    }

    /// What was read was proved, and when that was so.
    pub fn proved(&self, state: &State) {
        self.fact(&format!("proved at height {}", state.height()));
    }

    /// The result, for programs.
    pub fn result(&self, value: &Value) {
        if self.is_json {
            let _ = writeln!(io::stdout(), "{value}");
        }
    }

    /// What a transaction would have cost and done that was not sent.
    pub fn trial(&self, trial: &Trial) {
        let Trial { bill, outcome } = trial;
        self.line(&bill.to_string());
        for (pay, cost) in trial.others() {
            self.line(&format!("or {cost}, with --pay {}", pay.name()));
        }
        self.line(&send::outcome(outcome));
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
        put_error(&mut io::stderr(), error);
        self.result(&json!({ "error": { "kind": error.kind(), "message": error.to_string() } }));
    }

    /// A bar on stderr, while a proof of work is sought; drawn where somebody looks.
    pub fn bar(&self, what: &'static str) -> Bar {
        let to = io::stderr();
        let is_drawn = to.is_terminal() && !self.is_json;
        Bar { what, since: Instant::now(), is_drawn, shown: Mutex::new((Duration::ZERO, to)) }
    }
}

/// Says how far a proof of work is.
pub struct Bar<W: Write = Stderr> {
    what: &'static str,
    since: Instant,
    is_drawn: bool,
    /// When it was last drawn, and where.
    shown: Mutex<(Duration, W)>,
}

/// Seconds of work that nobody need be told of before.
const UNTOLD_S: u64 = 10;
/// Between two drawings of a bar, and before the first.
const DRAWN_EVERY: Duration = Duration::from_millis(100);

impl<W: Write + Send> Progress for Bar<W> {
    fn begins(&self, bits: u32, seconds: u64) {
        let Ok(mut shown) = self.shown.lock() else { return };
        if seconds >= UNTOLD_S {
            let what = self.what;
            let text = format!("{what}: a proof of work of {bits} bits, about {seconds} s of work");
            put(&mut shown.1, &format!("  {text}"));
        }
    }

    fn work(&self, tried: u64, expected: u64) {
        let now = self.since.elapsed();
        let Ok(mut shown) = self.shown.lock() else { return };
        let (last, to) = &mut *shown;
        if !self.is_drawn || now.saturating_sub(*last) < DRAWN_EVERY {
            return;
        }
        *last = now;
        let percent = tried.saturating_mul(100) / expected.max(1);
        let _ = write!(to, "\r  {}: {percent} % of the usual work", self.what);
    }
}

impl<W: Write> Drop for Bar<W> {
    fn drop(&mut self) {
        let Ok(mut shown) = self.shown.lock() else { return };
        let (last, to) = &mut *shown;
        if *last > Duration::ZERO {
            let _ = write!(to, "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests;
