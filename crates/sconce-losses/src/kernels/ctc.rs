//! Connectionist temporal classification: the forward and the backward recursion over a row's alignments, in logarithms.
//!
//! Each frame's values are held relative to the largest of the frame before, and what was taken off is added up in f64: so in
//! f32 it is the distance from the likeliest states that is rounded, not the whole logarithm.

use super::lanes::{largest, log_sum_exp};
use crate::ctc::batch::{Batch, Row};
use sconce_core::cpu::Real;
use sconce_kernels::parallel::{self, BlankPart, Rows};
use sconce_kernels::simd::{self, Kernel, Simd, Vector};

/// Impossible states before a frame's first, so that every state has two before it.
const LEAD: usize = 2;

/// Work of a state, in elements of the cheapest kind of work.
const WEIGHT: usize = 16;

/// What the forward recursion leaves: the losses, and what the backward one needs.
pub(crate) struct Trellis<T> {
    pub(crate) losses: Vec<f64>,
    /// For each row, frame and state ln Σ of the alignments that are there then, relative to the frame's shift.
    alpha: Vec<T>,
    shifts: Vec<f64>,
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
    fn emitted(&self, t: usize, states: &[usize], out: &mut [T]) {
        let frame = &self.all[t * self.step + self.start..];
        for (out, &class) in out.iter_mut().zip(states) {
            *out = frame[class];
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
fn barriers<T: Real>(row: &Row) -> Vec<T> {
    let barrier = |may| if may { T::ZERO } else { T::NEG_INFINITY };
    row.skips().map(barrier).collect()
}

/// The rows' losses, and what their gradient needs; from `[frames, batch, classes]`.
pub(crate) fn ctc<T: Real>(batch: &Batch, log_probs: &[T]) -> Trellis<T> {
    let size = |row: &Row| row.frames * (LEAD + row.states.len());
    let mut alpha = vec![T::NEG_INFINITY; batch.rows.iter().map(size).sum()];
    let mut shifts = vec![0.; batch.rows.iter().map(|row| row.frames).sum()];
    let mut losses = vec![0.; batch.rows.len()];
    let (mut alphas, mut shifts_left) = (&mut alpha[..], &mut shifts[..]);
    let mut items = Vec::with_capacity(losses.len());
    for (n, (row, loss)) in batch.rows.iter().zip(&mut losses).enumerate() {
        let frames = batch.frames_of(log_probs, n);
        let alpha = alphas.split_off_mut(..size(row)).unwrap_or_default();
        let shifts = shifts_left.split_off_mut(..row.frames).unwrap_or_default();
        items.push((
            row,
            loss,
            Forward {
                row,
                frames,
                alpha,
                shifts,
            },
        ));
    }
    batch.for_each(items, |(row, loss, forward)| {
        *loss = match (row.frames, row.labels()) {
            (0, 0) => 0.,
            (0, _) => f64::INFINITY,
            _ => -simd::dispatch(forward),
        };
    });
    Trellis {
        losses,
        alpha,
        shifts,
    }
}

struct Forward<'a, T> {
    row: &'a Row,
    frames: Frames<'a, T>,
    alpha: &'a mut [T],
    shifts: &'a mut [f64],
}

impl<T: Real> Kernel for Forward<'_, T> {
    /// The log-likelihood.
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let Self { row, frames, .. } = self;
        let (states, lanes) = (row.states.len(), s.lanes::<T>());
        let barriers = barriers::<T>(row);
        let mut emitted = vec![T::ZERO; states];
        let mut shift = 0.;
        let mut before: &[T] = &[];
        for (t, now) in self.alpha.chunks_exact_mut(LEAD + states).enumerate() {
            frames.emitted(t, &row.states, &mut emitted);
            if t == 0 {
                for (now, emitted) in now[LEAD..].iter_mut().zip(&emitted).take(2) {
                    *now = *emitted;
                }
            } else {
                let top = finite(largest(s, before));
                shift += top.wide();
                let top = s.splat(top);
                for i in (0..states).step_by(lanes) {
                    let skip = s.load::<T>(&before[i..]) + s.load(&barriers[i..]);
                    let reach = log_sum_exp([s.load::<T>(&before[i + 2..]), s.load(&before[i + 1..]), skip]);
                    ((reach - top) + s.load(&emitted[i..])).store(&mut now[LEAD + i..]);
                }
            }
            self.shifts[t] = shift;
            before = now;
        }
        // In the last label or the blank after it; with no label there is that blank alone.
        let end = &before[before.len() - 2..];
        let (a, b) = (end[0].wide(), end[1].wide());
        let max = if a > b { a } else { b };
        if max == f64::NEG_INFINITY {
            return max;
        }
        shift + max + ((a - max).exp() + (b - max).exp()).ln()
    }
}

/// 0 where nothing is possible, or not a number.
#[inline(always)]
fn finite<T: Real>(top: T) -> T {
    if top.wide().is_finite() { top } else { T::ZERO }
}

/// The log-probabilities' gradient: scale · (exp(log_prob) − posterior), for a scale a row; rows without one, and frames past a
/// row's length, get 0.
pub(crate) fn ctc_gradient<T: Real>(
    batch: &Batch,
    log_probs: &[T],
    trellis: &Trellis<T>,
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
    trellis: &Trellis<T>,
    scales: &[Option<f64>],
) -> Vec<Vec<T>> {
    let mut posteriors: Vec<Vec<T>> = batch.rows.iter().map(|_| Vec::new()).collect();
    let (mut alpha, mut shifts) = (&trellis.alpha[..], &trellis.shifts[..]);
    let mut items = Vec::new();
    let rows = batch.rows.iter().zip(scales).zip(&trellis.losses);
    for (n, (((row, scale), loss), out)) in rows.zip(&mut posteriors).enumerate() {
        let (own_alpha, rest) = alpha.split_at(row.frames * (LEAD + row.states.len()));
        let (own_shifts, more) = shifts.split_at(row.frames);
        (alpha, shifts) = (rest, more);
        if scale.is_some_and(f64::is_finite) {
            let frames = batch.frames_of(log_probs, n);
            items.push((row, frames, own_alpha, own_shifts, *loss, out));
        }
    }
    batch.for_each(items, |(row, frames, alpha, shifts, loss, out)| {
        *out = vec![T::ZERO; row.frames * row.states.len()];
        simd::dispatch(Posteriors {
            row,
            frames,
            alpha,
            shifts,
            loss,
            out,
        });
    });
    posteriors
}

struct Posteriors<'a, T> {
    row: &'a Row,
    frames: Frames<'a, T>,
    alpha: &'a [T],
    shifts: &'a [f64],
    loss: f64,
    out: &'a mut [T],
}

impl<T: Real> Kernel for Posteriors<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { row, frames, .. } = self;
        let (states, lanes) = (row.states.len(), s.lanes::<T>());
        // What a state adds for being left to two after it.
        let mut barriers = barriers::<T>(row);
        barriers.rotate_left(2.min(states));
        let mut emitted = vec![T::ZERO; states];
        // The frame after: ln Σ of how the alignments go on from there, with what that frame emits; two impossible states end it.
        let mut after = vec![T::NEG_INFINITY; states + LEAD];
        let mut shift = 0.;
        for (t, now) in self.out.chunks_exact_mut(states).enumerate().rev() {
            let alpha = &self.alpha[t * (LEAD + states) + LEAD..][..states];
            let last = t + 1 == row.frames;
            let top = if last { T::ZERO } else { finite(largest(s, &after)) };
            shift += top.wide();
            let top = s.splat(top);
            let level = s.constant::<T>(self.shifts[t] + shift + self.loss);
            frames.emitted(t, &row.states, &mut emitted);
            for i in (0..states).step_by(lanes) {
                let beta = if last {
                    let mut ends = [T::NEG_INFINITY; 16];
                    for (i, end) in (i..states).zip(&mut ends) {
                        if i + 2 >= states {
                            *end = T::ZERO;
                        }
                    }
                    s.load(&ends)
                } else {
                    let skip = s.load::<T>(&after[i + 2..]) + s.load(&barriers[i..]);
                    log_sum_exp([s.load::<T>(&after[i..]), s.load(&after[i + 1..]), skip]) - top
                };
                ((s.load::<T>(&alpha[i..]) + level) + beta)
                    .exp()
                    .store(&mut now[i..]);
                // In place: states further on are read before they are written, and none is read again.
                (beta + s.load(&emitted[i..])).store(&mut after[i..states]);
            }
        }
    }
}
