//! Maximum over windows, and its gradient back to the elements that were taken.

use super::planes::{self, Tap, Taps};
use crate::window::Axis;
use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use sconce_kernels::simd::{self, Kernel, Simd, Vector};
use std::marker::PhantomData;
use std::ops::Range;

/// x `[batch, channels, height, width]`; the sizes have been checked.
pub(crate) fn forward<T: Real + Bits>(x: &Tensor, axes: [Axis; 2]) -> Result<Tensor> {
    apply1(
        MaxPool2d::<T> {
            axes,
            dtype: PhantomData,
        },
        &[x],
    )
}

struct MaxPool2d<T> {
    axes: [Axis; 2],
    dtype: PhantomData<T>,
}

/// For a window without any element of the image.
const NONE: u32 = u32::MAX;

impl<T: Real + Bits> Function for MaxPool2d<T> {
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
        planes::each_share_of_two(&mut y, &mut choices, to, from, |first, y, choices| {
            simd::dispatch(Maxima {
                taps: &taps,
                x: &x[first * from..],
                y,
                choices,
            });
        });
        Ok((
            vec![Output::new(y, (batch, channels, v.output, h.output))?],
            choices,
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
        // A tap's place seen from its window's, which may lie before the image: the sum of both doesn't.
        let before = v.padding[0] * h.input + h.padding[0];
        let offset = |u: usize, t: usize| (u * v.dilation * h.input + t * h.dilation).wrapping_sub(before);
        let offsets: Vec<usize> = (0..v.kernel)
            .flat_map(|u| (0..h.kernel).map(move |t| offset(u, t)))
            .collect();
        planes::each(&mut dx, from, from, |plane, dx| {
            let range = plane * to..(plane + 1) * to;
            let rows = ctx.saved[range.clone()]
                .chunks_exact(h.output)
                .zip(dy[range].chunks_exact(h.output));
            for (row, (choices, dy)) in rows.enumerate() {
                let window = row * v.stride * h.input;
                for (j, (&choice, &dy)) in choices.iter().zip(dy).enumerate() {
                    let Some(offset) = offsets.get(choice as usize) else {
                        continue;
                    };
                    dx[(window + j * h.stride).wrapping_add(*offset)] += dy;
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

/// The integers that choices are while they stand in vectors: a value's bits.
pub(crate) trait Bits {
    fn low_bits(self) -> u32;
}

impl Bits for f32 {
    fn low_bits(self) -> u32 {
        self.to_bits()
    }
}

impl Bits for f64 {
    fn low_bits(self) -> u32 {
        self.to_bits() as u32
    }
}

/// Outputs that are computed together, at most.
const BLOCK: usize = 256;

/// Some channels: block by block of all their rows, and in a block tap by tap, whose elements are first put side by side.
struct Maxima<'a, T> {
    taps: &'a Taps,
    x: &'a [T],
    y: &'a mut [T],
    choices: &'a mut [u32],
}

impl<T: Real + Bits> Kernel for Maxima<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { taps, x, y, choices } = self;
        let nothing = s.splat(T::NEG_INFINITY);
        let none = T::Vector::<S>::splat_bits(s, NONE.into());
        let lanes = s.lanes::<T>();
        let [mut seen, mut best, mut choice] = [[T::ZERO; BLOCK]; 3];
        let (width, lines) = (taps.columns.min(BLOCK), y.len() / taps.columns);
        for columns in (0..taps.columns)
            .step_by(width)
            .map(|start| start..(start + width).min(taps.columns))
        {
            let height = BLOCK / columns.len();
            for rows in (0..lines)
                .step_by(height)
                .map(|start| start..(start + height).min(lines))
            {
                let count = (rows.len() * columns.len()).next_multiple_of(lanes);
                for (best, choice) in best[..count]
                    .chunks_exact_mut(lanes)
                    .zip(choice.chunks_exact_mut(lanes))
                {
                    nothing.store(best);
                    none.store(choice);
                }
                for u in 0..taps.size[0] {
                    for tap in &taps.across {
                        let number = u * taps.size[1] + tap.number;
                        look(taps, x, u, tap, &rows, &columns, &mut seen);
                        let number = T::Vector::<S>::splat_bits(s, number as u64);
                        let blocks = best[..count]
                            .chunks_exact_mut(lanes)
                            .zip(choice.chunks_exact_mut(lanes));
                        for ((best, choice), x) in blocks.zip(seen.chunks_exact(lanes)) {
                            let (x, old, chosen) = (s.load::<T>(x), s.load::<T>(best), s.load::<T>(choice));
                            let takes = x.gt(old) | !x.equal(x);
                            Vector::select(takes, x, old).store(best);
                            Vector::select(takes, number, chosen).store(choice);
                        }
                    }
                }
                // Rows that are there in full follow each other.
                let (pieces, length) = match columns.len() == taps.columns {
                    true => (rows.start..rows.start + 1, rows.len() * taps.columns),
                    false => (rows.clone(), columns.len()),
                };
                let blocks = best.chunks_exact(length).zip(choice.chunks_exact(length));
                for (row, (best, choice)) in pieces.zip(blocks) {
                    let place = row * taps.columns + columns.start;
                    y[place..][..length].copy_from_slice(best);
                    for (to, bits) in choices[place..][..length].iter_mut().zip(choice) {
                        *to = bits.low_bits();
                    }
                }
            }
        }
        // A window of −∞ alone gives its gradient to its first element.
        if choices.contains(&NONE) {
            for (place, choice) in choices
                .iter_mut()
                .enumerate()
                .filter(|(_, choice)| **choice == NONE)
            {
                let (row, column) = (place / taps.columns % taps.lines, place % taps.columns);
                *choice = taps.first(row, column).unwrap_or(NONE);
            }
        }
    }
}

/// What some outputs see through a tap, side by side; −∞ outside the image.
#[inline(always)]
fn look<T: Real>(
    taps: &Taps,
    x: &[T],
    u: usize,
    tap: &Tap,
    rows: &Range<usize>,
    columns: &Range<usize>,
    seen: &mut [T],
) {
    let (from, to) = (
        tap.outputs.start.max(columns.start),
        tap.outputs.end.min(columns.end),
    );
    let (mut plane, mut row) = (rows.start / taps.lines, rows.start % taps.lines);
    for seen in seen.chunks_exact_mut(columns.len()).take(rows.len()) {
        let line = taps.line(row, u).map(|line| line + plane * taps.height);
        row += 1;
        if row == taps.lines {
            (plane, row) = (plane + 1, 0);
        }
        if line.is_none() || to - from.min(to) < columns.len() {
            seen.fill(T::NEG_INFINITY);
        }
        if let Some(i) = line
            && from < to
        {
            let start = tap.start + (from - tap.outputs.start) * taps.stride;
            let line = &x[i * taps.width..][start..taps.width];
            let seen = &mut seen[from - columns.start..to - columns.start];
            match taps.stride {
                1 => seen.copy_from_slice(&line[..to - from]),
                2 => {
                    let (pairs, rest) = line.as_chunks::<2>();
                    for (seen, pair) in seen.iter_mut().zip(pairs) {
                        *seen = pair[0];
                    }
                    // The last one may lack its other half.
                    if let (Some(seen), Some(x)) = (seen.get_mut(pairs.len()), rest.first()) {
                        *seen = *x;
                    }
                }
                stride => {
                    for (seen, x) in seen.iter_mut().zip(line.iter().step_by(stride)) {
                        *seen = *x;
                    }
                }
            }
        }
    }
}
