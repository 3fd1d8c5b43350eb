//! Connectionist temporal classification: the forward and the backward recursion over a row's alignments, in logarithms.
//!
//! They are in f64 whatever the input's type: along hundreds of frames the logarithms grow to thousands, and what is lost of
//! their last places is the relative error of the posteriors.

use super::lanes::log_sum_exp;
use crate::ctc::batch::{Batch, Row};
use sconce_core::cpu::Real;
use sconce_kernels::parallel::{self, BlankPart, Rows};
use sconce_kernels::simd::{self, Kernel, Simd, Vector};

/// Impossible states before a frame's first, so that every state has two before it.
const LEAD: usize = 2;

/// Work of a state, in elements of the cheapest kind of work.
const WEIGHT: usize = 16;

/// What the forward recursion leaves: the losses, and what the backward one needs.
pub(crate) struct Trellis {
    pub(crate) losses: Vec<f64>,
    /// For each row, frame and state ln Σ of the alignments that are there then.
    alpha: Vec<f64>,
}

/// The log-probabilities of one row.
#[derive(Clone, Copy)]
struct Frames<'a, T> {
    all: &'a [T],
    /// From one frame to the next, and where the first is.
    step: usize,
    start: usize,
}

impl<T: Real> Frames<'_, T> {
    /// Those of the classes that the states have.
    #[inline(always)]
    fn emitted(&self, t: usize, states: &[usize], out: &mut [f64]) {
        let frame = &self.all[t * self.step + self.start..];
        for (out, &class) in out.iter_mut().zip(states) {
            *out = frame[class].wide();
        }
    }
}

impl Batch {
    fn frames_of<'a, T>(&self, log_probs: &'a [T], row: usize) -> Frames<'a, T> {
        Frames {
            all: log_probs,
            step: self.rows.len() * self.classes,
            start: row * self.classes,
        }
    }

    /// Runs `f` for each row, in parallel if that pays.
    fn for_each<I: Send>(&self, items: Vec<I>, f: impl Fn(I) + Sync) {
        let states: usize = self.rows.iter().map(|row| row.frames * row.states.len()).sum();
        if states * WEIGHT < parallel::THRESHOLD {
            items.into_iter().for_each(f);
        } else {
            parallel::for_each(items, f);
        }
    }
}

/// What each state adds for being entered from two before: nothing, or −∞ where that can't be.
fn barriers(row: &Row) -> Vec<f64> {
    let barrier = |may| if may { 0. } else { f64::NEG_INFINITY };
    row.skips().map(barrier).collect()
}

/// The rows' losses, and what their gradient needs; from `[frames, batch, classes]`.
pub(crate) fn ctc<T: Real>(batch: &Batch, log_probs: &[T]) -> Trellis {
    let size = |row: &Row| row.frames * (LEAD + row.states.len());
    let mut alpha = vec![f64::NEG_INFINITY; batch.rows.iter().map(size).sum()];
    let mut losses = vec![0.; batch.rows.len()];
    let mut rest = &mut alpha[..];
    let mut items = Vec::with_capacity(losses.len());
    for (n, (row, loss)) in batch.rows.iter().zip(&mut losses).enumerate() {
        let frames = batch.frames_of(log_probs, n);
        let (alpha, after) = rest.split_at_mut(size(row));
        rest = after;
        items.push((loss, Forward { row, frames, alpha }));
    }
    batch.for_each(items, |(loss, forward)| {
        *loss = match (forward.row.frames, forward.row.labels()) {
            (0, 0) => 0.,
            (0, _) => f64::INFINITY,
            _ => -simd::dispatch(forward),
        };
    });
    Trellis { losses, alpha }
}

struct Forward<'a, T> {
    row: &'a Row,
    frames: Frames<'a, T>,
    alpha: &'a mut [f64],
}

impl<T: Real> Kernel for Forward<'_, T> {
    /// The log-likelihood.
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let Self { row, frames, .. } = self;
        let (states, lanes) = (row.states.len(), s.lanes::<f64>());
        let barriers = barriers(row);
        let mut emitted = vec![0.; states];
        let mut before: &[f64] = &[];
        for (t, now) in self.alpha.chunks_exact_mut(LEAD + states).enumerate() {
            frames.emitted(t, &row.states, &mut emitted);
            if t == 0 {
                for (now, emitted) in now[LEAD..].iter_mut().zip(&emitted).take(2) {
                    *now = *emitted;
                }
            } else {
                for i in (0..states).step_by(lanes) {
                    let skip = s.load::<f64>(&before[i..]) + s.load(&barriers[i..]);
                    let reach =
                        log_sum_exp([s.load::<f64>(&before[i + 2..]), s.load(&before[i + 1..]), skip]);
                    (reach + s.load(&emitted[i..])).store(&mut now[LEAD + i..]);
                }
            }
            before = now;
        }
        // In the last label or the blank after it; with no label there is that blank alone.
        let (a, b) = (before[before.len() - 2], before[before.len() - 1]);
        let max = if a > b { a } else { b };
        if max == f64::NEG_INFINITY {
            return max;
        }
        max + ((a - max).exp() + (b - max).exp()).ln()
    }
}

/// The log-probabilities' gradient: scale · (exp(log_prob) − posterior), for a scale a row; rows without one, and frames past a
/// row's length, get 0.
pub(crate) fn ctc_gradient<T: Real>(
    batch: &Batch,
    log_probs: &[T],
    trellis: &Trellis,
    scales: &[Option<f64>],
) -> Vec<T> {
    let posteriors = posteriors(batch, log_probs, trellis, scales);
    let (rows, classes) = (batch.rows.len(), batch.classes);
    parallel::fresh(log_probs.len(), |out| {
        let parts = (Rows(out, classes), Rows(log_probs, classes));
        parallel::zip_rows(classes, parts, |first, (out, log_probs)| {
            let frames = log_probs.chunks_exact(classes).zip(first..);
            let frames = frames.map(|(log_probs, i)| {
                let (t, n) = (i / rows, i % rows);
                let (row, scale) = (&batch.rows[n], scales[n]);
                let scale = scale.filter(|_| t < row.frames);
                scale.map_or((log_probs, None), |scale| {
                    let states = row.states.len();
                    let posteriors = posteriors[n]
                        .get(t * states..(t + 1) * states)
                        .unwrap_or_default();
                    (log_probs, Some((T::of(scale), &row.states[..], posteriors)))
                })
            });
            simd::dispatch(Gradient { out, frames });
        });
    })
}

struct Gradient<'a, T: 'static, I> {
    out: BlankPart<'a, T>,
    /// Each frame's log-probabilities; its scale, states and their posteriors, unless its gradient is 0.
    frames: I,
}

impl<'b, T: Real, I> Kernel for Gradient<'_, T, I>
where
    I: Iterator<Item = (&'b [T], Option<(T, &'b [usize], &'b [T])>)>,
{
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        for (log_probs, frame) in self.frames {
            self.out.write(
                s,
                log_probs.len(),
                #[inline(always)]
                |out| {
                    let Some((scale, states, posteriors)) = frame else {
                        out.fill(T::ZERO);
                        return;
                    };
                    let factor = s.splat(scale);
                    simd::map1(
                        s,
                        out,
                        log_probs,
                        #[inline(always)]
                        |x: T::Vector<S>| x.exp() * factor,
                    );
                    // Half of the states are the blank: its sum stays in a register.
                    let mut blank = T::ZERO;
                    let (pairs, last) = posteriors.as_chunks::<2>();
                    for ([between, label], classes) in pairs.iter().zip(states.chunks_exact(2)) {
                        blank += *between;
                        out[classes[1]] -= scale * *label;
                    }
                    if let [last] = last {
                        out[states[0]] -= scale * (blank + *last);
                    }
                },
            );
        }
    }
}

/// For each row that has a finite scale, each frame and state: how probable it is to be there then.
fn posteriors<T: Real>(
    batch: &Batch,
    log_probs: &[T],
    trellis: &Trellis,
    scales: &[Option<f64>],
) -> Vec<Vec<T>> {
    let mut posteriors: Vec<Vec<T>> = batch.rows.iter().map(|_| Vec::new()).collect();
    let mut rest = &trellis.alpha[..];
    let mut items = Vec::new();
    let rows = batch.rows.iter().zip(scales).zip(&trellis.losses);
    for (n, (((row, scale), loss), out)) in rows.zip(&mut posteriors).enumerate() {
        let (alpha, after) = rest.split_at(row.frames * (LEAD + row.states.len()));
        rest = after;
        if scale.is_some_and(f64::is_finite) {
            let frames = batch.frames_of(log_probs, n);
            items.push((row, frames, alpha, *loss, out));
        }
    }
    batch.for_each(items, |(row, frames, alpha, loss, out)| {
        *out = vec![T::ZERO; row.frames * row.states.len()];
        simd::dispatch(Posteriors {
            row,
            frames,
            alpha,
            loss,
            out,
        });
    });
    posteriors
}

struct Posteriors<'a, T> {
    row: &'a Row,
    frames: Frames<'a, T>,
    alpha: &'a [f64],
    loss: f64,
    out: &'a mut [T],
}

impl<T: Real> Kernel for Posteriors<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { row, frames, .. } = self;
        let (states, lanes) = (row.states.len(), s.lanes::<f64>());
        // What a state adds for being left to two after it.
        let mut barriers = barriers(row);
        barriers.rotate_left(2.min(states));
        let mut emitted = vec![0.; states];
        let mut posteriors = vec![0.; states];
        // ln Σ of how the alignments go on after this frame: after the last, from one of the last two states to the end.
        let mut beta = vec![f64::NEG_INFINITY; states];
        beta[states.saturating_sub(2)..].fill(0.);
        // That of the frame after, with what it emits; two impossible states end it.
        let mut after = vec![f64::NEG_INFINITY; states + LEAD];
        let loss = s.splat(self.loss);
        for (t, now) in self.out.chunks_exact_mut(states).enumerate().rev() {
            if t + 1 < row.frames {
                for i in (0..states).step_by(lanes) {
                    let skip = s.load::<f64>(&after[i + 2..]) + s.load(&barriers[i..]);
                    log_sum_exp([s.load::<f64>(&after[i..]), s.load(&after[i + 1..]), skip])
                        .store(&mut beta[i..]);
                }
            }
            frames.emitted(t, &row.states, &mut emitted);
            let alpha = &self.alpha[t * (LEAD + states) + LEAD..][..states];
            for i in (0..states).step_by(lanes) {
                let beta = s.load::<f64>(&beta[i..]);
                ((s.load::<f64>(&alpha[i..]) + beta) + loss)
                    .exp()
                    .store(&mut posteriors[i..]);
                (beta + s.load(&emitted[i..])).store(&mut after[i..states]);
            }
            for (now, posterior) in now.iter_mut().zip(&posteriors) {
                *now = T::of(*posterior);
            }
        }
    }
}
