//! How much memory a process has.

/// An entry of `/proc/…/status` in megabytes (10⁶ bytes).
pub fn megabytes(status: &str, entry: &str) -> Option<f64> {
    let value = status.lines().find_map(|line| line.strip_prefix(entry))?;
    let kib: f64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024. / 1e6)
}

/// Has this process's peak count from now on, and says how many megabytes it holds; none where the system can't.
pub(crate) fn restart_peak() -> Option<f64> {
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    megabytes(&std::fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}
