//! Layer norm over the last axis, forward and backward.

use super::folds;
use super::moments::row_moments;
use crate::parallel::{self, Rows};
use crate::simd::{self, Element, Kernel, Simd, Vector};

/// y = (x − E\[x\]) / √(Var\[x\] + eps) · weight + bias in every row of `cols` elements.
///
/// Each row's mean and 1/√(Var\[x\] + eps) go to `mean` and `rstd`, for the backward pass.
///
/// # Panics
/// The slices don't agree in their number of rows or columns.
#[allow(clippy::too_many_arguments, reason = "three outputs, three inputs")]
pub fn layer_norm<T: Element>(
    y: &mut [T],
    x: &[T],
    cols: usize,
    weight: Option<&[T]>,
    bias: Option<&[T]>,
    eps: f64,
    mean: &mut [T],
    rstd: &mut [T],
) {
    for parameter in [weight, bias].into_iter().flatten() {
        assert!(
            parameter.len() == cols,
            "a parameter's length isn't the number of columns"
        );
    }
    parallel::zip_rows(
        cols,
        (Rows(y, cols), Rows(x, cols), mean, rstd),
        |_, (y, x, mean, rstd)| {
            simd::dispatch(Forward {
                y,
                x,
                cols,
                weight,
                bias,
                eps,
                mean,
                rstd,
            });
        },
    );
}

struct Forward<'a, T> {
    y: &'a mut [T],
    x: &'a [T],
    cols: usize,
    weight: Option<&'a [T]>,
    bias: Option<&'a [T]>,
    eps: f64,
    mean: &'a mut [T],
    rstd: &'a mut [T],
}

impl<T: Element> Kernel for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self {
            y,
            x,
            cols,
            weight,
            bias,
            eps,
            mean,
            rstd,
        } = self;
        let rows = y
            .chunks_exact_mut(cols)
            .zip(x.chunks_exact(cols))
            .zip(mean.iter_mut().zip(rstd));
        for ((y, x), (mean, rstd)) in rows {
            let var;
            (*mean, var) = row_moments(s, x);
            *rstd = T::ONE / (var + T::of(eps)).root();
            let (m, r) = (s.splat(*mean), s.splat(*rstd));
            match (weight, bias) {
                (Some(w), Some(b)) => {
                    simd::map3(
                        s,
                        y,
                        x,
                        w,
                        b,
                        #[inline(always)]
                        |x: T::Vector<S>, w: T::Vector<S>, b: T::Vector<S>| ((x - m) * r).mul_add(w, b),
                    );
                }
                (Some(w), None) => {
                    simd::map2(
                        s,
                        y,
                        x,
                        w,
                        #[inline(always)]
                        |x: T::Vector<S>, w: T::Vector<S>| (x - m) * r * w,
                    );
                }
                (None, Some(b)) => {
                    simd::map2(
                        s,
                        y,
                        x,
                        b,
                        #[inline(always)]
                        |x: T::Vector<S>, b: T::Vector<S>| (x - m).mul_add(r, b),
                    );
                }
                (None, None) => simd::map1(
                    s,
                    y,
                    x,
                    #[inline(always)]
                    |x: T::Vector<S>| (x - m) * r,
                ),
            }
        }
    }
}

/// Which gradients [`layer_norm_backward`] writes: those that are `Some`.
#[derive(Debug, Default)]
pub struct LayerNormGradients<'a, T> {
    /// Of the input: rows × columns.
    pub dx: Option<&'a mut [T]>,
    /// Of the weight: a value a column.
    pub dweight: Option<&'a mut [T]>,
    /// Of the bias: a value a column.
    pub dbias: Option<&'a mut [T]>,
}

/// The most blocks of rows whose sums are then added up: fixed, so that the bits don't depend on the number of threads.
const BLOCKS: usize = 32;

/// The gradients of [`layer_norm`], from its input and the statistics that it gave.
///
/// With x̂ = (x − mean)·rstd and g = dy·weight: dx = rstd·(g − E\[g\] − x̂·E\[g·x̂\]), dweight = Σ dy·x̂ and dbias = Σ dy
/// over all rows.
///
/// # Panics
/// The slices don't agree in their number of rows or columns.
pub fn layer_norm_backward<T: Element>(
    gradients: LayerNormGradients<'_, T>,
    dy: &[T],
    x: &[T],
    cols: usize,
    weight: Option<&[T]>,
    mean: &[T],
    rstd: &[T],
) {
    let LayerNormGradients { dx, dweight, dbias } = gradients;
    let rows = mean.len();
    let whole = |slice: &[T]| slice.len() == rows * cols;
    assert!(
        rstd.len() == rows && whole(dy) && whole(x),
        "slices that go in lock-step differ in length"
    );
    assert!(
        dx.as_deref().is_none_or(whole),
        "the gradient's length isn't the input's"
    );
    for parameter in [weight, dweight.as_deref(), dbias.as_deref()]
        .into_iter()
        .flatten()
    {
        assert!(
            parameter.len() == cols,
            "a parameter's length isn't the number of columns"
        );
    }
    let sums_wanted = dweight.is_some() || dbias.is_some();
    if rows == 0 || cols == 0 {
        [dweight, dbias]
            .into_iter()
            .flatten()
            .for_each(|sum| sum.fill(T::ZERO));
        return;
    }

    let block = rows.div_ceil(BLOCKS);
    let count = rows.div_ceil(block);
    let mut partial = vec![T::ZERO; if sums_wanted { 2 * count * cols } else { 0 }];
    let mut sums = partial.chunks_exact_mut(2 * cols);
    let mut dx = dx.map(|dx| dx.chunks_mut(block * cols));
    let blocks = (0..count).map(|i| {
        let rows = i * block..rows.min((i + 1) * block);
        let elements = rows.start * cols..rows.end * cols;
        Backward {
            dx: dx.as_mut().and_then(Iterator::next),
            sums: sums.next(),
            dy: &dy[elements.clone()],
            x: &x[elements],
            cols,
            weight,
            mean: &mean[rows.clone()],
            rstd: &rstd[rows],
        }
    });
    if rows * cols < parallel::THRESHOLD {
        blocks.for_each(simd::dispatch);
    } else {
        parallel::for_each(blocks.collect(), simd::dispatch);
    }

    let (mut dweight, mut dbias) = (dweight, dbias);
    for (which, total) in [&mut dweight, &mut dbias].into_iter().enumerate() {
        if let Some(total) = total {
            total.fill(T::ZERO);
            for sums in partial.chunks_exact(2 * cols) {
                for (total, &sum) in total.iter_mut().zip(&sums[which * cols..]) {
                    *total += sum;
                }
            }
        }
    }
}

struct Backward<'a, T> {
    dx: Option<&'a mut [T]>,
    /// Σ dy·x̂, then Σ dy.
    sums: Option<&'a mut [T]>,
    dy: &'a [T],
    x: &'a [T],
    cols: usize,
    weight: Option<&'a [T]>,
    mean: &'a [T],
    rstd: &'a [T],
}

impl<T: Element> Kernel for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let (cols, lanes) = (self.cols, s.lanes::<T>());
        let whole = cols - cols % lanes;
        // One row at a time: rows of a power of two would crowd into the same sets of the cache.
        for i in 0..self.mean.len() {
            let elements = i * cols..(i + 1) * cols;
            let (x, dy) = (&self.x[elements.clone()], &self.dy[elements.clone()]);
            let (mean, rstd) = (s.splat(self.mean[i]), s.splat(self.rstd[i]));
            // rstd·(g − E[g] − x̂·E[g·x̂]) = rstd·g − shift − (x − mean)·slope
            let (mut shift, mut slope) = (s.splat(T::ZERO), s.splat(T::ZERO));
            if self.dx.is_some() {
                let [sum, dot] = match self.weight {
                    Some(w) => folds(
                        s,
                        [x, dy, w],
                        #[inline(always)]
                        |[x, dy, w]: [T::Vector<S>; 3]| [dy * w, dy * w * (x - mean)],
                    ),
                    None => folds(
                        s,
                        [x, dy],
                        #[inline(always)]
                        |[x, dy]: [T::Vector<S>; 2]| [dy, dy * (x - mean)],
                    ),
                };
                let count = s.constant::<T>(cols as f64);
                shift = s.splat(sum) / count * rstd;
                slope = s.splat(dot) / count * rstd * rstd * rstd;
            }
            let mut row = Row {
                x,
                dy,
                mean,
                rstd,
                shift,
                slope,
                weight: self.weight,
                dx: self.dx.as_deref_mut().map(|dx| &mut dx[elements]),
                sums: self.sums.as_deref_mut().map(|sums| sums.split_at_mut(cols)),
            };
            for start in (0..whole).step_by(lanes) {
                row.step(s, start, lanes);
            }
            if whole < cols {
                row.step(s, whole, cols - whole);
            }
        }
    }
}

/// What the second pass over a row works on.
struct Row<'a, T: Element, S: Simd> {
    x: &'a [T],
    dy: &'a [T],
    mean: T::Vector<S>,
    rstd: T::Vector<S>,
    shift: T::Vector<S>,
    slope: T::Vector<S>,
    weight: Option<&'a [T]>,
    dx: Option<&'a mut [T]>,
    sums: Option<(&'a mut [T], &'a mut [T])>,
}

impl<T: Element, S: Simd> Row<'_, T, S> {
    /// `count` columns from `start` on: a vector, or what is left at the end.
    #[inline(always)]
    fn step(&mut self, s: S, start: usize, count: usize) {
        let columns = start..start + count;
        let d = s.load::<T>(&self.x[columns.clone()]) - self.mean;
        let dy = s.load::<T>(&self.dy[columns.clone()]);
        if let Some(dx) = &mut self.dx {
            let weight = self
                .weight
                .map_or(s.splat(T::ONE), |weight| s.load::<T>(&weight[columns.clone()]));
            let g = (dy * weight).mul_add(self.rstd, -self.shift);
            d.neg_mul_add(self.slope, g).store(&mut dx[columns.clone()]);
        }
        if let Some((weight, bias)) = &mut self.sums {
            let (weight, bias) = (&mut weight[columns.clone()], &mut bias[columns]);
            (dy * self.rstd).mul_add(d, s.load::<T>(weight)).store(weight);
            (dy + s.load::<T>(bias)).store(bias);
        }
    }
}
