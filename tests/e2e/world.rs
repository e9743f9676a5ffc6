//! The site that most tests share, with what they want of it: every span of its services is collected.

use std::sync::OnceLock;

use crate::site::Site;
use crate::tracing;

/// The site. It is ready when this returns.
pub fn world() -> &'static Site {
    static WORLD: OnceLock<Site> = OnceLock::new();
    WORLD.get_or_init(|| Site::start_with(tracing::environment()))
}
