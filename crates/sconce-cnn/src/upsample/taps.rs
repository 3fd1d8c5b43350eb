//! Which elements a resampled one is made of.

use super::UpsampleMode;
use crate::along::Term;

/// The terms of every one of `size` outputs on an axis of `length`, `step` apart.
pub(super) fn rows(
    mode: UpsampleMode,
    align_corners: bool,
    length: usize,
    size: usize,
    step: f64,
) -> Vec<Vec<Term>> {
    let last = length.saturating_sub(1);
    let centre = |i: usize| match align_corners {
        true => step * i as f64,
        false => step * (i as f64 + 0.5) - 0.5,
    };
    let row = |i: usize| match mode {
        UpsampleMode::Nearest => vec![(nearest(i, length, size, step) as u32, 1.)],
        UpsampleMode::NearestExact => {
            // PyTorch computes these in f32, whatever the tensors are.
            let at = ((i as f32 + 0.5) * step as f32).floor() as usize;
            vec![(at.min(last) as u32, 1.)]
        }
        UpsampleMode::Linear => {
            let at = centre(i).max(0.);
            let low = (at.floor() as usize).min(last);
            let share = (at - low as f64).clamp(0., 1.);
            joined([(low, 1. - share), ((low + 1).min(last), share)])
        }
        UpsampleMode::Cubic => {
            let at = centre(i);
            let low = at.floor();
            let weights = cubic(at - low);
            let place = |k: usize| (low as i64 - 1 + k as i64).clamp(0, last as i64) as usize;
            let [a, b, c, d] = weights;
            joined([(place(0), a), (place(1), b), (place(2), c), (place(3), d)])
        }
    };
    (0..size).map(row).collect()
}

fn nearest(i: usize, length: usize, size: usize, step: f64) -> usize {
    match size {
        _ if size == length => i,
        _ if size == 2 * length => i / 2,
        _ => ((i as f32 * step as f32).floor() as usize).min(length.saturating_sub(1)),
    }
}

/// Weights of the elements from one before to two after, at a share `t` of the way from the one to the next.
fn cubic(t: f64) -> [f64; 4] {
    const A: f64 = -0.75;
    let near = |x: f64| ((A + 2.) * x - (A + 3.)) * x * x + 1.;
    let far = |x: f64| ((A * x - 5. * A) * x + 8. * A) * x - 4. * A;
    [far(t + 1.), near(t), near(1. - t), far(2. - t)]
}

/// Terms without those of weight 0, unless all are, and with those of one element added up.
fn joined<const N: usize>(terms: [(usize, f64); N]) -> Vec<Term> {
    let mut row: Vec<Term> = Vec::with_capacity(N);
    for (source, weight) in terms {
        match row.last_mut() {
            Some((known, sum)) if *known as usize == source => *sum += weight,
            _ if weight == 0. => {}
            _ => row.push((source as u32, weight)),
        }
    }
    row
}
