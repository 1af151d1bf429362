//! Frames: split anywhere, malformed, oversize. Recorded ones are in `tests/it`.

use proptest::prelude::*;

use super::*;
use crate::proto::abci::{Request, request};

#[test]
fn frames_split_at_every_byte_come_out_whole() {
    let mut stream = BytesMut::new();
    for size in [0_usize, 1, 126, 127, 128, 300] {
        encode(&check_tx(size), &mut stream);
    }
    for cut in 0..stream.len() {
        let mut buffer = BytesMut::from(&stream[..cut]);
        let mut sizes = Vec::new();
        drain(&mut buffer, &mut sizes);
        buffer.extend_from_slice(&stream[cut..]);
        drain(&mut buffer, &mut sizes);
        assert_eq!(sizes, [0, 1, 126, 127, 128, 300], "cut at {cut}");
        assert!(buffer.is_empty());
    }
}

fn drain(buffer: &mut BytesMut, sizes: &mut Vec<usize>) {
    while let Some(request) = Decoder::default().decode::<Request>(buffer).unwrap() {
        let Some(request::Value::CheckTx(request)) = request.value else { panic!("another kind") };
        sizes.push(request.tx.len());
    }
}

fn check_tx(size: usize) -> Request {
    let request = crate::proto::abci::RequestCheckTx { tx: vec![7; size].into(), r#type: 0 };
    Request { value: Some(request::Value::CheckTx(request)) }
}

#[test]
fn what_one_long_message_took_is_given_back() {
    let mut buffer = BytesMut::new();
    for (size, is_kept) in [(KEPT_BYTES / 2, true), (KEPT_BYTES, false)] {
        // What is left of it when a message is split off holds on to all of it.
        buffer.reserve(size + 1000);
        encode(&check_tx(size), &mut buffer);
        let mut most = buffer.split().len();
        give_back(&mut buffer, &mut most);
        assert_eq!(buffer.capacity() > 0, is_kept, "{size}");
    }
}

#[test]
fn a_long_message_is_not_forgotten_while_the_next_has_begun() {
    let mut buffer = BytesMut::new();
    encode(&check_tx(KEPT_BYTES), &mut buffer);
    buffer.reserve(1000);
    let mut most = buffer.len();
    let _long = buffer.split();
    buffer.extend_from_slice(b"begun");
    give_back(&mut buffer, &mut most);
    assert_eq!(buffer, "begun");
    buffer.clear();
    give_back(&mut buffer, &mut most);
    assert_eq!((buffer.capacity(), most), (0, 0));
}

#[test]
fn a_length_over_the_limit_is_refused_before_its_bytes_arrive() {
    let mut buffer = BytesMut::from(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x1f][..]);
    let error = Decoder::default().decode::<Request>(&mut buffer).unwrap_err();
    assert_eq!(error, FrameError::Oversize { length: (1 << 40) - 1, limit: FRAME_BYTES_MAX });

    let limit = Decoder::new(5);
    let mut buffer = BytesMut::from(&[5][..]);
    assert_eq!(limit.decode::<Request>(&mut buffer).unwrap(), None);
    let mut buffer = BytesMut::from(&[6][..]);
    let error = limit.decode::<Request>(&mut buffer).unwrap_err();
    assert_eq!(error, FrameError::Oversize { length: 6, limit: 5 });
}

#[test]
fn the_largest_length_is_oversize_and_a_longer_varint_malformed() {
    let mut largest = vec![0xff_u8; 9];
    largest.push(1);
    let error = Decoder::default().decode::<Request>(&mut BytesMut::from(&largest[..]));
    assert_eq!(
        error.unwrap_err(),
        FrameError::Oversize { length: u64::MAX, limit: FRAME_BYTES_MAX }
    );
    for last in [2_u8, 0x80, 0x81, 0xff] {
        let mut malformed = vec![0xff_u8; 9];
        malformed.push(last);
        let error = Decoder::default().decode::<Request>(&mut BytesMut::from(&malformed[..]));
        assert_eq!(error.unwrap_err(), FrameError::Prefix, "last byte {last:#x}");
    }
}

#[test]
fn a_frame_that_is_no_message_is_an_error() {
    // Length 2, then a field of wire type 7, which does not exist.
    let mut buffer = BytesMut::from(&[2, 0x0f, 0x00][..]);
    let error = Decoder::default().decode::<Request>(&mut buffer).unwrap_err();
    assert!(matches!(error, FrameError::Message(_)), "{error}");
}

#[test]
fn an_empty_request_is_a_message_without_a_value() {
    let mut buffer = BytesMut::from(&[0][..]);
    let request = Decoder::default().decode::<Request>(&mut buffer).unwrap().unwrap();
    assert_eq!(request.value, None);
}

proptest! {
    /// Whatever a peer sends, in whatever pieces: frames, an error, or a wait for more.
    #[test]
    fn any_bytes_are_frames_or_an_error(pieces in prop::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let decoder = Decoder::new(64);
        let mut buffer = BytesMut::new();
        let mut failed = false;
        for piece in pieces {
            buffer.extend_from_slice(&piece);
            while !failed {
                match decoder.decode::<Request>(&mut buffer) {
                    Ok(Some(request)) => prop_assert!(request.encoded_len() <= 64),
                    Ok(None) => break,
                    Err(_) => failed = true,
                }
            }
            // Never more than one frame and its length waits.
            prop_assert!(failed || buffer.len() <= 64 + PREFIX_BYTES_MAX);
        }
    }

    /// A length is read back as it was written, from its bytes alone.
    #[test]
    fn lengths_are_read_back(value in any::<u64>()) {
        let mut bytes = Vec::new();
        put_uvarint(value, &mut bytes);
        prop_assert_eq!(read_uvarint(&bytes), Ok(Some((value, bytes.len()))));
        bytes.pop();
        prop_assert_eq!(read_uvarint(&bytes), Ok(None));
    }
}
