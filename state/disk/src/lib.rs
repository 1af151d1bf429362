//! The application's database on RocksDB.
