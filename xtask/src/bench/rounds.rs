//! The measurement of one entry: sides that take turns.

use bench_rows::Entry;

use super::python::Python;
use super::report::{Measured, median};
use super::side::{Side, Summary};
use super::{busy, release};

const ROUNDS: usize = 7;
/// Lengths agree to this part of them, and directions to this cosine: a wrong layout, sign or scale is far beyond.
const TOLERANCE: f64 = 1e-3;

pub(super) fn measure(entry: &Entry, python: &Python, seconds: f64, threads: u16) -> crate::Result<Measured> {
    let name = entry.name();
    let mut ours = Side::start("our worker", release("bench-worker")?.arg(&name), threads)?;
    let mut system = Side::start(
        "our worker (system allocator)",
        release("bench-worker-system")?.arg(&name),
        threads,
    )?;
    let mut peer_command = python.script("peer.py");
    let mut peer = Side::start(
        "PyTorch's worker",
        peer_command.args([&name, &threads.to_string()]),
        threads,
    )?;
    compare(&ours.results, &peer.results).map_err(|difference| format!("{name}: {difference}"))?;

    let busy = busy::share();
    let block = seconds / ROUNDS as f64;
    let (our_steps, system_steps, peer_steps) = (
        steps(&mut ours, block)?,
        steps(&mut system, block)?,
        steps(&mut peer, block)?,
    );
    let (mut ours_ms, mut system_ms, mut peer_ms) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // PyTorch stands in the middle, and the outer two change places, so that none is always first.
        if round % 2 == 0 {
            ours_ms.push(ours.time(our_steps)?);
            peer_ms.push(peer.time(peer_steps)?);
            system_ms.push(system.time(system_steps)?);
        } else {
            system_ms.push(system.time(system_steps)?);
            peer_ms.push(peer.time(peer_steps)?);
            ours_ms.push(ours.time(our_steps)?);
        }
    }
    let ratios = |ours: &[f64]| -> Vec<f64> { ours.iter().zip(&peer_ms).map(|(a, b)| a / b).collect() };
    let (own_ratios, system_ratios) = (ratios(&ours_ms), ratios(&system_ms));
    let operations = entry.row.operations.map(|count| count(entry.shape));
    let rate = |ms: f64| operations.map(|count| count / ms / 1e6);
    let (ours_median, peer_median) = (median(&ours_ms), median(&peer_ms));
    Ok(Measured {
        row: entry.row.name,
        ratio: median(&own_ratios),
        ratio_low: own_ratios.iter().copied().fold(f64::INFINITY, f64::min),
        ratio_high: own_ratios.iter().copied().fold(0., f64::max),
        ours_ms: ours_median,
        peer_ms: peer_median,
        ours_system_ms: Some(median(&system_ms)),
        system_ratio: Some(median(&system_ratios)),
        ours_gflops: rate(ours_median),
        peer_gflops: rate(peer_median),
        ours_mb: ours.peak_mb(),
        peer_mb: peer.peak_mb(),
        ours_extra_mb: ours.extra_mb(),
        peer_extra_mb: peer.extra_mb(),
        ours_system_mb: system.peak_mb(),
        busy,
        name,
    })
}

/// How many steps fill a block, from the time that a few take when all is warm.
fn steps(side: &mut Side, block: f64) -> crate::Result<usize> {
    let mut step = side.time(3)? / 1e3;
    // Steps that are longer than a block are measured one at a time.
    if step < block {
        step = side.time(5)? / 1e3;
    }
    let least = if step < block { 3 } else { 1 };
    // Of each block's steps, a tenth more are done that don't count.
    Ok(((block / step / 1.1) as usize).clamp(least, 100_000))
}

/// Both sides must compute the same, else their times say nothing.
fn compare(ours: &[Summary], peer: &[Summary]) -> Result<(), String> {
    let names = |side: &[Summary]| {
        side.iter()
            .map(|Summary(name, ..)| name.clone())
            .collect::<Vec<_>>()
    };
    if names(ours) != names(peer) {
        return Err(format!(
            "we compute {}; PyTorch {}",
            names(ours).join(", "),
            names(peer).join(", ")
        ));
    }
    for (Summary(name, a, cosine_a), Summary(_, b, cosine_b)) in ours.iter().zip(peer) {
        let (length, direction) = (
            (a - b).abs() <= TOLERANCE * b,
            (cosine_a - cosine_b).abs() <= TOLERANCE,
        );
        // So written, a NaN is a difference.
        if !(length && direction) {
            return Err(format!(
                "{name} differs: its length is {a} and PyTorch's {b}, its cosine to a fixed vector {cosine_a} and {cosine_b}"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(list: &[(&str, f64, f64)]) -> Vec<Summary> {
        list.iter()
            .map(|(name, norm, cosine)| Summary((*name).to_owned(), *norm, *cosine))
            .collect()
    }

    #[test]
    fn different_results_are_told_apart() {
        let ours = results(&[("loss", 2.3, 1.)]);
        for (peer, same) in [
            (vec![("loss", 2.3, 1.)], true),
            (vec![("loss", 2.301, 1.)], true),
            (vec![("loss", 2.4, 1.)], false),
            (vec![("loss", 2.3, 0.9)], false),
            (vec![("loss", f64::NAN, 1.)], false),
            (vec![("cost", 2.3, 1.)], false),
            (vec![], false),
        ] {
            assert_eq!(compare(&ours, &results(&peer)).is_ok(), same, "{peer:?}");
        }
    }
}
