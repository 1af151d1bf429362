//! Pages stay inside the list.
use super::*;

fn request(from: u64, limit: u64) -> proto::PageRequest {
    proto::PageRequest { from, limit, ..Default::default() }
}

#[test]
fn pages_stay_inside_the_list() {
    assert_eq!(page(&request(0, 0), 1, 5), 1..6);
    assert_eq!(page(&request(3, 2), 1, 5), 3..5);
    assert_eq!(page(&request(9, 2), 1, 5), 6..6);
    assert_eq!(page(&request(0, u64::MAX), 0, 5_000), 0..PAGE_MAX);
    assert_eq!(page(&request(u64::MAX, 1), 0, u64::MAX), u64::MAX..u64::MAX);
}
