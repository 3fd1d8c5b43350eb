//! Functions of one value: one read and one write, both ways.

use crate::activation::{Kept, Pointwise};
use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use sconce_kernels::parallel;
use sconce_kernels::simd::{self, Kernel, Simd, Vector};
use std::marker::PhantomData;

/// y = f(x), element by element.
pub(crate) fn forward<T: Real>(x: &Tensor, function: impl Pointwise) -> Result<Tensor> {
    apply1(Elementwise(function, PhantomData::<T>), &[x])
}

struct Elementwise<T, P>(P, PhantomData<T>);

impl<T: Real, P: Pointwise> Function for Elementwise<T, P> {
    /// The input, if the slope is computed from it.
    type Saved = Option<Tensor>;

    fn name(&self) -> &'static str {
        P::NAME
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, Self::Saved)> {
        let input = &inputs[0];
        let x = cpu::slice::<T>(input)?;
        let mut y = vec![T::ZERO; x.len()];
        parallel::zip1(&mut y, &x, |y, x| {
            simd::dispatch(Values {
                function: self.0,
                y,
                x,
            })
        });
        let saved = (P::KEPT == Kept::Input).then(|| input.clone());
        Ok((vec![Output::new(y, input.shape())?], saved))
    }

    fn backward(&self, ctx: &Backward<Self::Saved>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let (Some(grad), Some(kept)) = (&grads[0], ctx.saved.as_ref().or(ctx.outputs.first())) else {
            return Ok(vec![None]);
        };
        let grad = grad.contiguous()?;
        let mut dx = vec![T::ZERO; kept.elem_count()];
        let (kept_slice, grad_slice) = (cpu::slice::<T>(kept)?, cpu::slice::<T>(&grad)?);
        parallel::zip(
            (&mut dx[..], &kept_slice[..], &grad_slice[..]),
            |_, (dx, kept, dy)| {
                simd::dispatch(Slopes {
                    function: self.0,
                    dx,
                    kept,
                    dy,
                });
            },
        );
        Ok(vec![Some(Tensor::from_vec(dx, kept.shape(), kept.device())?)])
    }

    fn keeps_outputs(&self) -> bool {
        P::KEPT == Kept::Output
    }
}

struct Values<'a, T, P> {
    function: P,
    y: &'a mut [T],
    x: &'a [T],
}

impl<T: Real, P: Pointwise> Kernel for Values<'_, T, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let lanes = s.lanes::<T>();
        for (y, x) in self.y.chunks_mut(lanes).zip(self.x.chunks(lanes)) {
            self.function.value(s.load::<T>(x)).store(y);
        }
    }
}

struct Slopes<'a, T, P> {
    function: P,
    dx: &'a mut [T],
    kept: &'a [T],
    dy: &'a [T],
}

impl<T: Real, P: Pointwise> Kernel for Slopes<'_, T, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let lanes = s.lanes::<T>();
        let inputs = self.kept.chunks(lanes).zip(self.dy.chunks(lanes));
        for (dx, (kept, dy)) in self.dx.chunks_mut(lanes).zip(inputs) {
            (self.function.slope(s.load::<T>(kept)) * s.load::<T>(dy)).store(dx);
        }
    }
}
