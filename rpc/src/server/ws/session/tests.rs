//! Events of a full block: in order, one message at a time, and none once they are taken back.

use super::*;
use crate::Backend;
use crate::events::NewBlock;
use crate::server::{Limits, Methods};
use crate::types::{Hex, TxResult};
use serde_json::Value;
use tokio::sync::broadcast::{Sender, channel};

struct Told(Sender<Arc<Batch>>);

impl Backend for Told {
    fn events(&self) -> Option<Receiver<Arc<Batch>>> {
        Some(self.0.subscribe())
    }
}

const TXS: usize = 1_000;
const TX_BYTES: usize = 4_096;

/// A block of [`TXS`] transactions of [`TX_BYTES`].
fn full() -> Arc<Batch> {
    let mut new = NewBlock::default();
    new.block.data.txs = vec![vec![7; TX_BYTES].into(); TXS];
    new.results.txs_results = vec![TxResult::default(); TXS];
    new.tx_hashes = (0..TXS).map(|n| Hex(n.to_be_bytes().to_vec())).collect();
    Arc::new(Batch::new(NodeEvent::of_block(&new)))
}

async fn texts(session: &mut Session) -> Vec<Value> {
    let Next::Texts(texts) = session.next().await else { panic!("nothing to say") };
    texts.iter().map(|text| serde_json::from_slice(text).unwrap()).collect()
}

async fn call(session: &mut Session, id: u32, method: &str, query: &str) {
    let params = format!(r#"{{"query":"{query}"}}"#);
    let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
    session.begin(text);
    let answers = texts(session).await;
    assert_eq!(answers[0]["result"], serde_json::json!({}), "{answers:?}");
}

/// A session with the subscriptions 1, to each transaction, and 2, to what has a hash, and where
/// events come from.
async fn session() -> (Session, Sender<Arc<Batch>>) {
    let (sender, _) = channel(8);
    let backend = Arc::new(Told(sender.clone()));
    let mut session = Session::new(Service::new(backend, Limits::default(), Methods::default()));
    call(&mut session, 1, "subscribe", "tm.event = 'Tx'").await;
    call(&mut session, 2, "subscribe", "tx.hash EXISTS").await;
    (session, sender)
}

/// Which subscription a message is for, and which transaction it tells of.
fn about(messages: &[Value]) -> (u64, u64) {
    let [message] = messages else { panic!("not one message: {messages:?}") };
    let index = &message["result"]["data"]["value"]["TxResult"]["index"];
    (message["id"].as_u64().unwrap(), index.as_u64().unwrap_or(0))
}

#[tokio::test]
async fn each_event_is_told_to_each_subscription_in_turn() {
    let (mut session, sender) = session().await;
    assert!(sender.send(full()).is_ok());
    for index in 0..TXS as u64 - 1 {
        assert_eq!(about(&texts(&mut session).await), (1, index));
        assert_eq!(about(&texts(&mut session).await), (2, index));
    }
    // Who ends a subscription in between hears no more of it, and the other goes on.
    let last = TXS as u64 - 1;
    assert_eq!(about(&texts(&mut session).await), (1, last));
    call(&mut session, 3, "unsubscribe", "tm.event = 'Tx'").await;
    assert_eq!(about(&texts(&mut session).await), (2, last));
    assert!(sender.send(full()).is_ok());
    assert_eq!(about(&texts(&mut session).await), (2, 0), "nothing of the block before is left");
}

#[tokio::test]
async fn messages_are_made_one_at_a_time_and_events_can_be_taken_back_between_them() {
    let (mut session, sender) = session().await;
    let block = full();
    assert!(sender.send(block.clone()).is_ok());
    let Next::Texts(first) = session.next().await else { panic!("nothing to say") };
    let bytes: usize = first.iter().map(Vec::len).sum();
    assert!(bytes < 2 * TX_BYTES, "{bytes} bytes at once for a block of {}", block.bytes());
    assert!(Arc::strong_count(&block) > 1, "the feed sees that somebody is behind");
    block.withdraw();
    let ended = texts(&mut session).await;
    let ids: Vec<u64> = ended.iter().map(|one| one["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [1, 2], "both subscriptions end");
    let why = ended[0]["error"]["data"].as_str().unwrap();
    assert!(why.contains("client is not pulling messages fast enough"), "{why}");
    assert_eq!(Arc::strong_count(&block), 1, "nothing is held any more");
}
