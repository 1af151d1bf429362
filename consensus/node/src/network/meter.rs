//! What goes over a connection, measured as CometBFT's clients expect it in `net_info`: sums, and
//! rates over samples of 100 ms smoothed over about a second.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Length of a sample.
const SAMPLE: Duration = Duration::from_millis(100);
/// Over how long the current rate is smoothed.
const WINDOW: Duration = Duration::from_secs(1);

/// Flow in one direction. Rates are bytes a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow {
    /// When it began.
    pub start: SystemTime,
    /// For how long it has been measured.
    pub duration: Duration,
    /// How long nothing has come.
    pub idle: Duration,
    /// Bytes since it began.
    pub bytes: u64,
    /// Samples with bytes.
    pub samples: u64,
    /// Rate of the last sample.
    pub rate_last: u64,
    /// Smoothed rate.
    pub rate_now: u64,
    /// Over the whole time.
    pub rate_mean: u64,
    /// The highest smoothed rate.
    pub rate_peak: u64,
}

/// One direction of a connection.
#[derive(Clone, Copy, Debug)]
struct Meter {
    began: Instant,
    start: SystemTime,
    bytes: u64,
    /// Of the sample in progress, and since when.
    pending: u64,
    sampled: Instant,
    last: Option<Instant>,
    samples: u64,
    rate_last: f64,
    rate_now: f64,
    rate_peak: f64,
}

impl Meter {
    fn new(now: Instant) -> Meter {
        Meter {
            began: now,
            start: SystemTime::now(),
            bytes: 0,
            pending: 0,
            sampled: now,
            last: None,
            samples: 0,
            rate_last: 0.0,
            rate_now: 0.0,
            rate_peak: 0.0,
        }
    }

    fn add(&mut self, bytes: usize, now: Instant) {
        self.settle(now);
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.pending = self.pending.saturating_add(bytes as u64);
        self.last = Some(now);
    }

    /// Ends the sample in progress if it is long enough.
    fn settle(&mut self, now: Instant) {
        let span = now.saturating_duration_since(self.sampled);
        if span < SAMPLE {
            return;
        }
        let rate = self.pending as f64 / span.as_secs_f64();
        let kept = (-span.as_secs_f64() / WINDOW.as_secs_f64()).exp();
        self.rate_now = self.rate_now * kept + rate * (1.0 - kept);
        self.rate_peak = self.rate_peak.max(self.rate_now);
        self.rate_last = rate;
        self.samples += u64::from(self.pending > 0);
        self.pending = 0;
        self.sampled = now;
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // rates are not negative
    fn flow(mut self, now: Instant) -> Flow {
        self.settle(now);
        let duration = now.saturating_duration_since(self.began);
        let mean = self.bytes as f64 / duration.as_secs_f64().max(SAMPLE.as_secs_f64());
        Flow {
            start: self.start,
            duration,
            idle: now.saturating_duration_since(self.last.unwrap_or(self.began)),
            bytes: self.bytes,
            samples: self.samples,
            rate_last: self.rate_last as u64,
            rate_now: self.rate_now as u64,
            rate_mean: mean as u64,
            rate_peak: self.rate_peak as u64,
        }
    }
}

#[derive(Debug)]
struct Inner {
    sent: Meter,
    received: Meter,
    /// Sent by channel.
    lanes: Vec<Meter>,
    /// Bytes received by channel.
    heard: Vec<u64>,
}

/// The meters of one connection, shared between its task and who asks.
#[derive(Debug)]
pub(super) struct Meters(Mutex<Inner>);

impl Meters {
    pub(super) fn new(lanes: usize) -> Meters {
        let meter = Meter::new(Instant::now());
        let (heard, lanes) = (vec![0; lanes], vec![meter; lanes]);
        Meters(Mutex::new(Inner { sent: meter, received: meter, lanes, heard }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn on_sent(&self, lane: usize, bytes: usize) {
        let now = Instant::now();
        let mut inner = self.lock();
        inner.sent.add(bytes, now);
        if let Some(meter) = inner.lanes.get_mut(lane) {
            meter.add(bytes, now);
        }
    }

    pub(super) fn on_received(&self, lane: usize, bytes: usize) {
        let now = Instant::now();
        let mut inner = self.lock();
        inner.received.add(bytes, now);
        if let Some(heard) = inner.heard.get_mut(lane) {
            *heard = heard.saturating_add(bytes as u64);
        }
    }

    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.lock().sent.began)
    }

    pub(super) fn sent(&self, now: Instant) -> Flow {
        self.lock().sent.flow(now)
    }

    pub(super) fn received(&self, now: Instant) -> Flow {
        self.lock().received.flow(now)
    }

    /// Of one channel: bytes sent, bytes received, and the smoothed rate of sending.
    pub(super) fn of_lane(&self, lane: usize, now: Instant) -> (u64, u64, u64) {
        let inner = self.lock();
        let sent = inner.lanes.get(lane).map(|meter| meter.flow(now));
        let heard = inner.heard.get(lane).copied().unwrap_or(0);
        sent.map_or((0, heard, 0), |sent| (sent.bytes, heard, sent.rate_now))
    }
}
