//! What a signal does before this crate heeds it.

/// What becomes of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    /// It ends the process.
    Ends,
    /// Nothing.
    Ignored,
    /// The program has a handler of its own.
    Handled,
}

/// What this signal does now. Only Linux tells without unsafe code; elsewhere it counts as one that ends the process.
pub(super) fn disposition(signal: i32) -> Disposition {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    in_status(&status, signal)
}

/// From the masks of a process's signals, in which the first signal is the lowest bit.
fn in_status(status: &str, signal: i32) -> Disposition {
    let is_in = |mask: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(mask));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
    };
    match (is_in("SigIgn:"), is_in("SigCgt:")) {
        (true, _) => Disposition::Ignored,
        (_, true) => Disposition::Handled,
        _ => Disposition::Ends,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_read_bit_by_bit() {
        let status =
            "Name:\tx\nSigBlk:\t0000000000004002\nSigIgn:\t0000000000000002\nSigCgt:\t0000000000004000\n";
        for (signal, expected) in [
            (2, Disposition::Ignored),
            (15, Disposition::Handled),
            (1, Disposition::Ends),
            (64, Disposition::Ends),
        ] {
            assert_eq!(in_status(status, signal), expected, "{signal}");
        }
        assert_eq!(in_status("", 2), Disposition::Ends);
    }
}
