//! Maximum over windows, and its gradient back to the elements that were taken.

use super::planes::{self, Taps};
use crate::window::Axis;
use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use sconce_kernels::simd::{self, Kernel, Simd, Vector};
use std::marker::PhantomData;
use std::ops::Range;

/// x `[batch, channels, height, width]`; the sizes have been checked.
pub(crate) fn forward<T: Real>(x: &Tensor, axes: [Axis; 2]) -> Result<Tensor> {
    apply1(MaxPool2d::<T> { axes, dtype: PhantomData }, &[x])
}

struct MaxPool2d<T> {
    axes: [Axis; 2],
    dtype: PhantomData<T>,
}

/// For a window without any element of the image.
const NONE: u32 = u32::MAX;

impl<T: Real> Function for MaxPool2d<T> {
    /// For each output the tap that it was taken from; empty if no gradient is wanted.
    type Saved = Vec<u32>;

    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn forward(&self, inputs: &[Tensor], wanted: &[bool]) -> Result<(Vec<Output>, Vec<u32>)> {
        let [v, h] = &self.axes;
        let (batch, channels, _, _) = inputs[0].dims4()?;
        let (from, to) = (v.input * h.input, v.output * h.output);
        let x = cpu::slice::<T>(&inputs[0])?;
        let mut y = vec![T::zero(); batch * channels * to];
        let taps = Taps::new(&self.axes);
        let mut choices = vec![0; if wanted[0] { y.len() } else { 0 }];
        if wanted[0] {
            planes::each_of_two(&mut y, &mut choices, to, from, |plane, y, choices| {
                simd::dispatch(Maxima { taps: &taps, x: &x[plane * from..][..from], y, choices });
            });
        } else {
            planes::each(&mut y, to, from, |plane, y| {
                simd::dispatch(Maxima { taps: &taps, x: &x[plane * from..][..from], y, choices: &mut [] });
            });
        }
        Ok((vec![Output::new(y, (batch, channels, v.output, h.output))?], choices))
    }

    fn backward(&self, ctx: &Backward<'_, Vec<u32>>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let Some(grad) = &grads[0] else { return Ok(vec![None]) };
        let [v, h] = &self.axes;
        let (batch, channels, _, _) = grad.dims4()?;
        let (from, to) = (v.input * h.input, v.output * h.output);
        let grad = grad.contiguous()?;
        let dy = cpu::slice::<T>(&grad)?;
        let mut dx = vec![T::zero(); batch * channels * from];
        // A tap's place seen from its window's, which may lie before the image: the sum of both doesn't.
        let before = v.padding[0] * h.input + h.padding[0];
        let offset = |u: usize, t: usize| (u * v.dilation * h.input + t * h.dilation).wrapping_sub(before);
        let offsets: Vec<usize> =
            (0..v.kernel).flat_map(|u| (0..h.kernel).map(move |t| offset(u, t))).collect();
        planes::each(&mut dx, from, from, |plane, dx| {
            let range = plane * to..(plane + 1) * to;
            let rows = ctx.saved[range.clone()].chunks_exact(h.output).zip(dy[range].chunks_exact(h.output));
            for (row, (choices, dy)) in rows.enumerate() {
                let window = row * v.stride * h.input;
                for (j, (&choice, &dy)) in choices.iter().zip(dy).enumerate() {
                    let Some(offset) = offsets.get(choice as usize) else { continue };
                    dx[(window + j * h.stride).wrapping_add(*offset)] += dy;
                }
            }
        });
        Ok(vec![Some(Tensor::from_vec(dx, (batch, channels, v.input, h.input), grad.device())?)])
    }
}

/// Room for the elements of a vector.
const BLOCK: usize = 16;

/// One channel: a vector of a row's outputs at a time, tap by tap.
struct Maxima<'a, T> {
    taps: &'a Taps,
    x: &'a [T],
    y: &'a mut [T],
    /// Empty if they aren't asked for.
    choices: &'a mut [u32],
}

impl<T: Real> Kernel for Maxima<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { taps, x, y, choices } = self;
        let lanes = s.lanes::<T>().min(BLOCK);
        for (row, y) in y.chunks_exact_mut(taps.columns).enumerate() {
            for (k, y) in y.chunks_mut(lanes).enumerate() {
                let outputs = k * lanes..k * lanes + y.len();
                let (best, choice) = maxima(s, taps, x, row, outputs.clone());
                best.store(y);
                if !choices.is_empty() {
                    let mut block = [T::ZERO; BLOCK];
                    choice.store(&mut block);
                    for (choice, from) in choices[row * taps.columns..][outputs].iter_mut().zip(block) {
                        *choice = if from < T::ZERO { NONE } else { from.wide() as u32 };
                    }
                }
            }
        }
    }
}

/// The largest values of some windows of a row, and the numbers of their taps.
#[inline(always)]
fn maxima<T: Real, S: Simd>(
    s: S,
    taps: &Taps,
    x: &[T],
    row: usize,
    outputs: Range<usize>,
) -> (T::Vector<S>, T::Vector<S>) {
    let nothing = s.splat(T::NEG_INFINITY);
    let (mut best, mut choice) = (nothing, nothing);
    for (k, (u, i)) in taps.rows(row).enumerate() {
        let line = &x[i * taps.width..][..taps.width];
        if k == 0 {
            // What a window of −∞ alone gives its gradient to.
            let mut first = [T::NEG_INFINITY; BLOCK];
            for (first, tap) in first.iter_mut().zip(&taps.first_columns[outputs.clone()]) {
                *first = tap.map_or(T::NEG_INFINITY, |t| T::of((u * taps.kernel + t) as f64));
            }
            choice = s.load(&first);
        }
        for tap in &taps.across {
            let mut seen = [T::NEG_INFINITY; BLOCK];
            let (from, to) = (outputs.start.max(tap.outputs.start), outputs.end.min(tap.outputs.end));
            if from < to {
                let line = &line[tap.start + (from - tap.outputs.start) * taps.stride..];
                gather(&mut seen[from - outputs.start..to - outputs.start], line, taps.stride);
            }
            let x = s.load::<T>(&seen);
            let takes = x.gt(best) | !x.equal(x);
            best = Vector::select(takes, x, best);
            choice = Vector::select(takes, s.constant::<T>((u * taps.kernel + tap.number) as f64), choice);
        }
    }
    (best, choice)
}

/// Elements that stand `stride` apart, side by side.
#[inline(always)]
fn gather<T: Real>(to: &mut [T], from: &[T], stride: usize) {
    match stride {
        1 => to.copy_from_slice(&from[..to.len()]),
        2 => {
            let (pairs, rest) = from.as_chunks::<2>();
            for (to, pair) in to.iter_mut().zip(pairs) {
                *to = pair[0];
            }
            // The last one may lack its other half.
            if let (Some(to), Some(from)) = (to.get_mut(pairs.len()), rest.first()) {
                *to = *from;
            }
        }
        _ => {
            for (to, from) in to.iter_mut().zip(from.iter().step_by(stride)) {
                *to = *from;
            }
        }
    }
}
