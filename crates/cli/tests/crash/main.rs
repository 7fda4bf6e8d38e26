//! The whole product, killed again and again: whatever was acknowledged ends exactly once.
//!
//! Real processes of the real binary. They die by SIGKILL at random moments, and by their own hand at named
//! points before and after each commit, acknowledgement and effect.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod swarm;
mod verify;

use std::time::Duration;

use swarm::{Role, Swarm};

/// The coordinator's points, `server/src/dispatch/drive.rs`.
const COORDINATOR_POINTS: [&str; 5] =
    ["commit.before", "commit.after", "answer.before", "answer.after", "effects.after"];

/// Kills at random moments; `GARAGESWARM_TEST_LONG` makes it hundreds.
fn random_kills() -> u64 {
    if std::env::var_os("GARAGESWARM_TEST_LONG").is_some() { 300 } else { 16 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_named_point_of_the_coordinator_loses_nothing() {
    let mut swarm = Swarm::start();
    for (nth, point) in COORDINATOR_POINTS.iter().enumerate() {
        // Not the first pass: something is under way on both sides of the point.
        swarm.restart_to_crash(Role::Coordinator, point, 6 + nth as u64);
        swarm.submit_until_crash(Role::Coordinator).await;
        swarm.expect_hit(Role::Coordinator, point);
        swarm.restart(Role::Coordinator);
        swarm.drain().await;
    }
    swarm.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_named_point_of_the_agent_loses_nothing() {
    let mut swarm = Swarm::start();
    for point in swarm_agent::CRASH_POINTS {
        let nth = if point == "agent.hello.sent" { 1 } else { 3 };
        swarm.restart_to_crash(Role::Worker, point, nth);
        swarm.submit_until_crash(Role::Worker).await;
        swarm.expect_hit(Role::Worker, point);
        swarm.restart(Role::Worker);
        swarm.drain().await;
    }
    swarm.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_moments_lose_nothing() {
    let seed: u64 =
        std::env::var("GARAGESWARM_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand_seed);
    println!("again with: GARAGESWARM_TEST_SEED={seed} cargo test -p garageswarm --test crash kills_at_random");
    let mut random = SmallRandom(seed);
    let mut swarm = Swarm::start();
    for round in 0..random_kills() {
        swarm.submit(5).await;
        swarm.run_for(Duration::from_millis(30 + random.below(400))).await;
        let victim = if random.below(2) == 0 { Role::Coordinator } else { Role::Worker };
        swarm.kill(victim);
        swarm.restart(victim);
        if round % 8 == 7 {
            swarm.drain().await;
        }
    }
    swarm.drain().await;
    swarm.finish().await;
}

fn rand_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::process::id())
}

/// SplitMix64 (Steele, Lea and Flood, 2014): enough to choose moments, and repeatable.
struct SmallRandom(u64);

impl SmallRandom {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
