//! How much memory a process has needed at most.

/// The peak of a running process in megabytes (10⁶ bytes), where the system tells it.
pub(super) fn peak_mb(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    parse(&status)
}

fn parse(status: &str) -> Option<f64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024. / 1e6)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_peak_is_read() {
        assert_eq!(
            super::parse("Name:\tx\nVmHWM:\t    2000 kB\nVmRSS:\t 1 kB\n"),
            Some(2.048)
        );
        assert_eq!(super::parse("Name:\tx\n"), None);
    }
}
