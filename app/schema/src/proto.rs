//! The protobuf messages of package `guts.v1`, generated from `proto/` when the crate is built.
#![allow(missing_docs, clippy::all)]
include!(concat!(env!("OUT_DIR"), "/guts.v1.rs"));
