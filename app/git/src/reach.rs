//! Where this node lets itself be sent: gateways of others are where others say they are.
//!
//! A gateway that this node's own settings name may be anywhere. One that only the state names was
//! named by somebody who may mean harm, so no request goes to an address that is not public: not to
//! this machine, nor to what it alone can reach. A name is looked up once, and what was found is
//! what is connected to; whoever changes the answer meanwhile changes nothing. Redirects are
//! followed by nobody.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use guts_schema::names;
use hyper::Uri;
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use crate::error::GitError;

/// How far away a gateway may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Anywhere: whoever runs this node says so.
    Any,
    /// At an address of the public internet: somebody else names it.
    Public,
}

/// A gateway to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where it says it is, such as `http://127.0.0.1:8080`.
    pub url: String,
    /// Where it may be.
    pub scope: Scope,
}

impl Peer {
    /// Its URL without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        self.url.trim_end_matches('/')
    }

    fn refuse(&self, why: impl ToString) -> GitError {
        GitError::Gateway { gateway: self.url.clone(), why: why.to_string() }
    }

    /// Its URL, unless that shows already that it is where it may not be.
    pub(crate) fn check(&self) -> Result<Uri, GitError> {
        let uri: Uri = self.base().parse().map_err(|_| self.refuse("that is no URL"))?;
        if self.scope == Scope::Public {
            // Nor what one program reads as one host, and another as another.
            names::check_gateway_url(self.base()).map_err(|error| self.refuse(error))?;
            if let Some(address) = address(&uri)
                && !is_public(address)
            {
                return Err(self.refuse(not_public(&address.to_string())));
            }
        }
        Ok(uri)
    }

    /// What curl is told of a name that it must not look up itself, `HOST:PORT:ADDRESS,...`; none
    /// where there is nothing to look up, or nothing to fear.
    pub(crate) async fn pin(&self) -> Result<Option<String>, GitError> {
        let uri = self.check()?;
        if self.scope == Scope::Any || address(&uri).is_some() {
            return Ok(None);
        }
        let host = uri.host().unwrap_or_default();
        let found = resolve(host, self.scope).await.map_err(|error| self.refuse(error))?;
        let addresses: Vec<IpAddr> = found.iter().map(SocketAddr::ip).collect();
        Ok(Some(pinned(&uri, &addresses)))
    }
}

/// The entry for curl that says where a URL's host is.
fn pinned(uri: &Uri, addresses: &[IpAddr]) -> String {
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let spelled = |address: &IpAddr| match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let addresses: Vec<_> = addresses.iter().map(spelled).collect();
    let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(default));
    format!("{host}:{port}:{}", addresses.join(","))
}

/// The address that a URL has for a host, if it is no name.
fn address(uri: &Uri) -> Option<IpAddr> {
    uri.host()?.trim_matches(['[', ']']).parse().ok()
}

fn not_public(what: &str) -> String {
    format!(
        "{what} is no address of the public internet; allow_private_gateways lets this node fetch \
         from there"
    )
}

/// The addresses of a name now, of those that are allowed; at least one. Their ports are 0.
async fn resolve(name: &str, scope: Scope) -> io::Result<Vec<SocketAddr>> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
    let good: Vec<_> =
        found.iter().copied().filter(|at| scope == Scope::Any || is_public(at.ip())).collect();
    match found.first() {
        Some(one) if good.is_empty() => {
            Err(io::Error::other(not_public(&format!("{name}, which is {},", one.ip()))))
        }
        _ => Ok(good),
    }
}

/// Looks names up for an HTTP client, which connects to what it is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolver {
    /// What it may give.
    pub scope: Scope,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let scope = self.scope;
        Box::pin(async move { Ok(resolve(name.as_str(), scope).await?.into_iter()) })
    }
}

/// Whether an address is one of the public internet, as IANA's registries of special addresses
/// have it; of IPv6 only what is given out as global unicast.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match a {
        // This network, private, loopback.
        0 | 10 | 127 => true,
        // Shared by the customers of a carrier.
        100 => (64..128).contains(&b),
        // Link-local, where clouds keep what their machines may know.
        169 => b == 254,
        172 => (16..32).contains(&b),
        // Protocol assignments, documentation, 6to4 relays, private.
        192 => matches!((b, c), (0, 0 | 2) | (88, 99)) || b == 168,
        // Benchmarks, documentation.
        198 => matches!(b, 18 | 19) || (b, c) == (51, 100),
        203 => (b, c) == (0, 113),
        // Multicast, reserved, broadcast.
        _ => a >= 224,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let [.., w, x, y, z] = address.octets();
    match (a, b) {
        // An IPv4 address behind a translator.
        (0x64, 0xff9b) if address.segments()[2..6] == [0; 4] => {
            is_public_v4(Ipv4Addr::new(w, x, y, z))
        }
        // Protocol assignments such as Teredo, documentation, 6to4: some hold IPv4 addresses.
        (0x2001, 0..0x200 | 0xdb8) | (0x2002, _) | (0x3fff, 0..0x1000) => false,
        _ => (0x2000..0x4000).contains(&a),
    }
}

#[cfg(test)]
mod tests;
