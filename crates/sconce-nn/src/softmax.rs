//! Softmax and log-softmax, as functions; their layers stand below.

mod layers;

use crate::kernels;
use candle_core::{Result, Tensor, shape::Dim};
pub use layers::{LogSoftmax, Softmax, Softmax2d, Softmin};
use sconce_core::{cpu, dispatch_real, graph};

/// exp(x) over its sum along `dim`.
///
/// A slice that is −∞ throughout gives NaN, as in PyTorch.
///
/// # Shapes
/// x `[*]`, output the same
/// # Errors
/// `dim` isn't an axis of x.
/// # Source
/// `torch.nn.functional.softmax`
/// # Example
/// ```
/// use sconce_core::candle_core::{D, Device, Tensor};
/// let x = Tensor::new(&[[0f64, 0., f64::NEG_INFINITY]], &Device::Cpu)?;
/// assert_eq!(sconce_nn::softmax(&x, D::Minus1)?.to_vec2::<f64>()?, [[0.5, 0.5, 0.]]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn softmax(x: &Tensor, dim: impl Dim) -> Result<Tensor> {
    along(x, dim, kernels::softmax::Kind::Softmax)
}

/// x − log Σ exp(x) along `dim`, computed without overflow.
///
/// # Shapes
/// x `[*]`, output the same
/// # Errors
/// `dim` isn't an axis of x.
/// # Source
/// `torch.nn.functional.log_softmax`
/// # Example
/// ```
/// use sconce_core::candle_core::{D, Device, Tensor};
/// let x = Tensor::new(&[[1e4f64, 1e4]], &Device::Cpu)?;
/// let y = sconce_nn::log_softmax(&x, D::Minus1)?.to_vec2::<f64>()?;
/// assert!((y[0][0] + 2f64.ln()).abs() < 1e-15);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
pub fn log_softmax(x: &Tensor, dim: impl Dim) -> Result<Tensor> {
    along(x, dim, kernels::softmax::Kind::LogSoftmax)
}

fn along(x: &Tensor, dim: impl Dim, kind: kernels::softmax::Kind) -> Result<Tensor> {
    let x = &crate::input(kind.name(), x)?;
    let dim = dim.to_index(x.shape(), kind.name())?;
    if let Some(y) = sconce_core::widened(x, |wide| along(&wide(x)?, dim, kind))? {
        return Ok(y);
    }
    if !cpu::has_kernel(x) {
        let y = composite(x, dim, kind)?;
        graph::note(kind.name(), &[x], std::slice::from_ref(&y));
        return Ok(y);
    }
    let last = x.rank() - 1;
    if dim == last {
        return dispatch_real!(x, kernels::softmax::forward(x, kind));
    }
    let turned = x.transpose(dim, last)?;
    dispatch_real!(x, kernels::softmax::forward(&turned, kind))?
        .transpose(dim, last)?
        .contiguous()
}

/// The same from candle operations: the oracle of the kernel, and what runs on other devices.
fn composite(x: &Tensor, dim: usize, kind: kernels::softmax::Kind) -> Result<Tensor> {
    // The maximum cancels out of the result, so its gradient does too.
    let shifted = x.broadcast_sub(&x.max_keepdim(dim)?.detach())?;
    let sum = shifted.exp()?.sum_keepdim(dim)?;
    match kind {
        kernels::softmax::Kind::Softmax => shifted.exp()?.broadcast_div(&sum),
        kernels::softmax::Kind::LogSoftmax => shifted.broadcast_sub(&sum.log()?),
    }
}
