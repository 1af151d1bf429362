//! The client: order under load, over Unix and TCP, and what it says when the application answers
//! wrongly, dies, or comes back.

use std::sync::Arc;

use bytes::BytesMut;
use guts_abci::codec::encode;
use guts_abci::kvstore::{Memory, served};
use guts_abci::proto::abci::{
    RequestInfo, Response, ResponseException, ResponseFlush, ResponseInfo, request, response,
};
use guts_abci::socket::{CallError, Client, ConnectError, LossCause};
use guts_abci::{Address, Connection, Kind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use crate::harness::{Running, check_tx, in_time};

#[tokio::test]
async fn thousands_of_calls_in_flight_come_back_in_order() {
    for is_tcp in [false, true] {
        let app = served(Arc::new(Memory::new()));
        let running = if is_tcp { Running::tcp(app).await } else { Running::unix(app).await };
        let client = Client::connect(&running.address).await.unwrap();
        // Every third is wrong: an answer given to another call would show.
        let txs = (0..10_000).map(|n| if n % 3 == 0 { format!("{n}") } else { format!("{n}=v") });
        let calls: Vec<_> =
            txs.map(|tx| client.send(request::Value::CheckTx(check_tx(&tx)))).collect();
        for (n, call) in calls.into_iter().enumerate() {
            let response::Value::CheckTx(answer) = in_time(call).await.unwrap() else {
                panic!("another kind")
            };
            assert_eq!(answer.code, if n % 3 == 0 { 2 } else { 0 }, "call {n}");
        }
        in_time(client.flush(Connection::Mempool)).await.unwrap();
        drop(client);
        running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn an_absent_application_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let address = Address::Unix(folder.path().join("nobody.sock"));
    let Err(error) = Client::connect(&address).await else { panic!("connected to nobody") };
    assert!(matches!(error, ConnectError::Socket { connection: Connection::Query, .. }));
    assert!(error.to_string().starts_with(&format!("no application at {address}")), "{error}");
}

#[tokio::test]
async fn an_application_that_stops_fails_every_call_with_one_loss() {
    let running = Running::kvstore().await;
    let address = running.address.clone();
    let client = Client::connect(&address).await.unwrap();
    in_time(client.info(RequestInfo::default())).await.unwrap();
    assert!(client.loss().is_none());
    running.stop().await.unwrap();

    let loss = in_time(client.lost()).await;
    assert!(matches!(loss.cause, LossCause::Closed | LossCause::Socket(_)), "{loss}");
    for _ in 0..2 {
        match in_time(client.info(RequestInfo::default())).await {
            Err(CallError::Lost(same)) => assert!(Arc::ptr_eq(&same, &loss)),
            other => panic!("expected the loss, got {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_application_that_comes_back_is_connected_to_anew() {
    let folder = tempfile::tempdir().unwrap();
    let address = Address::Unix(folder.path().join("app.sock"));
    for _ in 0..3 {
        let app = served(Arc::new(Memory::new()));
        let running = Running::start(address.clone(), app, Default::default(), None).await;
        let client = Client::connect(&address).await.unwrap();
        in_time(client.info(RequestInfo::default())).await.unwrap();
        running.stop().await.unwrap();
        in_time(client.lost()).await;
    }
}

/// Accepts four connections and answers the first request on the query connection with `bytes`;
/// then closes that connection if told so.
async fn answers_with(bytes: Vec<u8>, closes: bool) -> (Client, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut query, _) = listener.accept().await.unwrap();
        let mut others = Vec::new();
        for _ in 0..3 {
            others.push(listener.accept().await.unwrap().0);
        }
        let mut chunk = [0; 1024];
        let _some = query.read(&mut chunk).await.unwrap();
        query.write_all(&bytes).await.unwrap();
        if closes {
            drop(query);
            return std::future::pending().await;
        }
        // Holds what is left open until the client goes.
        while query.read(&mut chunk).await.is_ok_and(|count| count > 0) {}
    });
    (in_time(Client::connect(&Address::Unix(path))).await.unwrap(), folder)
}

fn frames(values: Vec<Option<response::Value>>) -> Vec<u8> {
    let mut out = BytesMut::new();
    for value in values {
        encode(&Response { value }, &mut out);
    }
    out.to_vec()
}

#[tokio::test]
async fn an_exception_is_the_calls_error_and_not_a_loss() {
    let failed = ResponseException { error: "no such state".to_owned() };
    let answers = vec![
        Some(response::Value::Exception(failed)),
        Some(response::Value::Flush(ResponseFlush {})),
    ];
    let (client, _folder) = answers_with(frames(answers), false).await;
    match in_time(client.info(RequestInfo::default())).await {
        Err(CallError::Exception(text)) => assert_eq!(text, "no such state"),
        other => panic!("expected the exception, got {other:?}"),
    }
    assert!(client.loss().is_none());
}

#[tokio::test]
async fn an_exception_before_the_end_is_heard() {
    let failed = ResponseException { error: "last words".to_owned() };
    let bytes = frames(vec![Some(response::Value::Exception(failed))]);
    let (client, _folder) = answers_with(bytes, true).await;
    match in_time(client.info(RequestInfo::default())).await {
        Err(CallError::Exception(text)) => assert_eq!(text, "last words"),
        other => panic!("expected the exception, got {other:?}"),
    }
    assert!(matches!(in_time(client.lost()).await.cause, LossCause::Closed));
}

#[tokio::test]
async fn wrong_answers_end_the_connections() {
    let flush = || Some(response::Value::Flush(ResponseFlush {}));
    let info = || Some(response::Value::Info(ResponseInfo::default()));
    for (values, expected, got) in [
        (vec![flush()], Some(Kind::Info), Some(Kind::Flush)),
        (vec![None], Some(Kind::Info), None),
        (vec![info(), info()], Some(Kind::Flush), Some(Kind::Info)),
        (vec![info(), flush(), flush()], None, Some(Kind::Flush)),
    ] {
        let (client, _folder) = answers_with(frames(values), false).await;
        let _answer = in_time(client.info(RequestInfo::default())).await;
        let loss = in_time(client.lost()).await;
        assert_eq!(loss.connection, Connection::Query);
        match &loss.cause {
            LossCause::Unexpected { expected: due, got: came } => {
                assert_eq!((*due, *came), (expected, got));
            }
            other => panic!("expected a wrong answer, got {other}"),
        }
    }
}

#[tokio::test]
async fn answers_that_are_no_frames_end_the_connections() {
    for bytes in [vec![0xff; 10], vec![0xff, 0xff, 0xff, 0xff, 0x7f], vec![2, 0x0f, 0x00]] {
        let (client, _folder) = answers_with(bytes, false).await;
        match in_time(client.info(RequestInfo::default())).await {
            Err(CallError::Lost(loss)) => {
                assert!(matches!(loss.cause, LossCause::Frame(_)), "{loss}");
            }
            other => panic!("expected the loss, got {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_call_on_another_connection_fails_too_when_one_is_lost() {
    let (client, _folder) = answers_with(Vec::new(), true).await;
    let waits = client.send(request::Value::CheckTx(check_tx("a=b")));
    let info = client.send(request::Value::Info(RequestInfo::default()));
    for call in [waits, info] {
        match in_time(call).await {
            Err(CallError::Lost(loss)) => assert_eq!(loss.connection, Connection::Query),
            other => panic!("expected the loss, got {other:?}"),
        }
    }
}
