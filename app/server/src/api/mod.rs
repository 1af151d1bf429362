//! `/rpc` of the gateway: typed reads of the state over JSON-RPC 2.0 (`POST /rpc`, or
//! `GET /rpc/METHOD?name=%22value%22`), each with an ICS-23 proof, and a description of them all in
//! OpenRPC (`rpc.discover`, `GET /openrpc.json`).
//!
//! [`methods`] is the one table: the server, the description and its tests are made from it. A
//! method names one key of the state and the message its value is; the JSON form of messages is
//! protobuf's own, with the field names of the `.proto` files and every field present.
//!
//! What an answer proves: the key has the value, or is absent, in the state that the block at
//! `height` left, whose root is the app hash in the header at `header_height`. A client derives
//! the key itself, from `app/schema/src/keys.rs`, and takes the header from a light client.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use guts_abci::proto::abci::RequestQuery;
use guts_app_core::query as core_query;
use guts_rpc::server::{Args, Limits, Methods, Service};
use guts_rpc::{Backend, RpcError};
use guts_schema::{query, values};
use guts_state::Store;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde::Serialize;
use serde_json::Value;

use crate::chain::Chain;

mod methods;
mod openrpc;

use methods::{Spec, TABLE};

/// What the methods answer from.
struct Source {
    chain: Chain,
    store: Arc<dyn Store>,
    messages: DescriptorPool,
}

/// A value of the state, or its absence, and what proves it.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Proved {
    /// Height of the block that left the state.
    height: String,
    /// Height of the header whose app hash proves it.
    header_height: String,
    /// The key, base64.
    key: String,
    /// The bytes the proof speaks of, base64; none when the key is absent.
    value: Option<String>,
    /// The value as its message.
    decoded: Option<Value>,
    /// Of kind `ics23:jmt`: an encoded `ics23.CommitmentProof`, base64.
    proof: String,
}

/// Where the chain is, as this node has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Status {
    chain_id: String,
    height: String,
    /// Header time of that block, Unix seconds.
    time_s: String,
    version: &'static str,
}

/// An engine's methods are not answered here: they have their own address.
struct NoEngine;

impl Backend for NoEngine {}

/// The messages of the state, from the descriptors that the schema was generated with.
fn messages() -> DescriptorPool {
    DescriptorPool::decode(guts_schema::proto::DESCRIPTORS).expect("made with the crate itself")
}

/// The routes.
pub fn router(chain: Chain, store: Arc<dyn Store>) -> Router {
    let source = Arc::new(Source { chain, store, messages: messages() });
    let document = Arc::new(openrpc::document(&source.messages));
    let service = Service::new(Arc::new(NoEngine), Limits::default(), every(&source, &document));
    let calls = Router::new().route("/", any(call)).route("/{method}", any(call));
    let text = Bytes::from(format!("{document:#}\n"));
    let described = move || {
        let text = text.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], text) }
    };
    Router::new().nest("/rpc", calls.with_state(service)).route("/openrpc.json", get(described))
}

async fn call(State(service): State<Service>, request: Request) -> Result<Response, Infallible> {
    Ok(service.handle(request).await.into_response())
}

/// The table's methods, and the two that prove nothing.
fn every(source: &Arc<Source>, document: &Arc<Value>) -> Methods {
    let with = |methods: Methods, spec: &'static Spec| {
        let source = Arc::clone(source);
        methods.with(spec.name, spec.params, move |args| read(&source, spec, args))
    };
    let (chain, document) = (source.chain.clone(), Arc::clone(document));
    TABLE
        .iter()
        .fold(Methods::default(), with)
        .with(openrpc::STATUS, &[], move |_| {
            let status = status(&chain);
            Ok(async move { Ok(status) }.boxed())
        })
        .with(openrpc::DISCOVER, &[], move |_| {
            let document = Value::clone(&document);
            Ok(async move { Ok(document) }.boxed())
        })
}

fn status(chain: &Chain) -> Status {
    let state = chain.newest();
    Status {
        chain_id: state.chain_id.clone(),
        height: state.height.to_string(),
        time_s: state.time_s.to_string(),
        version: env!("CARGO_PKG_VERSION"),
    }
}

type Reading = BoxFuture<'static, Result<Proved, RpcError>>;

fn read(source: &Arc<Source>, spec: &'static Spec, args: &Args<'_>) -> Result<Reading, RpcError> {
    spec.check(args)?;
    let key = (spec.key)(args)?;
    // The last parameter of every method.
    let height = args.int(spec.params.len().saturating_sub(1))?.unwrap_or(0);
    let source = Arc::clone(source);
    Ok(async move {
        // The disk may be asked.
        let read = tokio::task::spawn_blocking(move || source.prove(spec, key, height));
        read.await.map_err(|error| RpcError::internal(error.to_string()))?
    }
    .boxed())
}

impl Source {
    fn prove(&self, spec: &Spec, key: Vec<u8>, height: i64) -> Result<Proved, RpcError> {
        let broken = |error: &dyn std::fmt::Display| {
            tracing::error!(method = spec.name, %error, "the state cannot be read");
            RpcError::internal(error.to_string())
        };
        let request =
            RequestQuery { path: query::STORE.to_owned(), data: key.into(), height, prove: true };
        let state = self.chain.newest();
        let head = state.head.as_ref().filter(|head| head.height > 0);
        let answer =
            core_query::query(&self.store, head, &request).map_err(|error| broken(&error))?;
        if answer.code != 0 {
            return Err(RpcError::invalid_params(answer.log));
        }
        let op = answer.proof_ops.and_then(|ops| ops.ops.into_iter().next());
        let proof = op.ok_or_else(|| broken(&"a proof was asked for, none came"))?.data;
        let value = Some(answer.value).filter(|value| !value.is_empty());
        let decoded = value.as_ref().map(|value| self.decode(spec.message, value)).transpose();
        Ok(Proved {
            height: answer.height.to_string(),
            header_height: answer.height.saturating_add(1).to_string(),
            key: STANDARD.encode(&request.data),
            decoded: decoded.map_err(|error| broken(&error))?,
            value: value.map(|value| STANDARD.encode(value)),
            proof: STANDARD.encode(proof),
        })
    }

    /// The JSON form of a value.
    fn decode(&self, message: &str, value: &[u8]) -> Result<Value, String> {
        let named = self.messages.get_message_by_name(&format!("guts.v1.{message}"));
        let descriptor = named.ok_or_else(|| format!("there is no message {message}"))?;
        let message = DynamicMessage::decode(descriptor, values::body(value));
        let options = SerializeOptions::new().skip_default_fields(false).use_proto_field_name(true);
        let message = message.map_err(|error| error.to_string())?;
        message
            .serialize_with_options(serde_json::value::Serializer, &options)
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests;
