//! The server under bad conditions: malformed and oversize frames, a peer that does not read, an
//! application that fails or panics, calls under way at shutdown.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use guts_abci::codec::Decoder;
use guts_abci::proto::abci::{
    RequestCheckTx, RequestCommit, RequestEcho, RequestFinalizeBlock, RequestFlush, RequestInfo,
    RequestInitChain, RequestProcessProposal, RequestQuery, ResponseCheckTx, ResponseCommit,
    ResponseFinalizeBlock, ResponseInfo, ResponseInitChain, ResponseProcessProposal, ResponseQuery,
    request, response,
};
use guts_abci::socket::{Client, ServeError, Server};
use guts_abci::{Address, Answer, Application, Exception, Kind, Reader, Served};
use tokio::runtime::Handle;

use crate::harness::{Raw, Running, check_tx, in_time};

/// An application whose FinalizeBlock waits for the test, whose Commit fails, whose InitChain and
/// Info panic, and whose queries are long.
struct Odd {
    /// Tells the test that FinalizeBlock began.
    began: mpsc::Sender<()>,
    /// Until the test says so.
    go_on: mpsc::Receiver<()>,
}

/// Queries of the path `wait`, and checks of a transaction `wait`, last while the test holds this
/// lock.
#[derive(Default)]
struct OddReader {
    held: Arc<Mutex<()>>,
}

impl Application for Odd {
    fn init_chain(&mut self, _: RequestInitChain) -> Answer<ResponseInitChain> {
        panic!("no genesis for me")
    }

    fn process_proposal(&mut self, _: RequestProcessProposal) -> Answer<ResponseProcessProposal> {
        Ok(ResponseProcessProposal::default())
    }

    fn finalize_block(&mut self, _: RequestFinalizeBlock) -> Answer<ResponseFinalizeBlock> {
        self.began.send(()).unwrap();
        self.go_on.recv().unwrap();
        Ok(ResponseFinalizeBlock::default())
    }

    fn commit(&mut self, _: RequestCommit) -> Answer<ResponseCommit> {
        Err(Exception("the disk is gone".to_owned()))
    }
}

impl Reader for OddReader {
    fn info(&self, _: RequestInfo) -> Answer<ResponseInfo> {
        panic!("{} is a message with arguments", 42)
    }

    fn check_tx(&self, request: RequestCheckTx) -> Answer<ResponseCheckTx> {
        if request.tx == "wait" {
            drop(self.held.lock().unwrap());
        }
        Ok(ResponseCheckTx::default())
    }

    fn query(&self, request: RequestQuery) -> Answer<ResponseQuery> {
        if request.path == "wait" {
            drop(self.held.lock().unwrap());
            return Ok(ResponseQuery::default());
        }
        // As long as the number in the path says.
        let size = request.path.parse().unwrap();
        Ok(ResponseQuery { value: vec![7; size].into(), ..Default::default() })
    }
}

/// The application, word that FinalizeBlock began, and leave for it to go on.
fn odd() -> (Served, Mutex<mpsc::Receiver<()>>, mpsc::Sender<()>) {
    let (began, begun) = mpsc::channel();
    let (leave, go_on) = mpsc::channel();
    let served =
        Served { app: Box::new(Odd { began, go_on }), reader: Arc::new(OddReader::default()) };
    (served, Mutex::new(begun), leave)
}

fn exception(value: Option<response::Value>) -> String {
    match value {
        Some(response::Value::Exception(exception)) => exception.error,
        other => panic!("expected an exception, got {other:?}"),
    }
}

fn echo(message: &str) -> request::Value {
    request::Value::Echo(RequestEcho { message: message.to_owned() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_call_is_answered_on_any_connection_in_order() {
    let running = Running::kvstore().await;
    let mut raw = Raw::connect(&running.address);
    raw.send(echo("hello"));
    raw.send(request::Value::Flush(RequestFlush {}));
    raw.send(request::Value::CheckTx(check_tx("a=b")));
    raw.send(request::Value::Info(RequestInfo::default()));
    let kinds: Vec<_> =
        (0..4).map(|_| Kind::of_response(&raw.receive().unwrap()).unwrap()).collect();
    assert_eq!(kinds, [Kind::Echo, Kind::Flush, Kind::CheckTx, Kind::Info]);
    drop(raw);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_frame_gets_an_exception_and_an_end_and_others_live_on() {
    let running = Running::kvstore().await;
    let mut healthy = Raw::connect(&running.address);
    for (bytes, says) in [
        (&[0xff_u8; 10][..], "malformed varint"),
        (&[0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], "longer than the limit"),
        (&[2, 0x0f, 0x00], "not a message of the contract"),
    ] {
        let mut raw = Raw::connect(&running.address);
        raw.send_bytes(bytes);
        let text = exception(raw.receive());
        assert!(text.contains(says), "{text}");
        assert_eq!(raw.receive(), None, "the connection ends");
    }
    healthy.send(echo("still here"));
    assert!(matches!(healthy.receive(), Some(response::Value::Echo(_))));
    drop(healthy);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_request_gets_an_exception_and_the_next_its_answer() {
    let running = Running::kvstore().await;
    let mut raw = Raw::connect(&running.address);
    raw.send_bytes(&[0]);
    raw.send(echo("next"));
    assert_eq!(exception(raw.receive()), "a request without a value");
    assert!(matches!(raw.receive(), Some(response::Value::Echo(_))));
    drop(raw);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_on_requests_is_the_servers() {
    let folder = tempfile::tempdir().unwrap();
    let address = Address::Unix(folder.path().join("app.sock"));
    let app = guts_abci::kvstore::served(Arc::new(guts_abci::kvstore::Memory::new()));
    let running = Running::start(address, app, Decoder::new(100), Some(folder)).await;
    let mut raw = Raw::connect(&running.address);
    raw.send(request::Value::CheckTx(check_tx(&format!("a={}", "b".repeat(80)))));
    assert!(matches!(raw.receive(), Some(response::Value::CheckTx(_))));
    raw.send(request::Value::CheckTx(check_tx(&format!("a={}", "b".repeat(100)))));
    assert!(exception(raw.receive()).contains("longer than the limit of 100"));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_do_not_wait_for_a_block() {
    let (served, begun, leave) = odd();
    let running = Running::unix(served).await;
    let client = Client::connect(&running.address).await.unwrap();
    let finalize = request::Value::FinalizeBlock(RequestFinalizeBlock::default());
    let block = client.send(finalize);
    in_time(tokio::task::spawn_blocking(move || begun.lock().unwrap().recv().unwrap()))
        .await
        .unwrap();
    // While the block is executed: a transaction is checked, a query answered.
    in_time(client.check_tx(check_tx("x"))).await.unwrap();
    let query = RequestQuery { path: "10".to_owned(), ..Default::default() };
    assert_eq!(in_time(client.query(query)).await.unwrap().value.len(), 10);
    leave.send(()).unwrap();
    in_time(block).await.unwrap();
    drop(client);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_only_asks_about_a_transaction_stands_in_no_line() {
    let (mut served, _begun, _leave) = odd();
    let held = Arc::new(Mutex::new(()));
    served.reader = Arc::new(OddReader { held: Arc::clone(&held) });
    let running = Running::unix(served).await;
    let client = Client::connect(&running.address).await.unwrap();
    let line = {
        let _guard = held.lock().unwrap();
        let check = |tx: &str| client.send(request::Value::CheckTx(check_tx(tx)));
        let line = [check("wait"), check("behind")];
        let asked = in_time(client.check_tx_aside(check_tx("aside")));
        tokio::task::block_in_place(|| Handle::current().block_on(asked)).unwrap();
        line
    };
    for call in line {
        in_time(call).await.unwrap();
    }
    drop(client);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_that_last_hold_up_neither_transactions_nor_blocks() {
    let (mut served, begun, leave) = odd();
    let held = Arc::new(Mutex::new(()));
    served.reader = Arc::new(OddReader { held: Arc::clone(&held) });
    let running = Running::unix(served).await;
    let (let_go, waiting) = mpsc::channel::<()>();
    let holds = tokio::task::spawn_blocking(move || {
        let _guard = held.lock().unwrap();
        waiting.recv().unwrap_or(());
    });
    // More of them than there are processors, each from an engine of its own.
    let mut slow = Vec::new();
    for _ in 0..12 {
        let client = Client::connect(&running.address).await.unwrap();
        let query = RequestQuery { path: "wait".to_owned(), ..Default::default() };
        let call = client.send(request::Value::Query(query));
        slow.push((client, call));
    }
    let client = Client::connect(&running.address).await.unwrap();
    in_time(client.check_tx(check_tx("x"))).await.unwrap();
    leave.send(()).unwrap();
    in_time(client.finalize_block(RequestFinalizeBlock::default())).await.unwrap();
    begun.lock().unwrap().recv().unwrap();
    drop(let_go);
    for (client, call) in slow {
        in_time(call).await.unwrap();
        drop(client);
    }
    holds.await.unwrap();
    drop(client);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_does_not_read_holds_up_nobody() {
    let (served, _, _) = odd();
    let running = Running::unix(served).await;
    let mut stuck = Raw::connect(&running.address);
    let path = (16 << 20).to_string();
    stuck.send(request::Value::Query(RequestQuery { path, ..Default::default() }));
    let client = Client::connect(&running.address).await.unwrap();
    let query = RequestQuery { path: "10".to_owned(), ..Default::default() };
    assert_eq!(in_time(client.query(query)).await.unwrap().value.len(), 10);
    // And once it reads, it gets all of its answer.
    let received = tokio::task::spawn_blocking(move || stuck.receive());
    match in_time(received).await.unwrap() {
        Some(response::Value::Query(answer)) => assert_eq!(answer.value, vec![7; 16 << 20]),
        other => panic!("expected a query's answer, got {other:?}"),
    }
    drop(client);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_that_cannot_answer_is_an_exception_and_lives_on() {
    let (served, _, _) = odd();
    let running = Running::unix(served).await;
    let mut raw = Raw::connect(&running.address);
    raw.send(request::Value::Commit(RequestCommit {}));
    raw.send(echo("after"));
    assert_eq!(exception(raw.receive()), "the disk is gone");
    assert!(matches!(raw.receive(), Some(response::Value::Echo(_))));
    drop(raw);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_an_exception_and_the_end_of_serving() {
    for (request, call, says) in [
        (request::Value::InitChain(Default::default()), Kind::InitChain, "no genesis for me"),
        (request::Value::Info(RequestInfo::default()), Kind::Info, "42 is a message"),
    ] {
        let (served, _, _) = odd();
        let running = Running::unix(served).await;
        let mut raw = Raw::connect(&running.address);
        raw.send(request);
        let text = exception(raw.receive());
        assert!(text.contains(&format!("panicked in {call}")) && text.contains(says), "{text}");
        assert_eq!(raw.receive(), None, "the connection ends");
        match in_time(running.task).await.unwrap() {
            Err(ServeError::Panicked { call: in_call, message }) => {
                assert_eq!(in_call, call);
                assert!(message.contains(says), "{message}");
            }
            other => panic!("expected the panic, got {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_under_way_at_shutdown_is_answered() {
    let (served, begun, leave) = odd();
    let mut running = Running::unix(served).await;
    let mut raw = Raw::connect(&running.address);
    raw.send(request::Value::FinalizeBlock(RequestFinalizeBlock::default()));
    in_time(tokio::task::spawn_blocking(move || begun.lock().unwrap().recv().unwrap()))
        .await
        .unwrap();
    drop(running.stop.take());
    leave.send(()).unwrap();
    let answered = tokio::task::spawn_blocking(move || (raw.receive(), raw.receive()));
    let (answer, end) = in_time(answered).await.unwrap();
    assert!(matches!(answer, Some(response::Value::FinalizeBlock(_))), "{answer:?}");
    assert_eq!(end, None);
    in_time(running.task).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_does_not_end_is_cut_off() {
    let (served, begun, leave) = odd();
    let folder = tempfile::tempdir().unwrap();
    let address = Address::Unix(folder.path().join("app.sock"));
    let server = Server::bind(&address).await.unwrap().with_stop_timeout(Duration::ZERO);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(server.run(served, async move { stopped.await.unwrap_or(()) }));
    let mut raw = Raw::connect(&address);
    raw.send(request::Value::FinalizeBlock(RequestFinalizeBlock::default()));
    in_time(tokio::task::spawn_blocking(move || begun.lock().unwrap().recv().unwrap()))
        .await
        .unwrap();
    drop(stop);
    in_time(running).await.unwrap().unwrap();
    let cut = tokio::task::spawn_blocking(move || raw.receive());
    assert_eq!(in_time(cut).await.unwrap(), None);
    leave.send(()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_socket_file_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "as a killed process leaves it");
    let address = Address::Unix(path.clone());
    let first = Server::bind(&address).await.unwrap();
    let Err(error) = Server::bind(&address).await else { panic!("bound twice") };
    assert!(error.to_string().contains("cannot listen on unix://"), "{error}");
    drop(first);
    assert!(!path.exists(), "removed at the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_engines_may_talk_to_one_application() {
    let running = Running::kvstore().await;
    let first = Client::connect(&running.address).await.unwrap();
    let second = Client::connect(&running.address).await.unwrap();
    let block = RequestFinalizeBlock {
        height: 1,
        txs: vec![Bytes::from_static(b"a=1")],
        ..Default::default()
    };
    first.finalize_block(block).await.unwrap();
    first.commit(RequestCommit {}).await.unwrap();
    assert_eq!(second.info(RequestInfo::default()).await.unwrap().last_block_height, 1);
    drop(first);
    second.flush(guts_abci::Connection::Consensus).await.unwrap();
    drop(second);
    running.stop().await.unwrap();
}
