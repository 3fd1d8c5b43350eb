//! Dropout whose mask is drawn anew for the backward pass.

use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Generator, Output, apply1};
use sconce_kernels::philox;
use std::marker::PhantomData;

/// Which elements are kept, as a stretch of a generator's sequence.
#[derive(Debug, Clone)]
pub(crate) struct Mask {
    keep: f64,
    seed: u64,
    first: u64,
}

impl Mask {
    /// The next mask for `len` elements, of which a share `p` is dropped.
    pub(crate) fn draw(p: f64, len: usize, generator: &Generator) -> Self {
        let first = generator.reserve(philox::dropout_counters(len));
        Self {
            keep: 1. - p,
            seed: generator.seed(),
            first,
        }
    }

    /// What the elements are multiplied by.
    pub(crate) fn factors(&self, len: usize) -> Vec<f64> {
        let mut factors = vec![0.; len];
        self.apply(&mut factors, &vec![1.; len]);
        factors
    }

    fn apply<T: Real>(&self, y: &mut [T], x: &[T]) {
        if self.keep == 0. {
            y.fill(T::ZERO);
        } else {
            philox::dropout(y, x, self.seed, self.first, self.keep);
        }
    }
}

/// x times the mask's factors.
pub(crate) fn forward<T: Real>(x: &Tensor, mask: Mask) -> Result<Tensor> {
    apply1(Drop::<T>(mask, PhantomData), &[x])
}

struct Drop<T>(Mask, PhantomData<T>);

impl<T: Real> Function for Drop<T> {
    type Saved = ();

    fn name(&self) -> &'static str {
        "dropout"
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, ())> {
        let x = cpu::slice::<T>(&inputs[0])?;
        let mut y = vec![T::ZERO; x.len()];
        self.0.apply(&mut y, &x);
        Ok((vec![Output::new(y, inputs[0].shape())?], ()))
    }

    fn backward(&self, _: &Backward<()>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let Some(grad) = &grads[0] else {
            return Ok(vec![None]);
        };
        let grad = grad.contiguous()?;
        let mut dx = vec![T::ZERO; grad.elem_count()];
        self.0.apply(&mut dx, &cpu::slice::<T>(&grad)?);
        Ok(vec![Some(Tensor::from_vec(dx, grad.shape(), grad.device())?)])
    }
}
