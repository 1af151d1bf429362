//! CometBFT-shaped JSON-RPC: server, client, backend trait.
