//! Request lines whole and in pieces.

use futures::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Quotes;

/// What comes out when `input` is written in pieces of at most `piece` bytes.
async fn through(input: &str, piece: usize) -> String {
    let (mut writer, reader) = tokio::io::duplex(piece);
    let input = input.to_owned();
    let writing = tokio::spawn(async move {
        writer.write_all(input.as_bytes()).await.expect("written");
    });
    let mut out = String::new();
    Quotes::new(reader).read_to_string(&mut out).await.expect("read");
    writing.await.expect("the writer ends");
    out
}

#[tokio::test]
async fn bare_quotes_are_escaped_however_the_line_comes() {
    for version in ["HTTP/1.1", "HTTP/1.0"] {
        let input = format!("GET /tx?a=\"<1>\" {version}\r\nHost: \"x\"\r\n\r\n");
        let wanted = format!("GET /tx?a=%22%3C1%3E%22 {version}\r\nHost: \"x\"\r\n\r\n");
        for piece in [1, 7, 4096] {
            assert_eq!(through(&input, piece).await, wanted, "in pieces of {piece}");
        }
    }
}

#[tokio::test]
async fn other_bytes_pass_as_they_are() {
    for input in ["POST / HTTP/1.1\r\n\r\n{\"a\":1}", "half a line", "", "\"\r\n", "GET ", "{}"] {
        for piece in [1, 4096] {
            assert_eq!(through(input, piece).await, input, "in pieces of {piece}");
        }
    }
}

#[tokio::test]
async fn what_cannot_become_a_request_line_is_not_held_back() {
    for body in ["{\"a\":", "tx=0x0G", "ET / HTTP", "GET x", "POST", "P"] {
        let (mut client, server) = tokio::io::duplex(64);
        let mut server = Quotes::new(server);
        for asked in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
            // Of a whole answer it cannot be known whether a beginning is one.
            if asked.contains("200") && body.starts_with('P') {
                continue;
            }
            let mut got = vec![0; 3];
            client.write_all(b"\r\n\r").await.expect("written");
            server.read_exact(&mut got).await.expect("read");
            server.write_all(asked.as_bytes()).await.expect("written");
            client.read_exact(&mut vec![0; asked.len()]).await.expect("read");
            client.write_all(body.as_bytes()).await.expect("written");
            let mut got = vec![0; body.len()];
            server.read_exact(&mut got).now_or_never().expect("at once").expect("read");
            assert_eq!(got, body.as_bytes());
        }
    }
}
