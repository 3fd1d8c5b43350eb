//! How much of the machine others use while ours is at rest: times from a busy machine say little.

use std::thread;
use std::time::Duration;

/// From this share of all processors on, a result is not to be trusted.
pub(super) const TOO_MUCH: f64 = 0.1;

/// The share of all processors that is in use, over a short while, where the system tells it.
pub(super) fn share() -> Option<f64> {
    let before = Ticks::now()?;
    thread::sleep(Duration::from_millis(200));
    let after = Ticks::now()?;
    let total = after.total.checked_sub(before.total).filter(|&ticks| ticks > 0)?;
    Some(1. - after.idle.saturating_sub(before.idle) as f64 / total as f64)
}

/// What all processors together have done since the machine started.
#[derive(Debug, PartialEq)]
struct Ticks {
    idle: u64,
    total: u64,
}

impl Ticks {
    fn now() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// From the first line of /proc/stat: `cpu  user nice system idle iowait irq softirq steal guest guest_nice`.
    fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<u64> = line
            .split_whitespace()
            .map_while(|ticks| ticks.parse().ok())
            .collect();
        // Guests are counted as user too.
        let [user, nice, system, idle, iowait, irq, softirq, steal] = *ticks.first_chunk()?;
        let idle = idle + iowait;
        Some(Self {
            idle,
            total: user + nice + system + irq + softirq + steal + idle,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_read() {
        let stat = "cpu  10 1 5 80 4 0 0 0 7 0\ncpu0 1 2 3 4 5 6 7 8\n";
        assert_eq!(Ticks::parse(stat), Some(Ticks { idle: 84, total: 100 }));
        assert_eq!(Ticks::parse("cpu  10 1\n"), None);
    }

    #[test]
    fn a_share_is_a_share() {
        if let Some(share) = share() {
            assert!((0. ..=1.).contains(&share), "{share}");
        }
    }
}
