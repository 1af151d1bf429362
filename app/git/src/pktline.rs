//! pkt-line, the framing of git's protocol: four hexadecimal digits of length, then the payload.

use crate::error::GitError;

/// Longest pkt-line git sends or takes, its four digits included.
pub const LINE_MAX_BYTES: usize = 65_520;

/// Four bytes that end a list.
pub const FLUSH: &[u8] = b"0000";

/// One line of the framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// `0000`.
    Flush,
    /// `0001`, between sections of protocol v2.
    Delimiter,
    /// `0002`, end of a response of protocol v2.
    ResponseEnd,
    /// A payload.
    Data(&'a [u8]),
}

/// Appends `payload` as one line. Payloads longer than a line allows are refused.
pub fn write(out: &mut Vec<u8>, payload: &[u8]) -> Result<(), GitError> {
    let length = payload.len().saturating_add(4);
    if length > LINE_MAX_BYTES {
        return Err(GitError::Protocol("a pkt-line of more than 65520 bytes"));
    }
    out.extend_from_slice(format!("{length:04x}").as_bytes());
    out.extend_from_slice(payload);
    Ok(())
}

/// Takes the first line off `bytes`: the line and the rest. `None` when more bytes are needed.
pub fn read(bytes: &[u8]) -> Result<Option<(Line<'_>, &[u8])>, GitError> {
    let Some((digits, rest)) = bytes.split_at_checked(4) else { return Ok(None) };
    let bad = GitError::Protocol("a pkt-line length that is not four hexadecimal digits");
    let Ok(text) = std::str::from_utf8(digits) else { return Err(bad) };
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(bad);
    }
    let Ok(length) = usize::from_str_radix(text, 16) else { return Err(bad) };
    match length {
        0 => Ok(Some((Line::Flush, rest))),
        1 => Ok(Some((Line::Delimiter, rest))),
        2 => Ok(Some((Line::ResponseEnd, rest))),
        3 => Err(GitError::Protocol("a pkt-line of length 3")),
        _ if length > LINE_MAX_BYTES => {
            Err(GitError::Protocol("a pkt-line of more than 65520 bytes"))
        }
        _ => Ok(rest.split_at_checked(length - 4).map(|(data, rest)| (Line::Data(data), rest))),
    }
}

/// Looks for the end of the first list of lines, in bytes that come in parts.
#[derive(Debug, Default)]
pub struct Section {
    /// Of the length of the next line: less than four digits.
    digits: Vec<u8>,
    /// Bytes of its payload still to come.
    left: usize,
}

impl Section {
    /// Passes the next part; true when the list ends in it, or when it is none.
    pub fn pass(&mut self, mut bytes: &[u8]) -> bool {
        loop {
            let payload = self.left.min(bytes.len());
            self.left = self.left.saturating_sub(payload);
            bytes = &bytes[payload..];
            let missing = 4_usize.saturating_sub(self.digits.len()).min(bytes.len());
            self.digits.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            if self.digits.len() < 4 {
                return false;
            }
            let digits = std::str::from_utf8(&self.digits).ok();
            let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
            let length = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok());
            match length {
                Some(length @ 4..=LINE_MAX_BYTES) => self.left = length.saturating_sub(4),
                _ => return true,
            }
            self.digits.clear();
        }
    }
}

#[cfg(test)]
mod tests;
