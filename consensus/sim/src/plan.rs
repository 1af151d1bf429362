//! What a run is to be: options, and the dials that follow from the seed.
use crate::rng::Rng;

/// A rule broken on purpose, which the checkers must notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// The shell performs actions before records are durable.
    ActBeforePersist,
    /// The engine prevotes whatever is valid, locked or not.
    ForgetLock,
    /// The engine takes one vote too few for a quorum.
    QuorumMinusOne,
}

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Validators at the start.
    pub nodes: usize,
    /// Heights to reach at least.
    pub heights: u64,
    /// A rule to break.
    pub canary: Option<Canary>,
    /// Tell every step on standard error.
    pub trace: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { nodes: 4, heights: 30, canary: None, trace: false }
    }
}

/// What a byzantine validator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Villain {
    /// Votes and proposes twice.
    Equivocator,
    /// Says nothing about consensus.
    Silent,
    /// Forgets what it is locked on.
    Amnesiac,
    /// Keeps block parts from some, and sends others wrong ones.
    Withholder,
    /// Votes for heights and rounds to come, up to the last that a message can name.
    Flooder,
    /// Extends its votes with garbage.
    Garbler,
    /// Accuses others without proof.
    Forger,
    /// Claims heights that nobody has, and serves no block.
    Boaster,
}

/// Who is connected to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// Everybody to everybody.
    Mesh,
    /// Everybody to two others.
    Ring,
    /// A ring with one connection less.
    Line,
}

impl Topology {
    /// Whether two of `count` nodes are connected.
    pub fn links(self, a: usize, b: usize, count: usize) -> bool {
        let apart = a.abs_diff(b);
        match self {
            Topology::Mesh => true,
            Topology::Ring => apart == 1 || apart == count - 1,
            Topology::Line => apart == 1,
        }
    }
}

/// The dials of one run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Validators at the start.
    pub nodes: usize,
    /// The byzantine validators (the last of the first ones), if there are any.
    pub villains: Vec<Villain>,
    /// Who is connected to whom.
    pub topology: Topology,
    /// Messages lost, per mille.
    pub loss: u64,
    /// Messages of which bits are changed, per mille.
    pub corruption: u64,
    /// Messages doubled, per mille.
    pub doubling: u64,
    /// Messages held up long, so that later ones overtake them, per mille.
    pub stragglers: u64,
    /// Shortest way of a message, microseconds.
    pub delay_min_us: u64,
    /// Longest way of most messages, microseconds.
    pub delay_max_us: u64,
    /// Outputs in which a node dies at one of the boundaries, per ten thousand.
    pub crashes: u64,
    /// Mean time between the larger faults, milliseconds.
    pub fault_interval_ms: u64,
    /// Whether empty blocks are made.
    pub empty_blocks: bool,
    /// Vote extensions from this height; 0: never.
    pub extensions_from: i64,
    /// Nodes that are not validators at first.
    pub joiners: usize,
    /// How far clocks are apart at most, milliseconds.
    pub skew_ms: u64,
}

impl Plan {
    /// The dials of a seed.
    pub fn of(seed: u64, options: &Options) -> Plan {
        let mut rng = Rng::new(seed, 1);
        // Every eighth world is large enough for two villains, unless its size was asked for.
        let is_large = seed % 8 == 7 && options.nodes == Options::default().nodes;
        let nodes = if is_large { 7 } else { options.nodes };
        let mut villain = || match rng.below(12) {
            _ if nodes < 4 => None,
            0..=3 => Some(Villain::Equivocator),
            4 => Some(Villain::Silent),
            5 => Some(Villain::Amnesiac),
            6 => Some(Villain::Withholder),
            7 => Some(Villain::Flooder),
            8 => Some(Villain::Garbler),
            9 => Some(Villain::Forger),
            10 => Some(Villain::Boaster),
            _ => None,
        };
        let count = if nodes >= 7 { 2 } else { 1 };
        let villains: Vec<Villain> = (0..count).filter_map(|_| villain()).collect();
        let pick = |rng: &mut Rng, choices: &[u64]| choices[rng.index(choices.len())];
        // A villain in a line could keep its two sides apart for good, as two could in a ring.
        let topology = match Rng::new(seed, 4).below(8) {
            0 if villains.len() < 2 => Topology::Ring,
            1 if villains.is_empty() => Topology::Line,
            _ => Topology::Mesh,
        };
        Plan {
            nodes,
            villains,
            topology,
            loss: pick(&mut rng, &[0, 5, 20, 60, 120]),
            corruption: pick(&mut rng, &[0, 0, 1, 5]),
            doubling: pick(&mut rng, &[0, 5, 20, 50]),
            stragglers: pick(&mut rng, &[0, 10, 30, 80]),
            delay_min_us: pick(&mut rng, &[50, 500, 5_000]),
            delay_max_us: pick(&mut rng, &[6_000, 20_000, 100_000]),
            crashes: pick(&mut rng, &[0, 5, 15, 40]),
            fault_interval_ms: pick(&mut rng, &[500, 1_500, 4_000]),
            empty_blocks: rng.chance(700),
            extensions_from: pick(&mut rng, &[0, 0, 1, 5]) as i64,
            joiners: pick(&mut rng, &[0, 1, 2]) as usize,
            skew_ms: pick(&mut rng, &[0, 50, 2_000]),
        }
    }
}
