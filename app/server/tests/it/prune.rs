//! A node that keeps few heights, among others that keep all.

use crate::world::{PRUNING, World};

/// What a node's metrics say of the oldest height.
fn oldest(world: &World, node: usize) -> u64 {
    let (_, text) = world.get(node, "/metrics");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("guts_app_oldest_height "));
    lines.next().expect(&text).trim().parse().unwrap()
}

#[test]
fn a_node_gives_up_old_heights_and_names_the_oldest() {
    let world = World::new();
    // It follows the blocks in the background.
    while oldest(&world, PRUNING) < 3 {
        let height = world.chains[PRUNING].newest().height;
        assert!(height < 1000, "nothing is pruned");
        world.pool.wake();
        world.wait_executed(PRUNING, height + 1);
    }
    let at = |node, height| world.get(node, &format!("/rpc/guts_params?height=%22{height}%22"));
    let (_, gone) = at(PRUNING, 2);
    assert!(gone.contains("height 2 is not kept, only those from "), "{gone}");
    let kept = world.chains[PRUNING].newest().height - 1;
    assert!(at(PRUNING, kept).1.contains("\"proof\":"));
    assert_eq!(oldest(&world, 0), 0);
    assert!(at(0, 2).1.contains("\"proof\":"));
}
