//! Whole programs: LeNet on MNIST from start to end, with reading the data, five epochs and the evaluations.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::python::Python;
use super::report::{Measured, median};
use super::{busy, memory, release};

pub(super) const NAME: &str = "mnist-program";
pub(super) const OURS: &str = "lenet";
pub(super) const ABOUT: &str =
    "the tutorial's program on MNIST, five epochs with evaluation, as a whole process";

/// Each takes tens of seconds.
const ROUNDS: usize = 3;
/// What both must reach, for their times to mean the same.
const LEAST_ACCURACY: f64 = 0.95;

pub(super) fn measure(python: &Python, threads: u16) -> crate::Result<Measured> {
    let busy = busy::share();
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(run(
            "our program",
            release(OURS)?.args(["--dataset", "mnist"]),
            threads,
        )?);
        peer.push(run(
            "PyTorch's program",
            python.script("mnist.py").arg(threads.to_string()),
            threads,
        )?);
    }
    let times = |runs: &[Run]| -> Vec<f64> { runs.iter().map(|run| run.ms).collect() };
    let most = |runs: &[Run]| {
        runs.iter()
            .filter_map(|run| run.peak_mb)
            .fold(None, |a: Option<f64>, b| Some(a.map_or(b, |a| a.max(b))))
    };
    let ratios: Vec<f64> = ours.iter().zip(&peer).map(|(a, b)| a.ms / b.ms).collect();
    Ok(Measured {
        name: NAME.to_owned(),
        row: NAME,
        ratio: median(&ratios),
        ratio_low: ratios.iter().copied().fold(f64::INFINITY, f64::min),
        ratio_high: ratios.iter().copied().fold(0., f64::max),
        ours_ms: median(&times(&ours)),
        peer_ms: median(&times(&peer)),
        ours_system_ms: None,
        system_ratio: None,
        ours_gflops: None,
        peer_gflops: None,
        ours_mb: most(&ours),
        peer_mb: most(&peer),
        ours_extra_mb: None,
        peer_extra_mb: None,
        ours_system_mb: None,
        busy,
    })
}

/// One run of one program.
struct Run {
    ms: f64,
    peak_mb: Option<f64>,
}

fn run(name: &str, command: &mut Command, threads: u16) -> crate::Result<Run> {
    let scratch = tempfile::tempdir()?;
    let (printed, errors) = (scratch.path().join("printed"), scratch.path().join("errors"));
    for variable in ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"] {
        command.env(variable, threads.to_string());
    }
    command
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&printed)?)
        .stderr(std::fs::File::create(&errors)?);
    let start = Instant::now();
    let mut child = command
        .current_dir(scratch.path())
        .spawn()
        .map_err(|e| format!("{name}: {e}"))?;
    let mut peak_mb = None;
    let status = loop {
        // The peak only grows; what an exited process had can't be read any more.
        peak_mb = memory::peak_mb(child.id()).or(peak_mb);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        thread::sleep(Duration::from_millis(10));
    };
    let ms = start.elapsed().as_secs_f64() * 1e3;
    let last = |path| {
        std::fs::read_to_string(path).map(|text: String| text.lines().last().unwrap_or_default().to_owned())
    };
    if !status.success() {
        return Err(format!("{name} failed: {}", last(errors)?).into());
    }
    let accuracy = accuracy(&std::fs::read_to_string(printed)?)
        .ok_or_else(|| format!("{name} printed no test accuracy"))?;
    if accuracy < LEAST_ACCURACY {
        return Err(format!(
            "{name} reached a test accuracy of {accuracy}, at least {LEAST_ACCURACY} is expected"
        )
        .into());
    }
    Ok(Run { ms, peak_mb })
}

fn accuracy(printed: &str) -> Option<f64> {
    printed
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("test accuracy:"))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_accuracy_is_read_from_the_last_lines() {
        assert_eq!(
            super::accuracy("epoch 1\ntest loss: 0.1\ntest accuracy: 0.9712\n"),
            Some(0.9712)
        );
        assert_eq!(super::accuracy("epoch 1\n"), None);
    }
}
