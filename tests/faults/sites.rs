//! The sites that are played on, each for one test at a time: what one test stops, another would miss. There are
//! three, because a test mostly waits. This file must not know what is played.

use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use torture::play::waiting;
use torture::site::Site;

static SITES: [OnceLock<Site>; 3] = [const { OnceLock::new() }; 3];
/// Which of them nobody plays on.
static FREE: Mutex<[bool; SITES.len()]> = Mutex::new([true; SITES.len()]);
static FREED: Condvar = Condvar::new();

/// A site that a test has for itself until it drops this.
pub struct Alone(usize);

/// Waits for a site; the first time it is started.
pub fn alone() -> Alone {
    let mut free = free();
    let place = loop {
        match free.iter().position(|free| *free) {
            Some(place) => break place,
            None => free = FREED.wait(free).unwrap_or_else(PoisonError::into_inner),
        }
    };
    free[place] = false;
    Alone(place)
}

impl Alone {
    /// The site.
    pub fn get(&self) -> &'static Site {
        let site = SITES[self.0].get_or_init(Site::start);
        waiting::on_site(site);
        site
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        free()[self.0] = true;
        FREED.notify_one();
    }
}

fn free() -> MutexGuard<'static, [bool; SITES.len()]> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}
