//! Git processes: bare repositories, quarantine, pack exchange, smart HTTP.
