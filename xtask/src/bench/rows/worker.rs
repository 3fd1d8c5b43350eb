//! A process that runs one entry as often as it is told.
//!
//! It first writes a line of JSON, `{"results": [[name, length, cosine], …], "start_mb": …}`, where the latter is the memory that
//! it holds before the first step; its peak is counted from there. Then it reads lines, each a number of steps,
//! does as many after a few that don't count, and answers each with the median time of a step in milliseconds.

use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::time::Instant;

use crate::{Result, Work, entries, inputs, memory};

/// Runs the entry named by the only argument until standard input ends.
pub fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let all = entries();
    let entry = all
        .iter()
        .find(|entry| entry.name() == name)
        .ok_or_else(|| format!("no entry {name:?}"))?;
    let mut work = (entry.row.start)(entry.shape)?;
    let start_mb = memory::restart_peak();
    let mut results = Vec::new();
    for (name, result) in work.results()? {
        let (norm, cosine) = inputs::summary(&result);
        results.push((name, norm, cosine));
    }
    answer(&serde_json::json!({ "results": results, "start_mb": start_mb }).to_string())?;
    for line in std::io::stdin().lock().lines() {
        let steps: usize = line?.trim().parse()?;
        answer(&median_ms(work.as_mut(), steps)?.to_string())?;
    }
    Ok(())
}

fn answer(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn median_ms(work: &mut dyn Work, steps: usize) -> Result<f64> {
    // The other side had the caches until now.
    for _ in 0..steps.div_ceil(10) {
        work.step()?;
    }
    let mut times = Vec::with_capacity(steps);
    for _ in 0..steps {
        let start = Instant::now();
        work.step()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    times
        .get(steps / 2)
        .copied()
        .ok_or_else(|| "at least one step must be asked for".into())
}
