//! Functions of one value and its channel's constants, over `[samples, channels, positions]`.

use super::channels::Axes;
use super::map;
use crate::parallel::{self, BlankPart, Rows};
use crate::simd::{self, Element, Kernel, Simd, Vector};

/// (x − centre)·scale + shift, with a centre, a scale and a shift for each channel: what normalisation of channels comes to.
///
/// # Panics
/// The slices' lengths don't agree with the axes.
pub fn channel_affine<T: Element>(x: &[T], axes: Axes, centre: &[T], scale: &[T], shift: &[T]) -> Vec<T> {
    run(Affine, [x, x], axes, [centre, scale, shift, shift])
}

/// factor·(dy − constant − slope·(x − centre)), with four constants for each channel: the gradient of such a normalisation's
/// input, where the statistics come from the input itself.
///
/// # Panics
/// The slices' lengths don't agree with the axes.
pub fn channel_affine_backward<T: Element>(
    dy: &[T],
    x: &[T],
    axes: Axes,
    centre: &[T],
    factor: &[T],
    constant: &[T],
    slope: &[T],
) -> Vec<T> {
    run(Gradient, [x, dy], axes, [centre, factor, constant, slope])
}

trait Function: Copy + Sync {
    fn value<V: Vector>(self, x: V, dy: V, constants: [V; 4]) -> V;
}

#[derive(Clone, Copy)]
struct Affine;

impl Function for Affine {
    #[inline(always)]
    fn value<V: Vector>(self, x: V, _: V, [centre, scale, shift, _]: [V; 4]) -> V {
        (x - centre).mul_add(scale, shift)
    }
}

#[derive(Clone, Copy)]
struct Gradient;

impl Function for Gradient {
    #[inline(always)]
    fn value<V: Vector>(self, x: V, dy: V, [centre, factor, constant, slope]: [V; 4]) -> V {
        factor * slope.neg_mul_add(x - centre, dy - constant)
    }
}

fn run<T: Element>(
    function: impl Function,
    inputs: [&[T]; 2],
    (samples, channels, positions): Axes,
    constants: [&[T]; 4],
) -> Vec<T> {
    let size = samples * channels * positions;
    assert!(
        inputs.iter().all(|input| input.len() == size),
        "an input's length isn't the product of its axes"
    );
    assert!(
        constants.iter().all(|constants| constants.len() == channels),
        "a constant's length isn't the number of channels"
    );
    // A row has one channel, or, where a channel has one position, all of them.
    let width = if positions == 1 { channels } else { positions };
    let [x, dy] = inputs.map(|input| Rows(input, width));
    parallel::fresh(size, |out| {
        parallel::zip_rows(width, (Rows(out, width), x, dy), |first, (out, x, dy)| {
            simd::dispatch(Block {
                function,
                out,
                x,
                dy,
                width,
                mixed: positions == 1,
                first,
                constants,
            });
        });
    })
}

/// Some rows.
struct Block<'a, T: 'static, F> {
    function: F,
    out: BlankPart<'a, T>,
    x: &'a [T],
    dy: &'a [T],
    width: usize,
    /// Whether a row has all channels.
    mixed: bool,
    /// The first row's number.
    first: usize,
    constants: [&'a [T]; 4],
}

impl<T: Element, F: Function> Kernel for Block<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let rows = self
            .x
            .chunks_exact(self.width)
            .zip(self.dy.chunks_exact(self.width));
        for (i, (x, dy)) in rows.enumerate() {
            let [a, b, c, d] = self.constants;
            if self.mixed {
                self.out.write(
                    s,
                    self.width,
                    #[inline(always)]
                    |out| {
                        map(
                            s,
                            out,
                            [x, dy, a, b, c, d],
                            0,
                            #[inline(always)]
                            |[x, dy, a, b, c, d]: [T::Vector<S>; 6]| self.function.value(x, dy, [a, b, c, d]),
                        );
                    },
                );
                continue;
            }
            let channel = (self.first + i) % a.len();
            let constants = [a, b, c, d].map(
                #[inline(always)]
                |constants| s.splat(constants[channel]),
            );
            for (x, dy) in x.chunks(PIECE).zip(dy.chunks(PIECE)) {
                self.out.write(
                    s,
                    x.len(),
                    #[inline(always)]
                    |out| {
                        map(
                            s,
                            out,
                            [x, dy],
                            0,
                            #[inline(always)]
                            |[x, dy]: [T::Vector<S>; 2]| self.function.value(x, dy, constants),
                        );
                    },
                );
            }
        }
    }
}

/// Elements of a long row that are computed before they go to where they belong.
const PIECE: usize = 2048;
