//! Maximum over windows, and its gradient back to the elements that were taken.

use super::planes::{self, Taps};
use crate::window::Axis;
use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use std::hint::select_unpredictable;
use std::marker::PhantomData;

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
    /// For each output the tap that it was taken from.
    type Saved = Vec<u32>;

    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, Vec<u32>)> {
        let [v, h] = &self.axes;
        let (batch, channels, _, _) = inputs[0].dims4()?;
        let (from, to) = (v.input * h.input, v.output * h.output);
        let x = cpu::slice::<T>(&inputs[0])?;
        let mut y = vec![T::zero(); batch * channels * to];
        let taps = Taps::new(&self.axes);
        let mut choices = vec![0; y.len()];
        planes::each_of_two(&mut y, &mut choices, to, from, |plane, y, choices| {
            maxima(&taps, &x[plane * from..][..from], y, choices);
        });
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

/// One channel. It isn't dispatched: choices of single values are slow with AVX-512's masks.
fn maxima<T: Real>(taps: &Taps, x: &[T], y: &mut [T], choices: &mut [u32]) {
    let rows = y.chunks_exact_mut(taps.columns).zip(choices.chunks_exact_mut(taps.columns));
    for (row, (y, choices)) in rows.enumerate() {
        let mut done = 0..0;
        if let Some(top) = taps.whole(row)
            && !taps.inner.is_empty()
        {
            let (y, choices) = (&mut y[taps.inner.clone()], &mut choices[taps.inner.clone()]);
            let lines = &x[top * taps.width + taps.inner_start..];
            // The usual sizes have loops that the compiler can unroll.
            let computed = match taps.size {
                [2, 2] => whole_windows::<T, 2, 2>(taps, lines, y, choices),
                [3, 3] => whole_windows::<T, 3, 3>(taps, lines, y, choices),
                _ => 0,
            };
            done = taps.inner.start..taps.inner.start + computed;
        }
        for j in (0..done.start).chain(done.end..taps.columns) {
            (y[j], choices[j]) = window(taps, x, row, j);
        }
    }
}

/// Windows of a known size that lie in the image side by side, without gaps in them.
#[inline(always)]
fn whole_windows<T: Real, const HEIGHT: usize, const WIDTH: usize>(
    taps: &Taps,
    lines: &[T],
    y: &mut [T],
    choices: &mut [u32],
) -> usize {
    let mut lines: [&[T]; HEIGHT] = std::array::from_fn(|u| &lines[u * taps.width..]);
    for line in &mut lines {
        *line = &line[..(y.len() - 1) * taps.stride + WIDTH];
    }
    for (j, (y, choice)) in y.iter_mut().zip(&mut *choices).enumerate() {
        let windows: [&[T]; HEIGHT] = lines.map(|line| &line[j * taps.stride..][..WIDTH]);
        let (mut best, mut number) = (T::NEG_INFINITY, 0);
        for (u, window) in windows.iter().enumerate() {
            for (t, x) in window.iter().enumerate() {
                larger(*x, (u * WIDTH + t) as u32, &mut best, &mut number);
            }
        }
        (*y, *choice) = (best, number);
    }
    y.len()
}

/// Any window.
fn window<T: Real>(taps: &Taps, x: &[T], row: usize, column: usize) -> (T, u32) {
    let (mut best, mut choice) = (T::NEG_INFINITY, NONE);
    for (u, i) in taps.rows(row) {
        for tap in &taps.across {
            if tap.outputs.contains(&column) {
                let x = x[i * taps.width + tap.start + (column - tap.outputs.start) * taps.stride];
                let number = (u * taps.kernel + tap.number) as u32;
                // The first one is what a window of −∞ alone gives its gradient to.
                choice = choice.min(number);
                larger(x, number, &mut best, &mut choice);
            }
        }
    }
    (best, choice)
}

/// Takes a value that is larger, or NaN; without a branch, since which one is larger can't be predicted.
#[inline(always)]
#[allow(clippy::eq_op, reason = "a NaN is what differs from itself")]
fn larger<T: Real>(x: T, number: u32, best: &mut T, choice: &mut u32) {
    let takes = (x > *best) | (x != x);
    *best = select_unpredictable(takes, x, *best);
    *choice = select_unpredictable(takes, number, *choice);
}
