//! receive-pack's answer on its way to the client, with the reason of a refusal written into
//! git's own report: `ng refs/heads/main <reason>` instead of `pre-receive hook declined`.
//!
//! The answer is pkt-lines whose first byte is a band: 1 carries the report (pkt-lines again),
//! 2 is what users see as `remote:`. Band 1 is held back to its end (it is a line a ref), the
//! rest passes at once.

use axum::body::Bytes;

use crate::error::GitError;
use crate::pktline::{self, FLUSH, LINE_MAX_BYTES, Line};

/// What git writes for each ref when pre-receive says no.
const DECLINED: &[u8] = b"pre-receive hook declined";

/// Longest report held back: far more than the refs of one push need.
const REPORT_MAX_BYTES: usize = 4 << 20;

/// The filter, for one answer.
pub(super) struct Report {
    /// Why the push was refused, once it was.
    reason: Box<dyn Fn() -> Option<String> + Send>,
    waiting: Vec<u8>,
    report: Vec<u8>,
    is_plain: bool,
}

impl Report {
    /// A filter that asks `reason` when git's report is complete.
    pub(super) fn new(reason: impl Fn() -> Option<String> + Send + 'static) -> Self {
        let (waiting, report) = (Vec::new(), Vec::new());
        Self { reason: Box::new(reason), waiting, report, is_plain: false }
    }

    /// Takes in some bytes and gives out what can go on.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Result<Bytes, GitError> {
        if self.is_plain {
            return Ok(Bytes::copy_from_slice(bytes));
        }
        self.waiting.extend_from_slice(bytes);
        let mut out = Vec::new();
        let waiting = std::mem::take(&mut self.waiting);
        let mut rest = waiting.as_slice();
        while let Some((line, after)) = pktline::read(rest)? {
            match line {
                Line::Data([1, report @ ..]) => self.report.extend_from_slice(report),
                Line::Data([2 | 3, ..]) => out.extend_from_slice(&rest[..rest.len() - after.len()]),
                Line::Flush => {
                    out.extend_from_slice(&self.take_report()?);
                    out.extend_from_slice(FLUSH);
                }
                // No bands: a client that asked for none. Its report stays as git wrote it.
                _ => {
                    self.is_plain = true;
                    out.extend_from_slice(rest);
                    return Ok(out.into());
                }
            }
            if self.report.len() > REPORT_MAX_BYTES {
                return Err(GitError::Protocol("a report of more than 4 MiB"));
            }
            rest = after;
        }
        self.waiting = rest.to_vec();
        Ok(out.into())
    }

    /// What is left when git closes its output: nothing, unless it broke off.
    pub(super) fn end(&mut self) -> Bytes {
        std::mem::take(&mut self.waiting).into()
    }

    fn take_report(&mut self) -> Result<Vec<u8>, GitError> {
        let report = std::mem::take(&mut self.report);
        let report = match (self.reason)() {
            Some(reason) => with_reason(&report, &reason)?,
            None => report,
        };
        let mut out = Vec::new();
        for part in report.chunks(LINE_MAX_BYTES - 5) {
            let mut line = vec![1];
            line.extend_from_slice(part);
            pktline::write(&mut out, &line)?;
        }
        Ok(out)
    }
}

/// Replaces git's word for a refusal by ours, in each `ng` line.
fn with_reason(report: &[u8], reason: &str) -> Result<Vec<u8>, GitError> {
    // One line, whatever a reason says.
    let reason: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut out = Vec::new();
    let mut rest = report;
    while let Some((line, after)) = pktline::read(rest)? {
        match line {
            Line::Data(data) if data.starts_with(b"ng ") => {
                let text = data.strip_suffix(b"\n").unwrap_or(data);
                match text.strip_suffix(DECLINED) {
                    Some(head) => {
                        pktline::write(&mut out, &[head, reason.as_bytes(), b"\n"].concat())?
                    }
                    None => pktline::write(&mut out, data)?,
                }
            }
            Line::Data(data) => pktline::write(&mut out, data)?,
            _ => out.extend_from_slice(FLUSH),
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    Ok(out)
}

#[cfg(test)]
mod tests;
