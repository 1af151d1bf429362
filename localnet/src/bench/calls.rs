//! What a client asks while a load runs: how long `CheckTx` and `Query` take meanwhile.
//!
//! Open loop, as the load: a call is due at a fixed moment, and what it waits for is in its time.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use guts_abci::socket::take_short_turns;
use serde::Serialize;

use crate::Failure;
use crate::http::Connection;
use crate::report::percentile;

/// The calls of a run: the bodies of its requests.
pub struct Calls {
    check_tx: Vec<Vec<u8>>,
    query: Vec<Vec<u8>>,
    rate: u64,
}

/// What is asked of the application's state.
pub struct Question {
    /// The path of the query.
    pub path: &'static str,
    /// Its data.
    pub data: Vec<u8>,
    /// Whether the answer must come with a proof.
    pub prove: bool,
}

/// Times of the answers of one kind, in milliseconds.
#[derive(Serialize)]
pub struct Times {
    /// How many came.
    pub answers: usize,
    p50: f64,
    p99: f64,
    max: f64,
}

/// How long answers took.
#[derive(Serialize)]
pub struct Answered {
    /// Whether a transaction is admitted.
    pub check_tx: Times,
    /// What the state says.
    pub query: Times,
}

impl Calls {
    /// `rate` calls of either kind a second: each transaction is checked once, and the questions
    /// take turns.
    pub fn new(txs: &[Vec<u8>], questions: &[Question], rate: u64) -> Calls {
        let check = |tx: &Vec<u8>| body("check_tx", &format!(r#""tx":"{}""#, STANDARD.encode(tx)));
        let ask = |question: &Question| {
            let (path, data) = (question.path, hex::encode(&question.data));
            let prove = question.prove;
            body("abci_query", &format!(r#""path":"{path}","data":"{data}","prove":{prove}"#))
        };
        let query = questions.iter().cycle().take(txs.len()).map(ask).collect();
        Calls { check_tx: txs.iter().map(check).collect(), query, rate }
    }

    /// Makes the calls, of a node, from `begun` on. Blocks: what the load and reading its blocks
    /// take of their thread must not be in the times.
    ///
    /// # Errors
    /// The node answers with an error, or not at all.
    pub fn make_alone(self, node: &str, begun: Instant) -> Result<Answered, Failure> {
        // Who asks from elsewhere does not wait for a processor of this machine.
        take_short_turns();
        let every = Duration::from_secs(1) / u32::try_from(self.rate.max(1))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let checks = ask(node, self.check_tx, every, begun);
        let queries = ask(node, self.query, every, begun);
        let (checks, queries) = runtime.block_on(async { tokio::join!(checks, queries) });
        Ok(Answered { check_tx: times(checks?), query: times(queries?) })
    }
}

fn body(method: &str, params: &str) -> Vec<u8> {
    let id = 1;
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{params}}}}}"#)
        .into_bytes()
}

/// Microseconds from the moment each call was due to its answer.
async fn ask(
    node: &str,
    bodies: Vec<Vec<u8>>,
    every: Duration,
    begun: Instant,
) -> Result<Vec<u64>, Failure> {
    let mut connection = Connection::open(node).await?;
    let mut times = Vec::with_capacity(bodies.len());
    let mut due = begun;
    for body in bodies {
        due += every;
        tokio::time::sleep_until(due.into()).await;
        let answer = connection.post(&body).await?;
        times.push(due.elapsed().as_micros() as u64);
        let is_error = answer.windows(8).any(|part| part == br#""error":"#);
        if is_error {
            return Err(format!("refused: {}", String::from_utf8_lossy(&answer)).into());
        }
    }
    Ok(times)
}

fn times(mut of: Vec<u64>) -> Times {
    of.sort_unstable();
    let at = |percent| percentile(&of, percent);
    Times { answers: of.len(), p50: at(50), p99: at(99), max: at(100) }
}
