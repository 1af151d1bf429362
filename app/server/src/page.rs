//! `GET /`: a plain page about this node, and `GET /health`.

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use guts_schema::RepoId;

use crate::chain::{Chain, Committed, ReadError};
use crate::config::Config;

/// Repositories listed on the page: the newest ones.
const REPOS_SHOWN: u64 = 100;

/// What the page needs.
pub struct About {
    /// The state.
    pub chain: Chain,
    /// The node's name.
    pub name: String,
    /// How others reach the gateway.
    pub public_url: String,
    /// How others reach the engine's RPC.
    pub public_rpc: String,
}

impl About {
    /// Of a node with these settings.
    pub fn new(chain: &Chain, config: &Config) -> Self {
        Self {
            chain: chain.clone(),
            name: config.name.clone(),
            public_url: config.public_url.clone(),
            public_rpc: config.public_rpc.clone(),
        }
    }
}

/// What somebody types who has a project and no account yet. `YOU` and `NAME` are theirs.
const HOW_TO_PUSH: &str = "\
guts init --handle YOU --node {rpc} --gateway {gateway}
guts repo create NAME      # in the project that you have
git push -u origin HEAD";

/// The same by hand, with an SSH key of an account that is there.
const BY_HAND: &str = "\
git remote add guts {gateway}/YOU/NAME.git
git config gpg.format ssh && git config user.signingKey ~/.ssh/id_ed25519.pub
git config push.gpgSign if-asked
git push -u guts HEAD";

/// The routes of the page.
pub fn router(about: About) -> Router {
    Router::new().route("/", get(page)).route("/health", get(health)).with_state(Arc::new(about))
}

/// 200 with height and chain as JSON; 503 before genesis.
async fn health(State(about): State<Arc<About>>) -> Response {
    let state = about.chain.newest();
    let status =
        if state.head.is_some() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({
        "name": about.name,
        "chain_id": state.chain_id,
        "height": state.height,
        "time_s": state.time_s,
        "version": env!("CARGO_PKG_VERSION"),
    });
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn page(State(about): State<Arc<About>>) -> Response {
    match render(&about, &about.chain.newest()) {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the state cannot be read");
            (StatusCode::INTERNAL_SERVER_ERROR, "the state cannot be read\n").into_response()
        }
    }
}

/// The page. Everything that people chose is escaped, though names have no such characters.
fn render(about: &About, state: &Committed) -> Result<String, ReadError> {
    let (name, url) = (escape(&about.name), about.public_url.trim_end_matches('/'));
    let filled = |lines: &str| {
        let lines = lines.replace("{gateway}", url).replace("{rpc}", &about.public_rpc);
        escape(&lines)
    };
    let (how_to_push, by_hand, url) = (filled(HOW_TO_PUSH), filled(BY_HAND), escape(url));
    let (chain, height, time_s) = (escape(&state.chain_id), state.height, state.time_s);
    let mut list = String::new();
    let count = state.repos()?;
    for number in (1..=count).rev().take(usize::try_from(REPOS_SHOWN).unwrap_or(usize::MAX)) {
        let Some(id) = RepoId::new(number) else { continue };
        let (Some(repo), Some((owner, name))) = (state.repo(id)?, state.path(id)?) else {
            continue;
        };
        let path = format!("{}/{}", escape(&owner), escape(&name));
        let description = escape(&repo.description);
        let archived = if repo.archived { " (archived)" } else { "" };
        // Writing to a String does not fail.
        let _ = writeln!(
            list,
            "<li><b>{path}</b>{archived} {description}<br><code>git clone {url}/{path}.git</code></li>"
        );
    }
    Ok(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{name}: Guts</title>\
         <style>body{{font:1rem/1.5 sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}}\
         </style></head><body>\n<h1>{name}</h1>\n\
         <p>A Guts node: chain <b>{chain}</b>, height <b>{height}</b>, header time {time_s}.</p>\n\
         <h2>Repositories ({count})</h2>\n<ul>\n{list}</ul>\n\
         <h2>How to push</h2>\n<pre>{how_to_push}</pre>\n\
         <p>Or by hand, with an SSH key of your account:</p>\n<pre>{by_hand}</pre>\n</body></html>\n"
    ))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
