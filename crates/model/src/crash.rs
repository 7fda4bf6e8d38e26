//! Named points at which a test ends the process as a power cut would.
//!
//! Recovery is only believed where it was seen: tests set `GARAGESWARM_CRASH=name@n`, and the process aborts
//! when it passes the point `name` for the `n`-th time. Without that variable a point costs one load.

use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

struct Plan {
    name: String,
    at: u64,
    passed: AtomicU64,
}

static PLAN: OnceLock<Option<Plan>> = OnceLock::new();

fn plan() -> Option<&'static Plan> {
    PLAN.get_or_init(|| {
        let text = std::env::var("GARAGESWARM_CRASH").ok()?;
        let (name, at) = text.split_once('@').unwrap_or((&text, "1"));
        Some(Plan { name: name.to_owned(), at: at.parse().unwrap_or(1), passed: AtomicU64::new(0) })
    })
    .as_ref()
}

/// Passes the point `name`; ends the process at once if the test asked for that here.
pub fn point(name: &'static str) {
    let Some(plan) = plan() else { return };
    if plan.name == name && plan.passed.fetch_add(1, Ordering::Relaxed) + 1 == plan.at {
        // The test counts these lines: a point that is never hit proves nothing. A failed write changes nothing.
        writeln!(std::io::stderr(), "crash point {name}").ok();
        std::process::abort();
    }
}
