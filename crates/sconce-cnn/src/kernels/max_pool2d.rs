//! Maximum over windows, and its gradient back to the elements that were taken.

use super::planes::{self, Taps};
use crate::window::Axis;
use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use sconce_kernels::simd::{self, Kernel, Simd};
use std::marker::PhantomData;

/// x `[batch, channels, height, width]`; the sizes have been checked.
pub(crate) fn forward<T: Real>(x: &Tensor, axes: [Axis; 2]) -> Result<Tensor> {
    apply1(
        MaxPool2d::<T> {
            axes,
            dtype: PhantomData,
        },
        &[x],
    )
}

/// Outputs of a row that are computed at once.
const BLOCK: usize = 4;

struct MaxPool2d<T> {
    axes: [Axis; 2],
    dtype: PhantomData<T>,
}

impl<T: Real> Function for MaxPool2d<T> {
    /// For each output its element's place in the channel.
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
        let mut places = vec![u32::MAX; y.len()];
        let taps = Taps::new(&self.axes);
        planes::each_of_two(&mut y, &mut places, to, from, |plane, y, places| {
            maxima(&taps, &x[plane * from..][..from], y, places);
        });
        Ok((
            vec![Output::new(y, (batch, channels, v.output, h.output))?],
            places,
        ))
    }

    fn backward(
        &self,
        ctx: &Backward<'_, Vec<u32>>,
        grads: &[Option<Tensor>],
    ) -> Result<Vec<Option<Tensor>>> {
        let Some(grad) = &grads[0] else {
            return Ok(vec![None]);
        };
        let [v, h] = &self.axes;
        let (batch, channels, _, _) = grad.dims4()?;
        let (from, to) = (v.input * h.input, v.output * h.output);
        let grad = grad.contiguous()?;
        let dy = cpu::slice::<T>(&grad)?;
        let mut dx = vec![T::zero(); batch * channels * from];
        planes::each(&mut dx, from, from, |plane, dx| {
            let range = plane * to..(plane + 1) * to;
            for (&place, &dy) in ctx.saved[range.clone()].iter().zip(&dy[range]) {
                // A window without any element of the image has no place.
                if let Some(dx) = dx.get_mut(place as usize) {
                    *dx += dy;
                }
            }
        });
        Ok(vec![Some(Tensor::from_vec(
            dx,
            (batch, channels, v.input, h.input),
            grad.device(),
        )?)])
    }
}

/// One channel: row by row, tap by tap, so that a row's outputs go side by side.
fn maxima<T: Real>(taps: &Taps, x: &[T], y: &mut [T], places: &mut [u32]) {
    simd::dispatch(Maxima { taps, x, y, places });
}

struct Maxima<'a, T> {
    taps: &'a Taps,
    x: &'a [T],
    y: &'a mut [T],
    places: &'a mut [u32],
}

impl<T: Real> Kernel for Maxima<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { taps, x, y, places } = self;
        let width = taps.width;
        let rows = y
            .chunks_exact_mut(taps.columns)
            .zip(places.chunks_exact_mut(taps.columns));
        for (row, (y, places)) in rows.enumerate() {
            y.fill(T::NEG_INFINITY);
            let mut first = true;
            for i in taps.rows(row) {
                let line = &x[i * width..][..width];
                if first {
                    // What a window of −∞ alone gives its gradient to.
                    for (place, &column) in places.iter_mut().zip(&taps.first_columns) {
                        *place = column.map_or(u32::MAX, |column| (i * width) as u32 + column);
                    }
                    first = false;
                }
                for tap in &taps.across {
                    let (y, places) = (&mut y[tap.outputs.clone()], &mut places[tap.outputs.clone()]);
                    let (line, place) = (&line[tap.start..], (i * width + tap.start) as u32);
                    match taps.stride {
                        1 => take_larger::<T, 1>(line, place, y, places),
                        2 => take_larger::<T, 2>(line, place, y, places),
                        stride => {
                            for (j, (y, p)) in y.iter_mut().zip(places).enumerate() {
                                larger(line[j * stride], place + (j * stride) as u32, y, p);
                            }
                        }
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn take_larger<T: Real, const STRIDE: usize>(line: &[T], place: u32, y: &mut [T], places: &mut [u32]) {
    let (mut done, width) = (0, STRIDE as u32);
    let (blocks, places_of_blocks) = (y.as_chunks_mut::<BLOCK>().0, places.as_chunks_mut::<BLOCK>().0);
    let lines = line.as_chunks::<STRIDE>().0.as_chunks::<BLOCK>().0;
    for ((x, y), p) in lines.iter().zip(blocks).zip(places_of_blocks) {
        // Through copies, since a choice in place isn't vectorised.
        let (x, mut best, mut chosen) = (*x, *y, *p);
        for j in 0..BLOCK {
            larger(
                x[j][0],
                place + done + j as u32 * width,
                &mut best[j],
                &mut chosen[j],
            );
        }
        (*y, *p) = (best, chosen);
        done += BLOCK as u32 * width;
    }
    let rest = done as usize / STRIDE;
    for (j, (y, p)) in y[rest..].iter_mut().zip(&mut places[rest..]).enumerate() {
        larger(line[(rest + j) * STRIDE], place + done + j as u32 * width, y, p);
    }
}

#[inline(always)]
#[allow(clippy::eq_op, reason = "a NaN is what differs from itself")]
fn larger<T: Real>(x: T, at: u32, best: &mut T, place: &mut u32) {
    let takes = (x > *best) | (x != x);
    *best = if takes { x } else { *best };
    *place = if takes { at } else { *place };
}
