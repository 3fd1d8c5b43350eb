//! What a run ran on.

use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn rows(device: Option<&str>) -> Vec<(String, String)> {
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    let mut rows = vec![
        ("sconce".to_string(), env!("CARGO_PKG_VERSION").to_string()),
        ("build".to_string(), build.to_string()),
        (
            "threads".to_string(),
            candle_core::utils::get_num_threads().to_string(),
        ),
        ("system".to_string(), format!("{system}, {processor}")),
    ];
    if let Some(device) = device {
        rows.push(("device".to_string(), device.to_string()));
    }
    rows
}

/// The time, as `2026-11-28 07:45 UTC`.
pub(super) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    date(since.map_or(0, |time| time.as_secs()))
}

/// Seconds since 1970 in the calendar of Gregory, by the algorithm of H. Hinnant's "chrono-compatible low-level date
/// algorithms": years begin in March, so that the day that comes and goes is their last.
fn date(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, new_year) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = 400 * era + year + new_year;
    let (hour, minute) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // From `date -u -d @N`.
        let known = [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59 UTC"),
            (1_709_251_200, "2024-03-01 00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ];
        for (seconds, expected) in known {
            assert_eq!(date(seconds), expected);
        }
    }
}
