//! Lines that are good, cut off, and wrong.

use super::*;

#[test]
fn what_is_written_is_read_back() {
    let mut bytes = Vec::new();
    write(&mut bytes, b"hello\n").unwrap();
    bytes.extend_from_slice(FLUSH);
    assert_eq!(bytes, b"000ahello\n0000");
    let (line, rest) = read(&bytes).unwrap().unwrap();
    assert_eq!(line, Line::Data(b"hello\n"));
    assert_eq!(read(rest).unwrap(), Some((Line::Flush, &b""[..])));
    assert_eq!(read(b"0001x").unwrap(), Some((Line::Delimiter, &b"x"[..])));
    assert_eq!(read(b"0002").unwrap(), Some((Line::ResponseEnd, &b""[..])));
}

#[test]
fn a_line_that_is_cut_off_needs_more() {
    for cut in 0..10 {
        assert_eq!(read(&b"000ahello\n"[..cut]).unwrap(), None, "{cut}");
    }
}

#[test]
fn wrong_lengths_are_refused() {
    for bytes in [&b"zzzz"[..], b"+00a", b" 00a", b"0003", b"fff1", b"ffff", b"\xff\xff\xff\xff"] {
        assert!(read(bytes).is_err(), "{bytes:?}");
    }
    let mut out = Vec::new();
    assert!(write(&mut out, &vec![0; LINE_MAX_BYTES - 4]).is_ok());
    assert!(write(&mut out, &vec![0; LINE_MAX_BYTES - 3]).is_err());
}

#[test]
fn the_end_of_a_section_is_found_however_it_comes() {
    let mut section = Vec::new();
    write(&mut section, b"push-cert").unwrap();
    write(&mut section, &[b'x'; 3000]).unwrap();
    write(&mut section, b"").unwrap();
    section.extend_from_slice(FLUSH);
    let after = [&section[..], b"PACK and so on"].concat();
    for size in [1, 3, 4, 5, 7, 1000, 4000] {
        let mut seen = Section::default();
        let at = after.chunks(size).position(|part| seen.pass(part)).unwrap();
        assert_eq!(at, (section.len() - 1) / size, "in parts of {size}");
    }
    // What is no list is over at once; what is unfinished, not yet.
    for none in [&b"zzzz"[..], b"0003", b"fff1", b"+004", b"0001"] {
        assert!(Section::default().pass(none), "{none:?}");
    }
    for part in [&b""[..], b"00", b"0006", b"0006x", b"0006xx", b"fff0"] {
        assert!(!Section::default().pass(part), "{part:?}");
    }
}
