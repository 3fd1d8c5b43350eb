//! Softmax and log-softmax along the last axis.

use candle_core::{Result, Tensor};
use sconce_core::cpu::{self, Real};
use sconce_core::{Backward, Function, Output, apply1};
use sconce_kernels::rows;
use std::marker::PhantomData;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Softmax,
    LogSoftmax,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Softmax => "softmax",
            Kind::LogSoftmax => "log_softmax",
        }
    }
}

/// Along the last axis of x.
pub(crate) fn forward<T: Real>(x: &Tensor, kind: Kind) -> Result<Tensor> {
    apply1(Softmax(kind, PhantomData::<T>), &[x])
}

struct Softmax<T>(Kind, PhantomData<T>);

impl<T: Real> Function for Softmax<T> {
    type Saved = ();

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn forward(&self, inputs: &[Tensor], _: &[bool]) -> Result<(Vec<Output>, ())> {
        let x = cpu::slice::<T>(&inputs[0])?;
        let width = width(&inputs[0]);
        let y = match self.0 {
            Kind::Softmax => rows::softmax(&x, width),
            Kind::LogSoftmax => rows::log_softmax(&x, width),
        };
        Ok((vec![Output::new(y, inputs[0].shape())?], ()))
    }

    fn backward(&self, ctx: &Backward<()>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let (Some(grad), Some(output)) = (&grads[0], ctx.outputs.first()) else {
            return Ok(vec![None]);
        };
        let grad = grad.contiguous()?;
        let (y, dy) = (cpu::slice::<T>(output)?, cpu::slice::<T>(&grad)?);
        let dx = match self.0 {
            Kind::Softmax => rows::softmax_backward(&y, &dy, width(output)),
            Kind::LogSoftmax => rows::log_softmax_backward(&y, &dy, width(output)),
        };
        Ok(vec![Some(Tensor::from_vec(dx, output.shape(), output.device())?)])
    }

    fn keeps_outputs(&self) -> bool {
        true
    }
}

fn width(x: &Tensor) -> usize {
    x.dims().last().copied().unwrap_or(1)
}
