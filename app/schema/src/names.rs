//! Handles, names of repositories and others, and gateways' URLs; each error names the rule.
//!
//! Names are lowercase ASCII, so that no two look alike and a URL has one spelling.

use std::net::{Ipv4Addr, Ipv6Addr};

use sha2::{Digest, Sha256};

use crate::ids::{AccountId, Hash};
use crate::limits::{
    CHAIN_ID_BYTES_MAX, COMMENT_BYTES_MAX, DESCRIPTION_BYTES_MAX, GATEWAY_URL_BYTES_MAX,
    HANDLE_BYTES_MAX, REPO_NAME_BYTES_MAX, TITLE_BYTES_MAX, VALIDATOR_NAME_BYTES_MAX,
};

/// A name that breaks a rule; the text is the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The handle breaks a rule.
    #[error(
        "a handle has 2 to {HANDLE_BYTES_MAX} lowercase letters, digits and single inner hyphens"
    )]
    Handle,
    /// The handle is a word that gateways or people use for something else.
    #[error("the handle \"{0}\" is reserved")]
    Reserved(String),
    /// The repository name breaks a rule.
    #[error(
        "a repository name has 1 to {REPO_NAME_BYTES_MAX} lowercase letters, digits, '-', '_' and \
         '.', starts with a letter, a digit or '_', has no '..' and ends neither in '.' nor in \
         '.git' or '.lock'"
    )]
    Repo,
    /// The chain id breaks a rule.
    #[error("a chain id has 1 to {CHAIN_ID_BYTES_MAX} letters, digits, '-', '_' and '.'")]
    ChainId,
    /// The description breaks a rule.
    #[error("a description is one line of at most {DESCRIPTION_BYTES_MAX} bytes")]
    Description,
    /// The validator's name breaks a rule.
    #[error("a validator's name is one line of 1 to {VALIDATOR_NAME_BYTES_MAX} bytes")]
    Validator,
    /// The URL of a gateway breaks a rule.
    #[error(
        "a gateway's URL is http:// or https:// with a host in lower case, a port and a path if \
         need be, of at most {GATEWAY_URL_BYTES_MAX} bytes, without user, query, fragment and \
         slash at its end, such as https://git.example.org"
    )]
    Gateway,
    /// A team or topic breaks a rule.
    #[error("a team or topic has 1 to {HANDLE_BYTES_MAX} lowercase letters, digits and hyphens")]
    Word,
    /// A title breaks a rule.
    #[error("a title is one line of 1 to {TITLE_BYTES_MAX} bytes")]
    Title,
    /// A text breaks a rule.
    #[error("a comment has 1 to {COMMENT_BYTES_MAX} bytes; what opens an issue may be empty, too")]
    Text,
    /// No `owner/name`.
    #[error("a repository is written OWNER/NAME, such as alice/hello")]
    Path,
}

/// Handles nobody can claim: first parts of gateway paths, and words that would mislead.
const RESERVED: [&str; 24] = [
    "about", "admin", "api", "assets", "explore", "git", "guts", "health", "help", "issues",
    "login", "metrics", "new", "none", "org", "pulls", "root", "search", "security", "settings",
    "static", "status", "support", "www",
];

/// Checks a handle.
pub fn check_handle(handle: &str) -> Result<(), NameError> {
    let bytes = handle.as_bytes();
    let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends_ok = bytes.first().is_some_and(plain) && bytes.last().is_some_and(plain);
    let length_ok = (2..=HANDLE_BYTES_MAX).contains(&bytes.len());
    let inner_ok = bytes.iter().all(|b| plain(b) || *b == b'-') && !handle.contains("--");
    if !(ends_ok && length_ok && inner_ok) {
        return Err(NameError::Handle);
    }
    if RESERVED.contains(&handle) {
        return Err(NameError::Reserved(handle.to_owned()));
    }
    Ok(())
}

/// Checks the name of a repository, without its owner.
pub fn check_repo_name(name: &str) -> Result<(), NameError> {
    let bytes = name.as_bytes();
    let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_';
    let length_ok = (1..=REPO_NAME_BYTES_MAX).contains(&bytes.len());
    let chars_ok = bytes.iter().all(|b| plain(b) || matches!(b, b'-' | b'.'));
    let ends_bad = [".", ".git", ".lock"].iter().any(|end| name.ends_with(end));
    let start_ok = bytes.first().is_some_and(plain);
    if length_ok && chars_ok && start_ok && !ends_bad && !name.contains("..") {
        Ok(())
    } else {
        Err(NameError::Repo)
    }
}

/// Checks what a validator is called.
pub fn check_validator_name(name: &str) -> Result<(), NameError> {
    let length_ok = (1..=VALIDATOR_NAME_BYTES_MAX).contains(&name.len());
    let one_line = !name.chars().any(char::is_control);
    if length_ok && one_line { Ok(()) } else { Err(NameError::Validator) }
}

/// Checks the URL of a gateway: what everybody would ask for packs. One gateway has one spelling
/// as far as rules without a resolver go.
pub fn check_gateway_url(url: &str) -> Result<(), NameError> {
    let (rest, default_port) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => (rest, "80"),
        (_, Some(rest)) => (rest, "443"),
        _ => return Err(NameError::Gateway),
    };
    let (authority, path) = rest.split_once('/').map_or((rest, None), |(a, p)| (a, Some(p)));
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of an address in brackets are its own.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port_ok = port.is_none_or(|port| {
        let plain = port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0');
        plain && port.parse::<u16>().is_ok() && port != default_port
    });
    let path_ok = path.is_none_or(|path| path.split('/').all(is_path_segment));
    if url.len() <= GATEWAY_URL_BYTES_MAX && is_host(host) && port_ok && path_ok {
        Ok(())
    } else {
        Err(NameError::Gateway)
    }
}

/// Whether a text is a name of DNS in lower case, an IPv4 address, or an IPv6 one in brackets.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        let parsed = address.strip_suffix(']').map(|text| (text, text.parse::<Ipv6Addr>()));
        return parsed.is_some_and(|(text, ip)| ip.is_ok_and(|ip| ip.to_string() == text));
    }
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let label_ok = |label: &str| {
        let bytes = label.as_bytes();
        let ends_ok = [bytes.first(), bytes.last()].iter().all(|b| b.is_some_and(|b| plain(*b)));
        bytes.len() <= 63 && ends_ok && bytes.iter().all(|b| plain(*b) || *b == b'-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    // What ends in a number is an address, or nothing.
    let number_ok = !last.starts_with(|c: char| c.is_ascii_digit())
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.to_string() == host);
    host.len() <= 253 && host.split('.').all(label_ok) && number_ok
}

/// Whether a text is a part of a path that means itself.
fn is_path_segment(segment: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    !matches!(segment, "" | "." | "..") && segment.bytes().all(plain)
}

/// Checks the name of a team, a topic or a label.
pub fn check_word(word: &str) -> Result<(), NameError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let length_ok = (1..=HANDLE_BYTES_MAX).contains(&word.len());
    if length_ok && word.bytes().all(plain) { Ok(()) } else { Err(NameError::Word) }
}

/// Checks the title of an issue or a milestone.
pub fn check_title(title: &str) -> Result<(), NameError> {
    let length_ok = (1..=TITLE_BYTES_MAX).contains(&title.len());
    let one_line = !title.chars().any(char::is_control);
    if length_ok && one_line { Ok(()) } else { Err(NameError::Title) }
}

/// Checks what is said in a thread.
pub fn check_text(text: &str) -> Result<(), NameError> {
    let length_ok = (1..=COMMENT_BYTES_MAX).contains(&text.len());
    if length_ok { Ok(()) } else { Err(NameError::Text) }
}

/// Checks what opens a thread: a title may say it all.
pub fn check_opening(text: &str) -> Result<(), NameError> {
    if text.is_empty() { Ok(()) } else { check_text(text) }
}

/// Splits and checks `owner/name`.
pub fn parse_repo_path(path: &str) -> Result<(&str, &str), NameError> {
    let (owner, name) = path.split_once('/').ok_or(NameError::Path)?;
    check_handle(owner)?;
    check_repo_name(name)?;
    Ok((owner, name))
}

/// Checks a chain id: CometBFT takes any 50 bytes, a push nonce does not.
pub fn check_chain_id(chain_id: &str) -> Result<(), NameError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if (1..=CHAIN_ID_BYTES_MAX).contains(&chain_id.len()) && chain_id.bytes().all(plain) {
        Ok(())
    } else {
        Err(NameError::ChainId)
    }
}

/// Checks a description: no control characters, so that it is one line on every screen.
pub fn check_description(text: &str) -> Result<(), NameError> {
    if text.len() <= DESCRIPTION_BYTES_MAX && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(NameError::Description)
    }
}

/// What `CommitHandle` carries: binds chain, account, handle and salt, and shows none of them.
pub fn handle_commitment(
    chain_id: &str,
    account: &AccountId,
    handle: &str,
    salt: &[u8; crate::limits::SALT_BYTES],
) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"guts.v1.handle\0");
    for part in [chain_id.as_bytes(), account.as_bytes(), handle.as_bytes(), salt] {
        // Lengths keep the parts apart.
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    Hash::new(hasher.finalize().into())
}

#[cfg(test)]
mod tests;
