//! Stock git over HTTP and nothing else: `git http-backend` behind a small server on loopback, the
//! measure for what agreement adds to a push.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::Failure;
use crate::push::git;

/// Serves the bare repositories in a directory until dropped.
pub struct Plain {
    /// `http://HOST:PORT`, before the name of a repository.
    pub url: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Makes an empty bare repository that takes pushes from anybody.
pub async fn repository(path: &Path) -> Result<(), Failure> {
    git(&["init", "-q", "--bare", "-b", "main", &path.display().to_string()], Path::new("/"))
        .await?;
    git(&["config", "http.receivepack", "true"], path).await
}

impl Plain {
    /// Serves `root`.
    pub async fn serve(root: PathBuf) -> Result<Plain, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let root = Arc::new(root);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let root = Arc::clone(&root);
                let service = hyper::service::service_fn(move |request| {
                    let root = Arc::clone(&root);
                    async move {
                        Ok::<_, std::convert::Infallible>(match backend(&root, request).await {
                            Ok(answer) => answer,
                            Err(error) => failed(&error),
                        })
                    }
                });
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(Plain { url, task })
    }
}

fn failed(error: &Failure) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(error.to_string()));
    *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    answer
}

/// One request as RFC 3875 has it.
async fn backend(
    root: &Path,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Failure> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or(""))
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("REMOTE_USER", "bench");
    for (name, variable) in [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ] {
        if let Some(value) = header(name) {
            command.env(variable, value);
        }
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    let feed = tokio::spawn(async move {
        // A backend that refuses early does not read everything.
        drop(input.write_all(&body).await);
    });
    let output = child.wait_with_output().await?;
    feed.await?;
    answer(&output.stdout)
}

/// The answer in a CGI program's output.
pub fn answer(output: &[u8]) -> Result<Response<Full<Bytes>>, Failure> {
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").ok_or("no answer")?;
    let head = std::str::from_utf8(&output[..end])?;
    let fields: HashMap<String, &str> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let status = fields.get("status").and_then(|status| status.split(' ').next()).unwrap_or("200");
    let mut answer = Response::builder().status(status);
    if let Some(kind) = fields.get("content-type") {
        answer = answer.header(header::CONTENT_TYPE, *kind);
    }
    Ok(answer.body(Full::from(output[end + 4..].to_vec()))?)
}
