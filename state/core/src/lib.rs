//! The authenticated store: Jellyfish Merkle tree, overlays, proofs.
