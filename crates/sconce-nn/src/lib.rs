//! Layers that every family of sconce shares.
//!
//! They take candle's [`VarBuilder`](candle_nn::VarBuilder), implement candle's [`Module`](candle_core::Module) or, where
//! training differs, [`ModuleT`](candle_core::ModuleT), and name and lay out their parameters as PyTorch does, so that its
//! checkpoints load by name. Every gradient is checked against finite differences and against PyTorch's.
//!
//! - [`Linear`], [`Embedding`], [`Mlp`], [`Sequential`], [`Flatten`]
//! - [`LayerNorm`], [`RmsNorm`], [`GroupNorm`], [`BatchNorm1d`] to `3d`, [`InstanceNorm1d`] to `3d`
//! - [`Dropout`], [`Dropout1d`] to `3d`, [`AlphaDropout`], [`FeatureAlphaDropout`]
//! - all of `torch.nn`'s activations, from [`Relu`] and [`Gelu`] to [`Prelu`], [`Rrelu`] and [`Glu`]; [`Activation`] picks one by
//!   name
//! - [`softmax`], [`log_softmax`], and the layers [`Softmax`], [`LogSoftmax`], [`Softmin`], [`Softmax2d`]
//! - [`generate`]: greedy and sampled decoding and beam search, over any step function
//!
//! On the CPU, in f32 and f64, each runs a kernel that is one node of the graph; elsewhere a composite of candle operations.
//!
//! ```
//! use sconce_core::candle_core::{DType, Device, ModuleT, Tensor};
//! use sconce_core::{ParamStore, backward};
//! use sconce_nn::{Activation, Mlp, MlpConfig};
//!
//! let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(0);
//! let cfg = MlpConfig { activation: Activation::Tanh, ..MlpConfig::new(2, [8], 1) };
//! let net = Mlp::new(&cfg, store.builder())?;
//! let x = Tensor::new(&[[0f32, 1.], [1., 0.]], &Device::Cpu)?;
//! let loss = net.forward_t(&x, true)?.sqr()?.mean_all()?;
//! let gradients = backward(&loss, &store)?;
//! assert!(gradients.missing().is_empty());
//! # Ok::<(), sconce_core::Error>(())
//! ```

pub use sconce_core::{candle_core, candle_nn};

use candle_core::{Result, Tensor};

mod activation;
mod batch_norm;
mod dropout;
mod embedding;
mod flatten;
pub mod generate;
mod group_norm;
mod instance_norm;
#[allow(
    clippy::indexing_slicing,
    reason = "loops whose bounds are checked once, where they start"
)]
mod kernels;
mod layer_norm;
mod linear;
mod mlp;
mod rms_norm;
mod sequential;
mod softmax;

pub use activation::{
    Activation, Celu, Elu, Gelu, GeluForm, Glu, Hardshrink, Hardsigmoid, Hardswish, Hardtanh, LeakyRelu,
    LogSigmoid, Mish, Prelu, PreluConfig, Relu, Relu6, Rrelu, RreluConfig, Selu, Sigmoid, Silu, Softplus,
    Softshrink, Softsign, Tanh, Tanhshrink, Threshold,
};
pub use batch_norm::{BatchNorm1d, BatchNorm2d, BatchNorm3d, BatchNormConfig};
pub use dropout::{AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d, FeatureAlphaDropout};
pub use embedding::{Embedding, EmbeddingConfig};
pub use flatten::Flatten;
pub use group_norm::{GroupNorm, GroupNormConfig};
pub use instance_norm::{InstanceNorm1d, InstanceNorm2d, InstanceNorm3d, InstanceNormConfig};
pub use layer_norm::{LayerNorm, LayerNormConfig};
pub use linear::{Linear, LinearConfig, linear};
pub use mlp::{Mlp, MlpConfig};
pub use rms_norm::{RmsNorm, RmsNormConfig};
pub use sequential::Sequential;
pub use softmax::{LogSoftmax, Softmax, Softmax2d, Softmin, log_softmax, softmax};

/// What a layer computes from: its input, if it is of floating point. candle panics where it lacks an operation for integers.
fn input(layer: &str, x: &Tensor) -> Result<Tensor> {
    if !x.dtype().is_float() {
        return Err(sconce_core::Error::DType {
            layer: layer.to_string(),
            argument: "input",
            expected: "a floating-point type".to_string(),
            got: x.dtype(),
        }
        .into());
    }
    readable(x)
}

/// candle panics where it reads an empty tensor that begins behind its storage's end: exchanged for one that doesn't.
fn readable(x: &Tensor) -> Result<Tensor> {
    if x.elem_count() == 0 && (x.layout().start_offset() > 0 || !x.is_contiguous()) {
        return Tensor::zeros(x.shape(), x.dtype(), x.device());
    }
    Ok(x.clone())
}

/// The number of an axis; negative numbers count from the end. None where a tensor of this rank lacks it.
fn axis(dim: isize, rank: usize) -> Option<usize> {
    let rank = isize::try_from(rank).ok()?;
    let dim = if dim < 0 { dim.checked_add(rank)? } else { dim };
    usize::try_from(dim).ok().filter(|_| dim < rank)
}

/// Lengths of axes as they stand in a shape.
fn join(dims: &[usize]) -> String {
    dims.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::Tensor;

    /// ‖a − b‖ ≤ bound·‖b‖.
    pub(crate) fn assert_close(a: &Tensor, b: &Tensor, bound: f64) {
        let norm = |t: Tensor| {
            t.sqr()
                .unwrap()
                .sum_all()
                .unwrap()
                .to_scalar::<f64>()
                .unwrap()
                .sqrt()
        };
        assert_eq!(a.dims(), b.dims());
        let (error, size) = (norm((a - b).unwrap()), norm(b.clone()));
        assert!(error <= bound * size + 1e-300, "off by {error:e} of {size:e}");
    }
}
