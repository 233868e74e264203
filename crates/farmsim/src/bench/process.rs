//! What the kernel knows of a process.

use std::fs;

/// Resident memory, in KiB.
pub fn rss_kib(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Processor time of all its threads, in milliseconds.
pub fn cpu_ms(pid: u32) -> Option<f64> {
    let mut total = 0.0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        // A thread may end meanwhile.
        let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let first = text.split_whitespace().next();
        total += first.and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0);
    }
    Some(total / 1e6)
}
