//! CheckTx requests that arrive together are given to the application together, and answered one
//! by one in order among the others.

use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use guts_abci::codec::encode;
use guts_abci::kvstore::{Memory, served};
use guts_abci::proto::abci::{
    Request, RequestCheckTx, RequestEcho, RequestInfo, RequestQuery, ResponseCheckTx, ResponseInfo,
    ResponseQuery, request, response,
};
use guts_abci::{Answer, CHECK_TXS_MAX, Reader, Served};

use crate::harness::{Raw, Running, check_tx};

/// Answers with the transaction; none for those after one that reads `short`.
#[derive(Default)]
struct Together {
    /// How many came at once.
    counts: Mutex<Vec<usize>>,
}

impl Reader for Together {
    fn info(&self, _: RequestInfo) -> Answer<ResponseInfo> {
        Ok(ResponseInfo::default())
    }

    fn check_tx(&self, request: RequestCheckTx) -> Answer<ResponseCheckTx> {
        Ok(ResponseCheckTx { data: request.tx, ..Default::default() })
    }

    fn check_txs(&self, requests: Vec<RequestCheckTx>) -> Vec<Answer<ResponseCheckTx>> {
        self.counts.lock().unwrap().push(requests.len());
        let answered = requests.into_iter().take_while(|request| request.tx != "short");
        answered.map(|request| self.check_tx(request)).collect()
    }

    fn query(&self, _: RequestQuery) -> Answer<ResponseQuery> {
        Ok(ResponseQuery::default())
    }
}

fn check(tx: &str) -> request::Value {
    request::Value::CheckTx(check_tx(tx))
}

/// All in one write, which the server reads at once.
fn frames(values: impl IntoIterator<Item = request::Value>) -> BytesMut {
    let mut bytes = BytesMut::new();
    values.into_iter().for_each(|value| encode(&Request { value: Some(value) }, &mut bytes));
    bytes
}

async fn start() -> (Arc<Together>, Running) {
    let reader = Arc::new(Together::default());
    let app = served(Arc::new(Memory::new())).app;
    (reader.clone(), Running::unix(Served { app, reader }).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_checked_together_and_answered_in_order() {
    let (reader, running) = start().await;
    let mut raw = Raw::connect(&running.address);
    let echo = request::Value::Echo(RequestEcho { message: "between".to_owned() });
    let checks = |from: usize, to: usize| (from..to).map(|i| check(&i.to_string()));
    let values = checks(0, 5).chain([echo]).chain(checks(5, 7 + CHECK_TXS_MAX));
    raw.send_bytes(&frames(values));
    for i in 0..7 + CHECK_TXS_MAX {
        if i == 5 {
            assert!(matches!(raw.receive(), Some(response::Value::Echo(_))));
        }
        match raw.receive() {
            Some(response::Value::CheckTx(answer)) => assert_eq!(answer.data, i.to_string()),
            other => panic!("transaction {i}: {other:?}"),
        }
    }
    let counts = reader.counts.lock().unwrap().clone();
    assert_eq!(counts.iter().sum::<usize>(), 7 + CHECK_TXS_MAX);
    assert!(counts[0] <= 5, "the call between divides them: {counts:?}");
    assert!(counts.iter().any(|count| *count > 1), "together: {counts:?}");
    assert!(counts.iter().all(|count| *count <= CHECK_TXS_MAX), "{counts:?}");
    drop(raw);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_lacks_shifts_no_other() {
    let (_, running) = start().await;
    let mut raw = Raw::connect(&running.address);
    raw.send_bytes(&frames([check("short")]));
    match raw.receive() {
        Some(response::Value::Exception(exception)) => {
            assert_eq!(exception.error, "the application gave no answer");
        }
        other => panic!("{other:?}"),
    }
    raw.send_bytes(&frames([check("long")]));
    assert!(matches!(raw.receive(), Some(response::Value::CheckTx(_))));
    drop(raw);
    running.stop().await.unwrap();
}
