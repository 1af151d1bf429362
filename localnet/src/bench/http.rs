//! A keep-alive HTTP/1.1 connection with as little work a request as possible: the generator
//! shares the cores with what it measures.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Failure;

/// No answer asked for here is larger.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// One connection; requests are made one after the other.
pub struct Connection {
    stream: TcpStream,
    host: String,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects to `HOST:PORT`.
    pub async fn open(host: &str) -> Result<Connection, Failure> {
        let (stream, buffer) = (connect(host).await?, Vec::with_capacity(4096));
        Ok(Connection { stream, host: host.to_string(), buffer })
    }

    /// Posts a JSON body and returns the body of the answer.
    pub async fn post(&mut self, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            self.host,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.exchange(&request).await
    }

    /// Gets a path and returns the body of the answer.
    pub async fn get(&mut self, path: &str) -> Result<Vec<u8>, Failure> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        self.exchange(request.as_bytes()).await
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Vec<u8>, Failure> {
        if self.begin(request).await.is_err() {
            // A server closes what is idle, perhaps just as the next request comes.
            self.stream = connect(&self.host).await?;
            self.buffer.clear();
            self.begin(request).await?;
        }
        let head_len = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill().await?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..head_len]).to_ascii_lowercase();
        self.buffer.drain(..head_len);
        match head.lines().find_map(|line| line.strip_prefix("content-length:")) {
            Some(length) => {
                let length: usize = length.trim().parse()?;
                self.take(length).await
            }
            None if head.contains("transfer-encoding: chunked") => self.chunks().await,
            None => Err("an answer without a length".into()),
        }
    }

    /// Sends a request, and waits until the first of the answer is there.
    async fn begin(&mut self, request: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(request).await?;
        self.fill().await
    }

    async fn fill(&mut self) -> Result<(), Failure> {
        if self.buffer.len() > ANSWER_BYTES_MAX {
            return Err("an answer that does not end".into());
        }
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(format!("{} closed the connection", self.host).into()),
            _ => Ok(()),
        }
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, Failure> {
        while self.buffer.len() < length {
            self.fill().await?;
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    async fn chunks(&mut self) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                if let Some(at) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                    break self.take(at + 2).await?;
                }
                self.fill().await?;
            };
            let size = usize::from_str_radix(std::str::from_utf8(&line)?.trim(), 16)?;
            let mut chunk = self.take(size + 2).await?;
            if size == 0 {
                return Ok(body);
            }
            chunk.truncate(size);
            body.append(&mut chunk);
        }
    }
}

async fn connect(host: &str) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(host).await;
    let stream = stream.map_err(|error| format!("cannot connect to {host}: {error}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
