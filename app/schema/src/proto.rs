//! The protobuf messages of package `guts.v1`, generated from `proto/` when the crate is built.
#![allow(missing_docs, clippy::all)]
include!(concat!(env!("OUT_DIR"), "/guts.v1.rs"));

/// Descriptors of those messages: an encoded `google.protobuf.FileDescriptorSet`, comments
/// included, for whoever handles them by name.
pub static DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
