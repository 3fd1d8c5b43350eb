//! Layer norm over the last axis, forward and backward.

use super::moments::row_moments;
use super::{folds, map, map_and_add};
use crate::parallel::{self, BlankPart, Rows, in_order};
use crate::simd::{self, Element, Kernel, Simd, Vector};

/// What [`layer_norm`] computes.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNorm<T> {
    /// The output: rows × columns.
    pub y: Vec<T>,
    /// Each row's mean, for the backward pass.
    pub mean: Vec<T>,
    /// Each row's 1/√(Var\[x\] + eps), for the backward pass.
    pub rstd: Vec<T>,
}

/// y = (x − E\[x\]) / √(Var\[x\] + eps) · weight + bias in every row of `cols` elements.
///
/// # Panics
/// The slice isn't whole rows, or a parameter isn't a row.
pub fn layer_norm<T: Element>(
    x: &[T],
    cols: usize,
    weight: Option<&[T]>,
    bias: Option<&[T]>,
    eps: f64,
) -> LayerNorm<T> {
    for parameter in [weight, bias].into_iter().flatten() {
        assert!(
            parameter.len() == cols,
            "a parameter's length isn't the number of columns"
        );
    }
    let rows = x.len() / cols.max(1);
    let (mut mean, mut rstd) = (vec![T::ZERO; rows], vec![T::ZERO; rows]);
    let y = parallel::fresh(x.len(), |y| {
        parallel::zip_rows(
            cols,
            (Rows(y, cols), Rows(x, cols), &mut mean[..], &mut rstd[..]),
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
    });
    LayerNorm { y, mean, rstd }
}

struct Forward<'a, T: 'static> {
    y: BlankPart<'a, T>,
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
            mut y,
            x,
            cols,
            weight,
            bias,
            eps,
            mean,
            rstd,
        } = self;
        for (i, (mean, rstd)) in mean.iter_mut().zip(rstd).enumerate() {
            let row = i * cols..(i + 1) * cols;
            let x = &x[row];
            let var;
            (*mean, var) = row_moments(s, x);
            *rstd = T::ONE / (var + T::of(eps)).root();
            y.write(
                s,
                cols,
                #[inline(always)]
                |y| affine(s, y, x, (*mean, *rstd), weight, bias),
            );
        }
    }
}

/// y = (x − mean)·rstd·weight + bias for one row.
#[inline(always)]
fn affine<T: Element, S: Simd>(
    s: S,
    y: &mut [T],
    x: &[T],
    (mean, rstd): (T, T),
    weight: Option<&[T]>,
    bias: Option<&[T]>,
) {
    let (m, r) = (s.splat(mean), s.splat(rstd));
    match (weight, bias) {
        (Some(w), Some(b)) => map(
            s,
            y,
            [x, w, b],
            1,
            #[inline(always)]
            |[x, w, b]: [T::Vector<S>; 3]| ((x - m) * r).mul_add(w, b),
        ),
        (Some(w), None) => map(
            s,
            y,
            [x, w],
            1,
            #[inline(always)]
            |[x, w]: [T::Vector<S>; 2]| (x - m) * r * w,
        ),
        (None, Some(b)) => map(
            s,
            y,
            [x, b],
            1,
            #[inline(always)]
            |[x, b]: [T::Vector<S>; 2]| (x - m).mul_add(r, b),
        ),
        (None, None) => map(
            s,
            y,
            [x],
            1,
            #[inline(always)]
            |[x]: [T::Vector<S>; 1]| (x - m) * r,
        ),
    }
}

/// The gradients of [`layer_norm`]: those that were asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNormGradients<T> {
    /// Of the input: rows × columns.
    pub dx: Option<Vec<T>>,
    /// Of the weight and of the bias: a value a column each.
    pub parameters: Option<(Vec<T>, Vec<T>)>,
}

/// The gradients of [`layer_norm`], from its input and the statistics that it gave: the input's, the parameters', or both.
///
/// With x̂ = (x − mean)·rstd and g = dy·weight: dx = rstd·(g − E\[g\] − x̂·E\[g·x̂\]), dweight = Σ dy·x̂ and dbias = Σ dy
/// over all rows.
///
/// # Panics
/// The slices don't agree in their number of rows or columns.
pub fn layer_norm_backward<T: Element>(
    (input, parameters): (bool, bool),
    dy: &[T],
    x: &[T],
    cols: usize,
    weight: Option<&[T]>,
    mean: &[T],
    rstd: &[T],
) -> LayerNormGradients<T> {
    assert!(
        weight.is_none_or(|weight| weight.len() == cols),
        "a parameter's length isn't the number of columns"
    );
    let block = super::block(mean.len(), cols);
    let parts = (Rows(dy, cols), Rows(x, cols), mean, rstd);
    let backward = |dx: Option<BlankPart<'_, T>>, (dy, x, mean, rstd): Slices<'_, T>| {
        let mut sums = vec![T::ZERO; if parameters { 2 * cols } else { 0 }];
        simd::dispatch(Backward {
            dx,
            sums: parameters.then_some(&mut sums[..]),
            dy,
            x,
            cols,
            weight,
            mean,
            rstd,
        });
        sums
    };
    let add = |mut total: Vec<T>, sums: Vec<T>| {
        total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
        total
    };
    let (mut dx, mut sums) = (None, None);
    if input {
        dx = Some(parallel::fresh(x.len(), |dx| {
            let all = (Rows(dx, cols), parts);
            sums = in_order(all, block, cols, |_, (dx, parts)| backward(Some(dx), parts), add);
        }));
    } else if parameters {
        sums = in_order(parts, block, cols, |_, parts| backward(None, parts), add);
    }
    let parameters = parameters.then(|| {
        let mut dweight = sums.unwrap_or_else(|| vec![T::ZERO; 2 * cols]);
        let dbias = dweight.split_off(cols);
        (dweight, dbias)
    });
    LayerNormGradients { dx, parameters }
}

/// dy, x, mean and 1/√(var + eps) of some rows.
type Slices<'a, T> = (&'a [T], &'a [T], &'a [T], &'a [T]);

struct Backward<'a, T: 'static> {
    dx: Option<BlankPart<'a, T>>,
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
        let cols = self.cols;
        // One row at a time: rows of a power of two would crowd into the same sets of the cache.
        for i in 0..self.mean.len() {
            let elements = i * cols..(i + 1) * cols;
            let row = Row {
                x: &self.x[elements.clone()],
                dy: &self.dy[elements],
                weight: self.weight,
                mean: self.mean[i],
                rstd: self.rstd[i],
            };
            let sums = self.sums.as_deref_mut().map(|sums| sums.split_at_mut(cols));
            match &mut self.dx {
                Some(dx) => {
                    let line = row.line(s);
                    dx.write(
                        s,
                        cols,
                        #[inline(always)]
                        |dx| row.input(s, line, dx, sums),
                    );
                }
                None => row.parameters(s, sums),
            }
        }
    }
}

/// A row in the backward pass.
struct Row<'a, T> {
    x: &'a [T],
    dy: &'a [T],
    weight: Option<&'a [T]>,
    mean: T,
    rstd: T,
}

impl<T: Element> Row<'_, T> {
    /// shift and slope in dx = rstd·((g − shift) − (x − mean)·slope), which is rstd·(g − E\[g\] − x̂·E\[g·x̂\]) and 0 in a
    /// row of one element.
    #[inline(always)]
    fn line<S: Simd>(&self, s: S) -> (T, T) {
        let mean = s.splat(self.mean);
        let [sum, dot] = match self.weight {
            Some(w) => folds(
                s,
                [self.x, self.dy, w],
                #[inline(always)]
                |[x, dy, w]: [T::Vector<S>; 3]| [dy * w, dy * w * (x - mean)],
            ),
            None => folds(
                s,
                [self.x, self.dy],
                #[inline(always)]
                |[x, dy]: [T::Vector<S>; 2]| [dy, dy * (x - mean)],
            ),
        };
        let count = T::of(self.x.len() as f64);
        (sum / count, dot / count * self.rstd * self.rstd)
    }

    /// The input's gradient; and the parameters', added to their sums.
    #[inline(always)]
    fn input<S: Simd>(&self, s: S, (shift, slope): (T, T), dx: &mut [T], sums: Option<(&mut [T], &mut [T])>) {
        let (mean, rstd) = (s.splat(self.mean), s.splat(self.rstd));
        let line = [s.splat(shift), s.splat(slope), rstd];
        match (self.weight, sums) {
            (Some(w), Some((dweight, dbias))) => map_and_add(
                s,
                [dx, dweight, dbias],
                1,
                [self.x, self.dy, w],
                2,
                #[inline(always)]
                |[x, dy, w]: [T::Vector<S>; 3]| {
                    [on_line(x - mean, dy * w, line), (x - mean) * (dy * rstd), dy]
                },
            ),
            (None, Some((dweight, dbias))) => map_and_add(
                s,
                [dx, dweight, dbias],
                1,
                [self.x, self.dy],
                2,
                #[inline(always)]
                |[x, dy]: [T::Vector<S>; 2]| [on_line(x - mean, dy, line), (x - mean) * (dy * rstd), dy],
            ),
            (Some(w), None) => map(
                s,
                dx,
                [self.x, self.dy, w],
                2,
                #[inline(always)]
                |[x, dy, w]: [T::Vector<S>; 3]| on_line(x - mean, dy * w, line),
            ),
            (None, None) => map(
                s,
                dx,
                [self.x, self.dy],
                2,
                #[inline(always)]
                |[x, dy]: [T::Vector<S>; 2]| on_line(x - mean, dy, line),
            ),
        }
    }

    /// The parameters' gradients alone, added to their sums.
    #[inline(always)]
    fn parameters<S: Simd>(&self, s: S, sums: Option<(&mut [T], &mut [T])>) {
        let (mean, rstd) = (s.splat(self.mean), s.splat(self.rstd));
        if let Some((dweight, dbias)) = sums {
            map_and_add(
                s,
                [dweight, dbias],
                0,
                [self.x, self.dy],
                2,
                #[inline(always)]
                |[x, dy]: [T::Vector<S>; 2]| [(x - mean) * (dy * rstd), dy],
            );
        }
    }
}

/// rstd·((g − shift) − d·slope)
#[inline(always)]
fn on_line<V: Vector>(d: V, g: V, [shift, slope, rstd]: [V; 3]) -> V {
    d.neg_mul_add(slope, g - shift) * rstd
}
