//! The ABCI 2.0 contract between an engine and an application.
