//! Compressed bodies.

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_body_is_decompressed_in_parts() {
    let plain: Vec<u8> = (0..100_000_u32).flat_map(u32::to_be_bytes).collect();
    let mut decoder = GzDecoder::new(Vec::new());
    let mut out = Vec::new();
    for part in gzip(&plain).chunks(777) {
        out.extend_from_slice(&inflate(&mut decoder, part, u64::MAX).unwrap());
    }
    decoder.try_finish().unwrap();
    out.append(decoder.get_mut());
    assert_eq!(out, plain);
}

#[test]
fn a_bomb_is_noticed_while_it_is_small() {
    let bomb = gzip(&vec![0; 64 << 20]);
    let mut decoder = GzDecoder::new(Vec::new());
    assert!(inflate(&mut decoder, &bomb, 1 << 20).is_none());
    assert!(decoder.get_ref().len() < 8 << 20);
}

#[test]
fn bytes_that_are_not_gzip_are_refused() {
    let mut decoder = GzDecoder::new(Vec::new());
    assert!(inflate(&mut decoder, b"this is no gzip at all", 1 << 20).is_none());
}
