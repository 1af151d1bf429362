//! The error a call answers: a JSON-RPC error object with CometBFT's codes and messages.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A JSON-RPC error: what goes into the `error` member of an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message} ({code}): {}", data.as_deref().unwrap_or(""))]
pub struct RpcError {
    /// JSON-RPC error code, negative.
    pub code: i32,
    /// The code in words; the same for every error of a code.
    pub message: Cow<'static, str>,
    /// What happened, in words for the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// What a node whose mempool is full says of a transaction, among other words; as CometBFT does.
pub const MEMPOOL_FULL: &str = "mempool is full";

impl RpcError {
    /// The request is not JSON, or not a request.
    pub const PARSE: i32 = -32700;
    /// The request is larger than the server takes.
    pub const INVALID_REQUEST: i32 = -32600;
    /// There is no such method.
    pub const METHOD_NOT_FOUND: i32 = -32601;
    /// A parameter is missing, too many, or not of its type.
    pub const INVALID_PARAMS: i32 = -32602;
    /// Every error that a method itself answers.
    pub const INTERNAL: i32 = -32603;

    fn new(code: i32, message: &'static str, data: Option<String>) -> Self {
        Self { code, message: Cow::Borrowed(message), data }
    }

    /// An error of the method itself: what a [`crate::Backend`] answers.
    pub fn internal(data: impl Into<String>) -> Self {
        Self::new(Self::INTERNAL, "Internal error", Some(data.into()))
    }

    /// This backend does not have the method.
    pub fn not_supported(method: &str) -> Self {
        Self::internal(format!("{method} is not supported by this server"))
    }

    /// A parameter is not what the method takes.
    pub fn invalid_params(data: impl Into<String>) -> Self {
        Self::new(Self::INVALID_PARAMS, "Invalid params", Some(data.into()))
    }

    /// A transaction was not taken because the mempool is full: blocks make room.
    pub fn is_mempool_full(&self) -> bool {
        self.data.as_deref().is_some_and(|data| data.contains(MEMPOOL_FULL))
    }

    /// No such method; CometBFT gives no further words.
    pub fn method_not_found() -> Self {
        Self::new(Self::METHOD_NOT_FOUND, "Method not found", None)
    }

    /// The error as a WebSocket has it: wrong parameters have no code of their own there.
    pub(crate) fn over_websocket(self) -> Self {
        match self.code {
            Self::INVALID_PARAMS => Self::new(Self::INTERNAL, "Internal error", self.data),
            _ => self,
        }
    }

    /// The request as a whole is refused.
    pub fn invalid_request(data: impl Into<String>) -> Self {
        Self::new(Self::INVALID_REQUEST, "Invalid Request", Some(data.into()))
    }

    /// The request cannot be read.
    pub fn parse(data: impl Into<String>) -> Self {
        Self::new(Self::PARSE, "Parse error. Invalid JSON", Some(data.into()))
    }
}
