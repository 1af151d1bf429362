//! Servers on ports of their own.

use std::sync::Arc;

use guts_rpc::Backend;
use guts_rpc::server::{Limits, Methods, Service, serve_service};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::requests::DEADLINE;

pub struct Server {
    pub address: String,
    stop: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

impl Server {
    pub async fn start(backend: Arc<dyn Backend>, limits: Limits, methods: Methods) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stop, stopped) = oneshot::channel();
        let service = Arc::new(Service::new(backend, limits, methods));
        let done = tokio::spawn(serve_service(listener, service, async {
            stopped.await.unwrap();
        }));
        Self { address, stop, done }
    }

    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        tokio::time::timeout(DEADLINE, self.done).await.expect("the server stops").unwrap();
    }
}
