//! Softmax over the items of each group, column by column.

use super::{by_group, by_item, incoming, rows_and_width};
use crate::index::Index;
use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use sconce_kernels::math;
use std::marker::PhantomData;

/// What PyTorch Geometric adds to each sum.
pub(crate) const EPS: f64 = 1e-16;

/// y[i] = exp(x[i]) over the sum of exp(x) of its group.
pub(crate) fn forward<T: Real>(x: &Tensor, index: &Index) -> Result<Tensor> {
    let index = index.clone();
    apply1(Softmax::<T>(index, PhantomData), &[x])
}

struct Softmax<T>(Index, PhantomData<T>);

impl<T: Real> Function for Softmax<T> {
    type Saved = ();

    fn name(&self) -> &'static str {
        "scatter_softmax"
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, ())> {
        let (_, width) = rows_and_width(&inputs[0]);
        let x = cpu::slice::<T>(&inputs[0])?;
        let groups = self.0.groups();
        let largest = by_group(&self.0, width, T::zero(), |_, items, row: &mut [T]| {
            for (k, &item) in items.iter().enumerate() {
                let from = item as usize * width;
                for (y, x) in row.iter_mut().zip(&x[from..from + width]) {
                    if k == 0 || *x > *y {
                        *y = *x;
                    }
                }
            }
        });
        let shifted = by_item(groups.len(), width, |item, row: &mut [T]| {
            let (x, largest) = (&x[item * width..], &largest[groups[item] as usize * width..]);
            for ((y, x), largest) in row.iter_mut().zip(x).zip(largest) {
                *y = *x - *largest;
            }
        });
        let mut exp = vec![T::zero(); shifted.len()];
        math::exp(&mut exp, &shifted);
        let sums = sums(&self.0, width, T::from_f64(EPS), &exp);
        let y = by_item(groups.len(), width, |item, row: &mut [T]| {
            let (exp, sum) = (&exp[item * width..], &sums[groups[item] as usize * width..]);
            for ((y, exp), sum) in row.iter_mut().zip(exp).zip(sum) {
                *y = *exp / *sum;
            }
        });
        Ok((vec![Output::new(y, inputs[0].shape())?], ()))
    }

    fn backward(&self, ctx: &Backward<()>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let (Some(grad), Some(output)) = (incoming(grads)?, ctx.outputs.first()) else {
            return Ok(vec![None]);
        };
        let (_, width) = rows_and_width(output);
        let (y, dy) = (cpu::slice::<T>(output)?, cpu::slice::<T>(&grad)?);
        let groups = self.0.groups();
        let products = by_item(groups.len(), width, |item, row: &mut [T]| {
            for ((p, y), dy) in row.iter_mut().zip(&y[item * width..]).zip(&dy[item * width..]) {
                *p = *y * *dy;
            }
        });
        let means = sums(&self.0, width, T::zero(), &products);
        let dx = by_item(groups.len(), width, |item, row: &mut [T]| {
            let (y, dy) = (&y[item * width..], &dy[item * width..]);
            let means = &means[groups[item] as usize * width..];
            for ((dx, y), (dy, mean)) in row.iter_mut().zip(y).zip(dy.iter().zip(means)) {
                *dx = *y * (*dy - *mean);
            }
        });
        Ok(vec![Some(Tensor::from_vec(dx, output.shape(), grad.device())?)])
    }

    fn keeps_outputs(&self) -> bool {
        true
    }
}

fn sums<T: Real>(index: &Index, width: usize, start: T, values: &[T]) -> Vec<T> {
    by_group(index, width, start, |_, items, row: &mut [T]| {
        for &item in items {
            for (sum, value) in row.iter_mut().zip(&values[item as usize * width..]) {
                *sum += *value;
            }
        }
    })
}
