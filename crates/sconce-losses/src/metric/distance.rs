//! Lengths and distances of vectors, whose slopes are those of PyTorch where there is no one slope.

use candle_core::{D, Result, Tensor};
use sconce_core::{Backward, Error, Function, Output, apply1};

/// (Σ |x_i|^p)^(1/p) along the last axis, which goes; the largest |x_i| for an infinite p.
pub(super) fn norm(x: &Tensor, p: f64) -> Result<Tensor> {
    apply1(Norm { p }, &[x])
}

/// The norm of a − b + eps.
pub(super) fn distance(a: &Tensor, b: &Tensor, p: f64, eps: f64) -> Result<Tensor> {
    norm(&((a - b)? + eps)?, p)
}

/// x over its length along the last axis, or over 10⁻¹² where it is shorter, as `torch.nn.functional.normalize`.
pub(super) fn normalise(x: &Tensor) -> Result<Tensor> {
    let length = norm(x, 2.)?.unsqueeze(D::Minus1)?;
    let least = (length.zeros_like()? + 1e-12)?;
    let length = length.lt(1e-12)?.where_cond(&least, &length)?;
    x.broadcast_div(&length)
}

struct Norm {
    p: f64,
}

impl Norm {
    fn value(&self, x: &Tensor) -> Result<Tensor> {
        let size = x.abs()?;
        if self.p == 1. || x.elem_count() == 0 {
            // candle has no maximum of nothing.
            size.sum(D::Minus1)
        } else if self.p == 2. {
            x.sqr()?.sum(D::Minus1)?.sqrt()
        } else if self.p.is_infinite() {
            // The maximum may step over a NaN, a sum doesn't.
            let nans = x.ne(x)?.to_dtype(x.dtype())?.sum(D::Minus1)?;
            let nan = (nans.zeros_like()? + f64::NAN)?;
            nans.gt(0.)?.where_cond(&nan, &size.max(D::Minus1)?)
        } else {
            size.powf(self.p)?.sum(D::Minus1)?.powf(1. / self.p)
        }
    }

    /// sign(x)·(|x|/‖x‖)^(p−1): 0 where x is 0, and where the norm is, be it that the powers are too small for the type. The
    /// largest of an infinite p share the slope.
    fn slope(&self, x: &Tensor) -> Result<Tensor> {
        let sign = x.sign()?;
        if self.p == 1. {
            return Ok(sign);
        }
        let norm = self.value(x)?.unsqueeze(D::Minus1)?;
        let size = x.abs()?;
        if self.p.is_infinite() {
            let largest = size.broadcast_eq(&norm)?.to_dtype(x.dtype())?;
            return (sign * &largest)?.broadcast_div(&largest.sum_keepdim(D::Minus1)?);
        }
        let share = size.broadcast_div(&norm)?;
        let slope = match self.p == 2. {
            true => x.broadcast_div(&norm)?,
            false => (sign * share.powf(self.p - 1.)?)?,
        };
        let nothing = x.eq(0.)?.broadcast_maximum(&norm.eq(0.)?)?;
        nothing.where_cond(&slope.zeros_like()?, &slope)
    }
}

impl Function for Norm {
    type Saved = Tensor;

    fn name(&self) -> &'static str {
        "norm"
    }

    fn forward(&self, inputs: &[Tensor], _wanted: &[bool]) -> Result<(Vec<Output>, Tensor)> {
        let [x] = inputs else {
            return Err(Error::config(self.name(), "inputs", inputs.len(), "one").into());
        };
        Ok((vec![Output::copy_of(&self.value(x)?)?], x.clone()))
    }

    fn backward(&self, ctx: &Backward<'_, Tensor>, grads: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let [Some(grad)] = grads else {
            return Ok(vec![None]);
        };
        let slope = self.slope(ctx.saved)?;
        Ok(vec![Some(slope.broadcast_mul(&grad.unsqueeze(D::Minus1)?)?)])
    }
}
