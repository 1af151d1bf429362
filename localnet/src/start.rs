//! The whole of `./localnet/start`: make or find the network, start the pairs, wait for the first
//! block, draw the table, stay or leave.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use crate::network::{
    Half, Network, PORT_OFFSET_MAX, Started, VALIDATORS_MAX, VALIDATORS_SAFE_MIN, Validator,
};
use crate::{Error, Result, app_state, create, end, ports, probe, process, status, stay};

/// How long nothing may happen before the first block, unless it is said.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// An application that uses less than this part of the time does not work on anything.
const IDLE_PART: u32 = 60;
/// How often the pairs are looked at while waiting.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// How often a log that nobody watches is told that the wait goes on.
const LOGGED_INTERVAL: Duration = Duration::from_secs(10);

/// What the command line says.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Directory of the network.
    #[arg(long, overrides_with = "home")]
    pub home: PathBuf,
    /// How many validators [default: 4].
    #[arg(long, value_name = "N")]
    pub validators: Option<usize>,
    /// Run this ABCI program in place of guts-app; {socket} becomes a path.
    #[arg(long, value_name = "CMD")]
    pub app: Option<String>,
    /// An engine setting for all, as consensus.create_empty_blocks=true.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Accounts that the genesis of guts-app funds for load [default: 2048].
    #[arg(long, value_name = "N")]
    pub accounts: Option<u64>,
    /// A chain parameter of a new network, as gov_voting_s=60; the value is JSON.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// An OpenSSH public key that gets an account with tokens in a new network.
    #[arg(long, value_name = "KEY.pub")]
    pub fund: Vec<PathBuf>,
    /// Add this to every port of a new network, where one of the usual is taken.
    #[arg(long, value_name = "N")]
    pub port_offset: Option<u16>,
    /// Give up when nothing has happened for so long before the first block.
    #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE.as_secs())]
    pub patience: u64,
    /// Return when the first block is there; the network goes on.
    #[arg(long)]
    pub detach: bool,
    /// Allow fewer than four validators, which survive no fault.
    #[arg(long)]
    pub allow_small: bool,
}

/// Starts the network; returns when it was told to detach, or after Ctrl-C ended it.
pub fn start(options: &Options) -> Result<()> {
    let mut network = make_or_find(options)?;
    bring_up(&mut network, Duration::from_secs(options.patience))?;
    print!("{}", status::table(&network).text);
    if network.port_offset() != 0 {
        let first = network.validator(0)?;
        let (node, gateway) = (first.rpc_url(), first.gateway_url());
        println!("\nexport GUTS_NODE={node} GUTS_GATEWAY={gateway}  # where 'guts' finds it");
    }
    if options.detach {
        println!("\nstop it with ./localnet/stop{}", home_flag(&options.home));
        return Ok(());
    }
    println!("\nCtrl-C ends it");
    stay::stay(&network.home)
}

/// Starts every pair of a network of which nothing runs, and waits for the first block: for as long
/// as something happens, such as applications that make the state of a large genesis.
///
/// # Errors
/// When something of it runs, a port is taken, a process ends before the first block, or nothing
/// happens for as long as `patience`: then all are ended.
pub fn bring_up(network: &mut Network, patience: Duration) -> Result<()> {
    refuse_running(network)?;
    process::wait_for_ending(started(network));
    ports::check_free(&network.validators, network.is_guts())?;
    start_all(network, patience).or_else(|error| {
        end::stop(&network.home)?;
        Err(error)
    })
}

fn start_all(network: &mut Network, patience: Duration) -> Result<()> {
    for index in 0..network.validators.len() {
        start_pair(network, index)?;
    }
    wait_first_block(network, patience)
}

/// The flag to add to a command so that it speaks of this network.
fn home_flag(home: &Path) -> String {
    match home.file_name() {
        Some(name) if name == ".localnet" => String::new(),
        _ => format!(" --home {}", home.display()),
    }
}

fn make_or_find(options: &Options) -> Result<Network> {
    if Network::exists(&options.home) {
        let mut network = Network::load(&options.home)?;
        let have = network.validators.len();
        refuse_another_genesis(options, &network)?;
        if !options.settings.is_empty() {
            network.settings.clone_from(&options.settings);
        }
        say(&format!("• found {} validators in {}", have, options.home.display()));
        return Ok(network);
    }
    make(options)
}

/// Refuses to start a network that is there as another one.
fn refuse_another_genesis(options: &Options, network: &Network) -> Result<()> {
    let (have, accounts) = (network.validators.len(), network.accounts);
    let home = options.home.display();
    let refused = |what: String, way: &str| {
        Err(Error::Usage(format!("{what}: {way}delete that directory, or choose another --home")))
    };
    if options.validators.is_some_and(|wanted| wanted != have) {
        let what = format!("the network in {home} has {have} validators");
        return refused(what, "start it without --validators, or ");
    }
    if options.app.is_some() && options.app != network.app_command {
        return refused(format!("the network in {home} runs another application"), "");
    }
    if options.accounts.is_some_and(|wanted| wanted != accounts) {
        let what = format!("the genesis of the network in {home} funds {accounts} accounts");
        return refused(what, "start it without --accounts, or ");
    }
    if !options.params.is_empty() || !options.fund.is_empty() {
        let what = format!("the network in {home} is made already");
        return refused(what, "start it without --param and --fund, or ");
    }
    let offset = network.port_offset();
    if options.port_offset.is_some_and(|wanted| wanted != offset) {
        let what = format!("the ports of the network in {home} are moved by {offset}");
        return refused(what, "start it without --port-offset, or ");
    }
    Ok(())
}

fn make(options: &Options) -> Result<Network> {
    let validators = options.validators.unwrap_or(VALIDATORS_SAFE_MIN);
    if validators == 0 || validators > VALIDATORS_MAX {
        return Err(Error::Usage(format!("--validators takes 1 to {VALIDATORS_MAX}")));
    }
    if validators < VALIDATORS_SAFE_MIN && !options.allow_small {
        return Err(Error::Usage(format!(
            "{validators} validators survive no fault: use at least {VALIDATORS_SAFE_MIN}, or add \
             --allow-small"
        )));
    }
    let accounts = options.accounts.unwrap_or(app_state::ACCOUNTS_DEFAULT);
    if accounts > app_state::ACCOUNTS_MAX {
        let most = app_state::ACCOUNTS_MAX;
        return Err(Error::Usage(format!("--accounts takes {most} at most")));
    }
    if options.app.is_some() && !(options.params.is_empty() && options.fund.is_empty()) {
        return Err(Error::Usage("--param and --fund are for networks without --app".into()));
    }
    let offset = options.port_offset.unwrap_or(0);
    if offset > PORT_OFFSET_MAX {
        return Err(Error::Usage(format!("--port-offset takes 0 to {PORT_OFFSET_MAX}")));
    }
    // A network is made with the ports it will have.
    let planned = |index| Validator::new(index, offset, String::new());
    let planned: Vec<_> = (0..validators).map(planned).collect();
    ports::check_free(&planned, options.app.is_none())?;
    say(&format!("• making genesis and keys of {validators} validators"));
    create::create(options, validators)
}

fn refuse_running(network: &Network) -> Result<()> {
    let running = alive(network).len();
    if running == 0 {
        return Ok(());
    }
    let flag = home_flag(&network.home);
    Err(Error::Usage(format!(
        "{running} processes of this network run already: see ./localnet/status{flag}, end them \
         with ./localnet/stop{flag}"
    )))
}

/// Every process of the network that runs.
pub fn alive(network: &Network) -> Vec<Started> {
    started(network).filter(|started| process::is_alive(started)).cloned().collect()
}

/// Every process of the network that was started last, whether it runs or not.
fn started(network: &Network) -> impl Iterator<Item = &Started> {
    // Engines first: an engine that loses its application would try to reconnect.
    let engines = network.validators.iter().filter_map(|v| v.engine.as_ref());
    let apps = network.validators.iter().filter_map(|v| v.app.as_ref());
    engines.chain(apps)
}

/// Starts what does not run of one validator.
pub fn start_pair(network: &mut Network, index: usize) -> Result<()> {
    for half in [Half::App, Half::Engine] {
        let last = network.validator(index)?.started(half);
        if !last.is_some_and(process::is_alive) {
            process::wait_for_ending(last.into_iter());
            if half == Half::App {
                // A socket left by a killed application would refuse the next one.
                let _ = std::fs::remove_file(network.socket(index));
            }
            process::spawn(network, index, half)?;
        }
    }
    say(&format!("• started validator {index}"));
    Ok(())
}

fn wait_first_block(network: &Network, patience: Duration) -> Result<()> {
    let begun = Instant::now();
    let (mut last, mut last_at) = (Seen::default(), begun);
    let mut line = WaitLine::new();
    loop {
        check_all_alive(network)?;
        let seen = Seen::of(network);
        if seen.heights.iter().all(|height| height.is_some_and(|height| height >= 1)) {
            drop(line);
            say(&format!("✓ first block on every validator after {:.1} s", secs(begun)));
            return Ok(());
        }
        let since = last_at.elapsed();
        if seen.heights != last.heights || seen.worked_since(&last) > since / IDLE_PART {
            (last, last_at) = (seen.clone(), Instant::now());
        } else if since >= patience {
            return Err(is_stuck(network, &seen, patience));
        }
        let ready = seen.heights.iter().flatten().count();
        line.show(&format!(
            "• waiting for the first block: {ready} of {} answer, {:.0} s; the applications have \
             worked {:.0} s",
            seen.heights.len(),
            secs(begun),
            seen.app_cpu.iter().sum::<Duration>().as_secs_f64()
        ));
        std::thread::sleep(LOOK_INTERVAL);
    }
}

/// What is said of a wait: on a terminal one line that changes, in a log a line now and then.
struct WaitLine {
    is_drawn: bool,
    logged_at: Option<Instant>,
}

impl WaitLine {
    fn new() -> WaitLine {
        WaitLine { is_drawn: std::io::stderr().is_terminal(), logged_at: None }
    }

    fn show(&mut self, line: &str) {
        if self.is_drawn {
            eprint!("\r{line} ");
            let _ = std::io::stderr().flush();
        } else if self.logged_at.is_none_or(|at| at.elapsed() >= LOGGED_INTERVAL) {
            self.logged_at = Some(Instant::now());
            say(line);
        }
    }
}

impl Drop for WaitLine {
    /// Clears the line that was drawn: another follows.
    fn drop(&mut self) {
        if self.is_drawn {
            eprint!("\r\x1b[K");
        }
    }
}

/// How far the validators have come.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// The newest height of each that answers.
    heights: Vec<Option<u64>>,
    /// Processor time of each application.
    app_cpu: Vec<Duration>,
}

impl Seen {
    fn of(network: &Network) -> Seen {
        let apps = network.validators.iter().filter_map(|validator| validator.app.as_ref());
        Seen {
            heights: network.validators.iter().map(probe::height).collect(),
            app_cpu: apps.map(|app| process::cpu_time(app.pid)).collect(),
        }
    }

    /// Processor time that the application which worked most has used since then.
    fn worked_since(&self, then: &Seen) -> Duration {
        let both = self.app_cpu.iter().zip(&then.app_cpu);
        both.map(|(now, before)| now.saturating_sub(*before)).max().unwrap_or_default()
    }
}

/// What is said of a network without a first block in which nothing happens any more.
fn is_stuck(network: &Network, seen: &Seen, patience: Duration) -> Error {
    let is_without = |height: &Option<u64>| height.is_none_or(|height| height == 0);
    let index = seen.heights.iter().position(is_without).unwrap_or_default();
    Error::Process(format!(
        "no first block, and nothing has happened for {} s; all logs are {}/v*/*.log, {}",
        patience.as_secs(),
        network.home.display(),
        process::end_of(&network.log(index, Half::Engine))
    ))
}

fn secs(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}

fn check_all_alive(network: &Network) -> Result<()> {
    for validator in &network.validators {
        for half in [Half::App, Half::Engine] {
            if !validator.started(half).is_some_and(process::is_alive) {
                let log = network.log(validator.index, half);
                return Err(Error::Process(format!(
                    "the {half} of validator {} ended; {}",
                    validator.index,
                    process::end_of(&log)
                )));
            }
        }
    }
    Ok(())
}

/// One line of progress.
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}
