//! Genesis documents, keys and network manifests.
