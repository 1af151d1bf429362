//! The proof-checked client library and the guts command.
