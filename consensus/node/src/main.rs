//! `guts-engine`: the consensus engine as a program.

fn main() {}
