//! How much memory a process has needed at most.

use bench_rows::memory::megabytes;

/// The peak of a running process in megabytes (10⁶ bytes), where the system tells it.
pub(super) fn peak_mb(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    megabytes(&status, "VmHWM:")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_peak_is_read() {
        assert_eq!(
            super::megabytes("Name:\tx\nVmHWM:\t    2000 kB\nVmRSS:\t 1 kB\n", "VmHWM:"),
            Some(2.048)
        );
        assert_eq!(super::megabytes("Name:\tx\n", "VmHWM:"), None);
    }
}
