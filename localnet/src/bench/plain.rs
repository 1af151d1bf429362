//! Stock git over HTTP and nothing else: `git http-backend` behind a small server on loopback, the
//! measure for what agreement adds to a push.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::http::response;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::Failure;
use crate::developer::git;

/// Most bytes of an answer that are read at a time.
const PART_BYTES: usize = 64 << 10;

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
    git(&["config", "http.receivepack", "true"], path).await?;
    Ok(())
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

/// An answer that goes out as the backend writes it.
type Answer = Response<BoxBody<Bytes, std::io::Error>>;

fn failed(error: &Failure) -> Answer {
    let text = Full::from(error.to_string()).map_err(|never| match never {});
    let mut answer = Response::new(text.boxed());
    *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    answer
}

/// One request as RFC 3875 has it.
async fn backend(root: &Path, request: Request<Incoming>) -> Result<Answer, Failure> {
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
    let mut output = child.stdout.take().ok_or("no standard output")?;
    tokio::spawn(async move {
        // A backend that refuses early does not read everything.
        drop(input.write_all(&body).await);
        drop(input);
        // Its status says no more than its answer does.
        drop(child.wait().await);
    });
    let mut begun = Vec::new();
    let end = loop {
        if let Some(at) = begun.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if output.read_buf(&mut begun).await? == 0 {
            return Err("the backend gave no answer".into());
        }
    };
    let rest = Bytes::from(begun.split_off(end + 4));
    let parts = futures::stream::try_unfold((Some(rest), output), |(rest, mut output)| async {
        let part = match rest {
            Some(rest) => rest,
            None => {
                let mut part = BytesMut::with_capacity(PART_BYTES);
                match output.read_buf(&mut part).await? {
                    0 => return Ok(None),
                    _ => part.freeze(),
                }
            }
        };
        Ok(Some((Frame::data(part), (None, output))))
    });
    Ok(head(&begun[..end])?.body(StreamBody::new(parts).boxed())?)
}

/// The head of a CGI program's answer as one of HTTP.
pub fn head(text: &[u8]) -> Result<response::Builder, Failure> {
    let fields: HashMap<String, &str> = std::str::from_utf8(text)?
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let status = fields.get("status").and_then(|status| status.split(' ').next()).unwrap_or("200");
    let mut answer = Response::builder().status(status);
    if let Some(kind) = fields.get("content-type") {
        answer = answer.header(header::CONTENT_TYPE, *kind);
    }
    Ok(answer)
}
