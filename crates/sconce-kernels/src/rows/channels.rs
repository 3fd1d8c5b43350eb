//! Statistics of each channel of `[samples, channels, positions]`.

use super::fold;
use crate::parallel::{self, Rows};
use crate::simd::{self, Element, Kernel, Simd, Vector};

/// Samples, channels, positions.
pub(super) type Axes = (usize, usize, usize);

/// Mean and biased variance of each channel, over samples and positions.
///
/// Stretches are taken for themselves, in two passes each, and then merged by Chan's formula in `f64`: as accurate as
/// [`moments`](super::moments), in one read from memory.
///
/// # Panics
/// The slices' lengths don't agree with the axes.
pub fn channel_moments<T: Element>(
    x: &[T],
    (samples, channels, positions): Axes,
    mean: &mut [T],
    var: &mut [T],
) {
    assert!(
        x.len() == samples * channels * positions,
        "the input's length isn't the product of its axes"
    );
    assert!(
        mean.len() == channels && var.len() == channels,
        "a statistic's length isn't the number of channels"
    );
    if x.is_empty() {
        mean.fill(T::of(f64::NAN));
        var.fill(T::of(f64::NAN));
        return;
    }
    if positions == 1 {
        let merged = in_blocks(samples, channels, |rows| {
            let mut part = vec![T::ZERO; 2 * channels];
            simd::dispatch(Columns {
                x: &x[rows.start * channels..rows.end * channels],
                part: &mut part,
            });
            (rows.len() as f64, part)
        });
        let mut totals = vec![Moments::default(); channels];
        for (count, part) in merged {
            let (means, vars) = part.split_at(channels);
            for ((total, mean), var) in totals.iter_mut().zip(means).zip(vars) {
                total.merge(count, mean.wide(), var.wide());
            }
        }
        for (channel, total) in totals.iter().enumerate() {
            (mean[channel], var[channel]) = total.finish();
        }
        return;
    }
    let mut parts = vec![T::ZERO; 2 * samples * channels];
    let (means, vars) = parts.split_at_mut(samples * channels);
    super::moments(x, positions, means, vars);
    for channel in 0..channels {
        let mut total = Moments::default();
        for i in (channel..samples * channels).step_by(channels) {
            total.merge(positions as f64, means[i].wide(), vars[i].wide());
        }
        (mean[channel], var[channel]) = total.finish();
    }
}

/// Σ dy and Σ dy·(x − mean) of each channel, over samples and positions: what a batch norm's backward pass needs.
///
/// # Panics
/// The slices' lengths don't agree with the axes.
pub fn channel_sums<T: Element>(
    dy: &[T],
    x: &[T],
    mean: &[T],
    (samples, channels, positions): Axes,
    sum: &mut [T],
    product: &mut [T],
) {
    assert!(
        x.len() == samples * channels * positions,
        "the input's length isn't the product of its axes"
    );
    assert!(
        dy.len() == x.len(),
        "slices that go in lock-step differ in length"
    );
    let per_channel = [mean.len(), sum.len(), product.len()];
    assert!(
        per_channel == [channels; 3],
        "a statistic's length isn't the number of channels"
    );
    sum.fill(T::ZERO);
    product.fill(T::ZERO);
    if positions == 1 {
        let parts = in_blocks(samples, channels, |rows| {
            let mut part = vec![T::ZERO; 2 * channels];
            let elements = rows.start * channels..rows.end * channels;
            simd::dispatch(ColumnSums {
                dy: &dy[elements.clone()],
                x: &x[elements],
                mean,
                part: &mut part,
            });
            part
        });
        for part in parts {
            let (sums, products) = part.split_at(channels);
            for channel in 0..channels {
                sum[channel] += sums[channel];
                product[channel] += products[channel];
            }
        }
        return;
    }
    if x.is_empty() {
        return;
    }
    let mut parts = vec![[T::ZERO; 2]; samples * channels];
    parallel::zip_rows(
        positions,
        (Rows(dy, positions), Rows(x, positions), &mut parts[..]),
        |first, (dy, x, parts)| {
            simd::dispatch(Stretches {
                dy,
                x,
                mean,
                first,
                positions,
                parts,
            });
        },
    );
    for (i, &[s, p]) in parts.iter().enumerate() {
        sum[i % channels] += s;
        product[i % channels] += p;
    }
}

/// Maps blocks of samples, whose size depends on the shape alone, in order.
fn in_blocks<R: Send>(
    samples: usize,
    channels: usize,
    map: impl Fn(std::ops::Range<usize>) -> R + Sync,
) -> Vec<R> {
    let block = super::block(samples, channels);
    let mut results: Vec<Option<R>> = (0..samples.div_ceil(block)).map(|_| None).collect();
    let run =
        |(i, result): (usize, &mut Option<R>)| *result = Some(map(i * block..samples.min((i + 1) * block)));
    let slots = results.iter_mut().enumerate();
    if samples * channels < parallel::THRESHOLD {
        slots.for_each(run);
    } else {
        parallel::for_each(slots.collect(), run);
    }
    results.into_iter().flatten().collect()
}

/// Count, mean and summed squared deviations.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Chan's formula.
    fn merge(&mut self, count: f64, mean: f64, var: f64) {
        let total = self.count + count;
        let delta = mean - self.mean;
        self.mean += delta * count / total;
        self.squares += var * count + delta * delta * self.count * count / total;
        self.count = total;
    }

    fn finish<T: Element>(&self) -> (T, T) {
        (T::of(self.mean), T::of(self.squares / self.count))
    }
}

/// Mean and variance of each column of some rows, into `part`.
struct Columns<'a, T> {
    x: &'a [T],
    part: &'a mut [T],
}

impl<T: Element> Kernel for Columns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let cols = self.part.len() / 2;
        let (mean, var) = self.part.split_at_mut(cols);
        let count = T::of((self.x.len() / cols.max(1)) as f64);
        let (zero, lanes) = (s.splat(T::ZERO), s.lanes::<T>());
        for (j, (mean, var)) in mean.chunks_mut(lanes).zip(var.chunks_mut(lanes)).enumerate() {
            let rows = || {
                self.x
                    .chunks_exact(cols)
                    .map(|row| s.load::<T>(&row[j * lanes..]))
            };
            let mut sum = zero;
            for x in rows() {
                sum = sum + x;
            }
            let centre = sum / s.splat(count);
            let (mut shift, mut squares) = (zero, zero);
            for x in rows() {
                let d = x - centre;
                shift = shift + d;
                squares = d.mul_add(d, squares);
            }
            let shift = shift / s.splat(count);
            (centre + shift).store(mean);
            shift.neg_mul_add(shift, squares / s.splat(count)).store(var);
        }
    }
}

/// Σ dy and Σ dy·(x − mean) of each column of some rows, into `part`.
struct ColumnSums<'a, T> {
    dy: &'a [T],
    x: &'a [T],
    mean: &'a [T],
    part: &'a mut [T],
}

impl<T: Element> Kernel for ColumnSums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let cols = self.mean.len();
        let (sums, products) = self.part.split_at_mut(cols);
        let lanes = s.lanes::<T>();
        for (dy, x) in self.dy.chunks_exact(cols).zip(self.x.chunks_exact(cols)) {
            let inputs = dy.chunks(lanes).zip(x.chunks(lanes)).zip(self.mean.chunks(lanes));
            let outputs = sums.chunks_mut(lanes).zip(products.chunks_mut(lanes));
            for (((dy, x), mean), (sum, product)) in inputs.zip(outputs) {
                let (dy, x, mean) = (s.load::<T>(dy), s.load::<T>(x), s.load::<T>(mean));
                dy.mul_add(x - mean, s.load::<T>(product)).store(product);
                (dy + s.load::<T>(sum)).store(sum);
            }
        }
    }
}

/// Σ dy and Σ dy·(x − mean) of each stretch.
struct Stretches<'a, T> {
    dy: &'a [T],
    x: &'a [T],
    mean: &'a [T],
    first: usize,
    positions: usize,
    parts: &'a mut [[T; 2]],
}

impl<T: Element> Kernel for Stretches<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let stretches = self
            .dy
            .chunks_exact(self.positions)
            .zip(self.x.chunks_exact(self.positions));
        for (i, ((dy, x), part)) in stretches.zip(self.parts).enumerate() {
            let mean = s.splat(self.mean[(self.first + i) % self.mean.len()]);
            *part = [
                fold(
                    s,
                    [dy],
                    #[inline(always)]
                    |[dy]: [T::Vector<S>; 1]| dy,
                ),
                fold(
                    s,
                    [dy, x],
                    #[inline(always)]
                    |[dy, x]: [T::Vector<S>; 2]| dy * (x - mean),
                ),
            ];
        }
    }
}
