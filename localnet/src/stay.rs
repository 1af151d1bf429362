//! A network in the foreground: says which half of which validator ended as soon as it has, and
//! which is back, until it is told to end or nothing is left.

use std::path::{Path, PathBuf};

use rustix::fs::inotify;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::network::{EndedBy, Half, Network, STATE_FILE, Started};
use crate::start::say;
use crate::{Error, Result, end, process};

/// Watches over the network in `home` until Ctrl-C or SIGTERM, and then ends it.
///
/// # Errors
/// When nothing of it is left although nobody said that it should end.
pub fn stay(home: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| cannot("wait for signals", &error))?;
    match runtime.block_on(watch(home))? {
        Over::Told => {
            eprintln!();
            end::stop(home)
        }
        Over::Stopped => Ok(()),
        Over::Dead => Err(Error::Process("nothing of the network is left".to_string())),
    }
}

fn cannot(what: &str, error: &dyn std::fmt::Display) -> Error {
    Error::Process(format!("cannot {what}: {error}"))
}

/// Why there is nothing to watch any more.
enum Over {
    /// Somebody at this terminal said so.
    Told,
    /// `./localnet/stop` did it.
    Stopped,
    /// All have ended, the last of them not by `./localnet/stop`.
    Dead,
}

/// What is watched for.
enum Event {
    /// The network's file was replaced.
    Changed,
    Ended(Ended),
    /// Nothing can be watched any more.
    Failed(Error),
}

async fn watch(home: &Path) -> Result<Over> {
    let mut term =
        signal(SignalKind::terminate()).map_err(|error| cannot("wait for SIGTERM", &error))?;
    let (sender, mut events) = unbounded_channel();
    // From here on no change is missed; then what there is already is read.
    watch_file(home, sender.clone())?;
    let mut processes =
        Processes { home: home.to_path_buf(), known: vec![], running: 0, events: sender };
    processes.follow(&Network::load(home)?);
    loop {
        let event = tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(Over::Told),
            _ = term.recv() => return Ok(Over::Told),
            Some(event) = events.recv() => event,
        };
        match event {
            Event::Failed(error) => return Err(error),
            Event::Changed => {
                for (index, half) in processes.follow(&Network::load(home)?) {
                    say(&format!("✓ the {half} of validator {index} is back"));
                }
            }
            Event::Ended(ended) => {
                let by = processes.say_end(&ended)?;
                if processes.running == 0 {
                    return Ok(if by == Some(EndedBy::Stop) { Over::Stopped } else { Over::Dead });
                }
            }
        }
    }
}

/// A process that has ended.
struct Ended {
    index: usize,
    half: Half,
    started: Started,
    /// As [`process::wait_and_take`] has it.
    how: Option<String>,
}

/// The processes of a network, each watched by a thread that waits for its end.
struct Processes {
    home: PathBuf,
    /// All that were ever watched, as they were last seen in the network's file.
    known: Vec<Started>,
    /// How many have not been said to have ended.
    running: usize,
    events: UnboundedSender<Event>,
}

impl Processes {
    /// Watches over those that were not known, and returns which they are.
    fn follow(&mut self, network: &Network) -> Vec<(usize, Half)> {
        let mut new = Vec::new();
        for validator in &network.validators {
            for half in [Half::App, Half::Engine] {
                let Some(started) = validator.started(half) else { continue };
                if let Some(known) = self.known.iter_mut().find(|known| known.is_same(started)) {
                    known.ended_by = started.ended_by;
                } else {
                    self.known.push(started.clone());
                    self.running += 1;
                    watch_process(validator.index, half, started.clone(), self.events.clone());
                    new.push((validator.index, half));
                }
            }
        }
        new
    }

    /// Says that one has ended, and returns what ended it, if that was a command.
    fn say_end(&mut self, ended: &Ended) -> Result<Option<EndedBy>> {
        let Ended { index, half, started, how } = ended;
        self.running -= 1;
        let network = Network::load(&self.home)?;
        let last = network.validator(*index)?.started(*half);
        let known = self.known.iter().find(|known| known.is_same(started));
        let by = last.filter(|last| last.is_same(started)).or(known).and_then(|it| it.ended_by);
        match by {
            Some(by) => say(&format!("• {by} ended the {half} of validator {index}")),
            None => {
                let how = how.as_ref().map(|how| format!(" ({how})")).unwrap_or_default();
                let log = process::end_of(&network.log(*index, *half));
                say(&format!("✗ the {half} of validator {index} ended{how}; {log}"));
            }
        }
        Ok(by)
    }
}

// The threads below end with the program: a send that fails has nobody left to tell.

fn watch_process(index: usize, half: Half, started: Started, events: UnboundedSender<Event>) {
    std::thread::spawn(move || {
        let how = process::wait_and_take(&started);
        events.send(Event::Ended(Ended { index, half, started, how }))
    });
}

/// Tells of every change of the network's file. The file is replaced by a new one each time, so
/// its directory is watched.
fn watch_file(home: &Path, events: UnboundedSender<Event>) -> Result<()> {
    let refused = |error| cannot("watch the network's file", &error);
    let changes = inotify::init(inotify::CreateFlags::CLOEXEC).map_err(refused)?;
    inotify::add_watch(&changes, home, inotify::WatchFlags::MOVED_TO).map_err(refused)?;
    std::thread::spawn(move || {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut changes = inotify::Reader::new(changes, &mut buffer);
        loop {
            let event = match changes.next() {
                Ok(event) => {
                    let name = event.file_name().map(std::ffi::CStr::to_bytes);
                    (name == Some(STATE_FILE.as_bytes())).then_some(Event::Changed)
                }
                Err(rustix::io::Errno::INTR) => None,
                Err(error) => Some(Event::Failed(refused(error))),
            };
            let is_last = matches!(event, Some(Event::Failed(_)));
            if event.is_some_and(|event| events.send(event).is_err()) || is_last {
                return;
            }
        }
    });
    Ok(())
}
