//! Conversations between CometBFT v0.38.25 and applications (`tests/vectors/abci`): every frame
//! decodes and encodes to the same bytes, and every order of calls is one the grammar allows.

use std::path::Path;

use bytes::BytesMut;
use guts_abci::codec::{Decoder, encode};
use guts_abci::proto::abci::{Request, Response};
use guts_abci::{Kind, grammar};
use serde_json::Value as Json;

/// One frame of a recording.
pub struct Recorded {
    /// Its line number in the total order of frames.
    pub seq: u64,
    /// The connection, by the relay's name for it.
    pub connection: String,
    /// From the engine to the application?
    pub is_request: bool,
    /// `check_tx`, `exception`, ...
    pub kind: String,
    /// Length and message.
    pub bytes: Vec<u8>,
    /// The relay's own reading of the message.
    pub decoded: Json,
}

/// The frames of one recording, in order; marks, and the bytes the relay forged, left out.
pub fn read(name: &str) -> Vec<Recorded> {
    let path = folder().join(name).with_extension("jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    let frames = lines.filter(|line| !line["kind"].as_str().unwrap().starts_with('#'));
    let frame = |line: Json| Recorded {
        seq: line["seq"].as_u64().unwrap(),
        connection: line["conn"].as_str().unwrap().to_owned(),
        is_request: line["dir"] == "req",
        kind: line["kind"].as_str().unwrap().to_owned(),
        bytes: hex::decode(line["hex"].as_str().unwrap()).unwrap(),
        decoded: line["decoded"].clone(),
    };
    frames.map(frame).collect()
}

/// The names of all recordings.
pub fn names() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let recordings = entries.filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
    let name = |path: std::path::PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<String> = recordings.map(name).collect();
    names.sort();
    assert!(names.len() > 50, "only {} recordings", names.len());
    names
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/abci")
}

impl Recorded {
    /// The frame as a request.
    pub fn request(&self) -> Request {
        let mut buffer = BytesMut::from(&self.bytes[..]);
        let request = Decoder::default().decode(&mut buffer).unwrap().unwrap();
        assert!(buffer.is_empty(), "bytes behind frame {}", self.seq);
        request
    }

    /// The frame as a response.
    pub fn response(&self) -> Response {
        let mut buffer = BytesMut::from(&self.bytes[..]);
        let response = Decoder::default().decode(&mut buffer).unwrap().unwrap();
        assert!(buffer.is_empty(), "bytes behind frame {}", self.seq);
        response
    }
}

/// `CheckTx` as the recordings write it: `check_tx`.
fn snake_case(kind: Kind) -> String {
    let mut out = String::new();
    for letter in kind.to_string().chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[test]
fn recorded_frames_decode_and_encode_to_the_same_bytes() {
    let mut count = 0;
    for name in names() {
        for frame in read(&name) {
            let mut out = BytesMut::new();
            let kind = if frame.is_request {
                let request = frame.request();
                encode(&request, &mut out);
                snake_case(Kind::of_request(&request.value.unwrap()))
            } else {
                let response = frame.response();
                encode(&response, &mut out);
                let kind = Kind::of_response(&response.value.unwrap());
                kind.map_or("exception".to_owned(), snake_case)
            };
            assert_eq!(hex::encode(&out), hex::encode(&frame.bytes), "{name}: {}", frame.seq);
            assert_eq!(kind, frame.kind, "{name}: {}", frame.seq);
            count += 1;
        }
    }
    assert!(count > 8_000, "only {count} frames");
}

#[test]
fn calls_come_on_the_connections_we_think_they_do() {
    // The command-line tool asks everything on one connection.
    for name in names().iter().filter(|name| *name != "abci_cli") {
        for frame in read(name).iter().filter(|frame| frame.is_request && frame.kind != "flush") {
            let connection = Kind::of_request(&frame.request().value.unwrap()).connection();
            assert_eq!(connection.to_string(), frame.connection, "{name}: {}", frame.seq);
        }
    }
}

#[test]
fn the_grammar_accepts_every_recorded_conversation() {
    let mut commits = 0;
    // The command-line tool is no engine: it asks without a start.
    for name in names().iter().filter(|name| *name != "abci_cli") {
        let frames = read(name);
        let mut checker = grammar::Checker::new(height_at_start(&frames));
        for frame in &frames {
            if frame.is_request {
                let result = checker.on_request(&frame.request());
                assert_eq!(result, Ok(()), "{name}: {}", frame.seq);
                commits += usize::from(frame.kind == "commit");
            } else {
                frame.response().value.iter().for_each(|value| checker.on_answer(value));
            }
        }
    }
    assert!(commits > 400, "only {commits} commits in the recordings");
}

/// The application's height when the engine connected: in its answer to Info, unless the engine
/// begins with a state sync and asks at the end.
fn height_at_start(frames: &[Recorded]) -> i64 {
    let first = frames.iter().find(|frame| frame.kind != "flush").unwrap();
    let answer = frames.iter().find(|frame| !frame.is_request && frame.kind == "info");
    match answer {
        Some(answer) if first.kind == "info" => {
            answer.decoded["info"]["last_block_height"].as_str().unwrap().parse().unwrap()
        }
        _ => 0,
    }
}
