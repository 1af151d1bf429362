//! What all who ask share, and of which one address may have a part: whoever wants all of it needs
//! more than one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So much of something.
pub(crate) struct Shares {
    whole: Arc<Semaphore>,
    /// What one address may have of it.
    each: usize,
    /// What is left to each. Those that have nothing, and wait for nothing, are not there.
    addresses: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
}

/// A part of it, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    _whole: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
}

impl Shares {
    /// `whole` in all, of which one address may have `percent`, and 1 in any case.
    pub(crate) fn new(whole: usize, percent: u8) -> Self {
        let each = whole.saturating_mul(usize::from(percent)) / 100;
        let each = each.clamp(1, whole.max(1));
        Self { whole: Arc::new(Semaphore::new(whole)), each, addresses: Mutex::default() }
    }

    fn own(&self, address: IpAddr) -> Arc<Semaphore> {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.retain(|_, own| Arc::strong_count(own) > 1);
        let own = addresses.entry(address);
        own.or_insert_with(|| Arc::new(Semaphore::new(self.each))).clone()
    }

    /// How many addresses have something.
    #[cfg(test)]
    pub(crate) fn known(&self) -> usize {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.values().filter(|own| Arc::strong_count(own) > 1).count()
    }

    /// So much of it for an address, if it is there.
    pub(crate) fn try_take(&self, address: IpAddr, much: u32) -> Option<Share> {
        let own = self.own(address).try_acquire_many_owned(much).ok()?;
        let whole = self.whole.clone().try_acquire_many_owned(much).ok()?;
        Some(Share { _whole: whole, _own: own })
    }

    /// One of it for an address, when it is there. First come, first served.
    pub(crate) async fn take(&self, address: IpAddr) -> Option<Share> {
        let own = self.own(address).acquire_owned().await.ok()?;
        let whole = self.whole.clone().acquire_owned().await.ok()?;
        Some(Share { _whole: whole, _own: own })
    }
}
