//! Rows of nodes: there and back, and damaged ones.

use super::*;

fn leaf(key: u8) -> LeafNode {
    LeafNode::new(KeyHash([key; 32]), jmt::ValueHash([!key; 32]))
}

/// With children behind these nibbles, every other one a leaf, and versions of 1 to 10 bytes.
fn internal(nibbles: &[u8]) -> Internal {
    let mut node = Internal::default();
    for &n in nibbles {
        let version = (u64::MAX >> 1).checked_shr(63 - 4 * u32::from(n)).unwrap_or(u64::MAX);
        node.set(n, Some(Child { hash: [n; 32], version, is_leaf: n % 2 == 1 }));
    }
    node
}

#[test]
fn a_node_is_what_its_row_says() {
    let all: Vec<u8> = (0..16).collect();
    let nodes = [&all[..], &[3, 4], &[15, 1], &[8]].map(internal).map(Box::new).map(Node::Internal);
    for node in nodes.into_iter().chain([Node::Null, Node::Leaf(leaf(7))]) {
        let row = node.encode();
        assert_eq!(Node::decode(&row), Ok(node));
        for cut in 0..row.len() {
            assert!(matches!(Node::decode(&row[..cut]), Err(StateError::Damaged(_))), "{cut}");
        }
        assert!(Node::decode(&[&row[..], &[0]].concat()).is_err());
    }
    assert!(Node::decode(&[TAG_INTERNAL, 0, 0, 0, 0]).is_err(), "an inner node above nothing");
    assert!(Node::decode(&[9]).is_err(), "a tag that is none");
}

#[test]
fn hashes_are_those_of_jmt() {
    let hash = |node: &Internal| {
        let jmt = Node::Internal(Box::new(node.clone())).to_jmt().unwrap();
        let jmt::storage::Node::Internal(jmt) = jmt else { panic!("another kind of node") };
        let children = jmt.children_sorted().map(|(n, c)| (u8::from(n), c.hash, c.is_leaf()));
        let ours = (0..16).filter_map(|n| Some((n, node.child(n)?)));
        assert!(children.eq(ours.map(|(n, c)| (n, c.hash, c.is_leaf))));
        jmt.hash::<Sha256>()
    };
    for bits in 1..=u16::MAX {
        let nibbles: Vec<u8> = (0..16).filter(|n| bits >> n & 1 == 1).collect();
        let node = internal(&nibbles);
        if node.only_leaf().is_none() {
            assert_eq!(node.hash(), hash(&node), "{bits:016b}");
        }
    }
}

#[test]
fn a_path_is_the_beginning_of_a_key() {
    let key = KeyHash(std::array::from_fn(|n| (n as u8).wrapping_mul(7) ^ 0x3c));
    let nibbles: Vec<u8> = key.0.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).collect();
    let mut path = Path::ROOT;
    for count in 0..=64 {
        assert_eq!(path.row(9), [&9_u64.to_be_bytes(), &nibbles[..count]].concat());
        if count < 64 {
            path = path.child(path.next(&key));
        }
    }
}
