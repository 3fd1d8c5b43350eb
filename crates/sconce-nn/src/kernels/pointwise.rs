//! Functions of one value: one read and one write, both ways.

use crate::activation::{Kept, Pointwise};
use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use sconce_kernels::parallel::{self, BlankPart};
use sconce_kernels::simd::{self, Kernel, Simd};
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
        let y = parallel::fresh(x.len(), |y| {
            parallel::zip((y, &x[..]), |_, (y, x)| {
                simd::dispatch(Values {
                    function: self.0,
                    y,
                    x,
                });
            });
        });
        let saved = (P::KEPT == Kept::Input).then(|| input.clone());
        Ok((vec![Output::new(y, input.shape())?], saved))
    }

    fn backward(&self, ctx: &Backward<Self::Saved>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let (Some(grad), Some(kept)) = (&grads[0], ctx.saved.as_ref().or(ctx.outputs.first())) else {
            return Ok(vec![None]);
        };
        let grad = grad.contiguous()?;
        let (kept_slice, grad_slice) = (cpu::slice::<T>(kept)?, cpu::slice::<T>(&grad)?);
        let dx = parallel::fresh(kept_slice.len(), |dx| {
            parallel::zip((dx, &kept_slice[..], &grad_slice[..]), |_, (dx, kept, dy)| {
                simd::dispatch(Slopes {
                    function: self.0,
                    dx,
                    kept,
                    dy,
                });
            });
        });
        Ok(vec![Some(Tensor::from_vec(dx, kept.shape(), kept.device())?)])
    }

    fn keeps_outputs(&self) -> bool {
        P::KEPT == Kept::Output
    }
}

struct Values<'a, T: 'static, P> {
    function: P,
    y: BlankPart<'a, T>,
    x: &'a [T],
}

impl<T: Real, P: Pointwise> Kernel for Values<'_, T, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        for x in self.x.chunks(PIECE) {
            self.y.write(
                s,
                x.len(),
                #[inline(always)]
                |y| {
                    simd::map1(
                        s,
                        y,
                        x,
                        #[inline(always)]
                        |x: T::Vector<S>| self.function.value(x),
                    );
                },
            );
        }
    }
}

struct Slopes<'a, T: 'static, P> {
    function: P,
    dx: BlankPart<'a, T>,
    kept: &'a [T],
    dy: &'a [T],
}

impl<T: Real, P: Pointwise> Kernel for Slopes<'_, T, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        for (kept, dy) in self.kept.chunks(PIECE).zip(self.dy.chunks(PIECE)) {
            self.dx.write(
                s,
                dy.len(),
                #[inline(always)]
                |dx| {
                    simd::map2(
                        s,
                        dx,
                        kept,
                        dy,
                        #[inline(always)]
                        |kept: T::Vector<S>, dy: T::Vector<S>| self.function.slope(kept) * dy,
                    );
                },
            );
        }
    }
}

/// Elements that are computed before they go to where they belong.
const PIECE: usize = 1024;
