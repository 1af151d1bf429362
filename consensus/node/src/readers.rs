//! The threads that answer clients, apart from those that carry blocks between peers: whoever asks
//! something waits for no part of a block, and little for a processor.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use guts_abci::socket::take_short_turns;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

/// How many threads answer.
const THREADS: usize = 2;
/// What they are called.
const ANSWERS: &str = "rpc";
/// What others of their runtime are called: those that read and print what is long.
const LONG: &str = "rpc-long";

/// A runtime of their own.
#[derive(Debug)]
pub(crate) struct Readers(Option<Runtime>);

impl Readers {
    /// Starts them.
    ///
    /// # Errors
    /// There can be no further threads.
    pub(crate) fn start() -> io::Result<Self> {
        // The first threads of a runtime are those that run its tasks.
        let named = AtomicUsize::new(0);
        let name = move || {
            let is_first = named.fetch_add(1, Ordering::Relaxed) < THREADS;
            if is_first { ANSWERS } else { LONG }.to_owned()
        };
        let begin = || {
            if std::thread::current().name() == Some(ANSWERS) {
                take_short_turns();
            }
        };
        let mut builder = Builder::new_multi_thread();
        let builder = builder.worker_threads(THREADS).thread_name_fn(name).on_thread_start(begin);
        Ok(Self(Some(builder.enable_all().build()?)))
    }

    /// Ends them, and waits until `deadline` for those that read the store: a process that ends
    /// before them may be aborted by RocksDB.
    pub(crate) async fn stop(mut self, deadline: Instant) {
        if let Some(runtime) = self.0.take() {
            let most = deadline.saturating_duration_since(Instant::now());
            // One that panicked has ended, too.
            let _ = spawn_blocking(move || runtime.shutdown_timeout(most)).await;
        }
    }

    /// Where their tasks are spawned.
    pub(crate) fn handle(&self) -> &Handle {
        self.0.as_ref().expect("it is taken when dropped").handle()
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        // Of a node that was not stopped. A runtime may not wait within another.
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}
