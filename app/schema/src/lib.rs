//! What a Guts client links: actions, transactions, state keys, certificates.
