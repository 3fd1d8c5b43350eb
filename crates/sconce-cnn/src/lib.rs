//! Convolution, pooling, resampling and padding for candle with right gradients; LeNet, ResNet and U-Net.
//!
//! candle's own gradients of these operations are wrong or fail for some sizes; here they are right for every stride,
//! padding, dilation, group and size. Parameters have PyTorch's names and layouts.
//!
//! - [`Conv1d`], [`Conv2d`], [`Conv3d`], [`conv`]: convolution, its bias and an activation in one node of the graph;
//!   [`ConvTranspose1d`], [`ConvTranspose2d`], [`ConvTranspose3d`]
//! - [`MaxPool1d`], [`AvgPool1d`], [`AdaptiveMaxPool1d`], [`AdaptiveAvgPool1d`] and those of two and three axes: pooling
//! - [`Upsample`]: nearest, linear, bilinear, trilinear and bicubic; [`pad`]: constant, mirrored, repeated, wrapped around
//! - [`LeNet`], [`ResNet`], [`UNet`]: whole networks
//! - [`output_size`], [`transposed_output_size`], [`receptive_field`]: the size formulas that all of them share
//!
//! A layer of one, two or three axes of positions is one type: `Conv2d` is [`Conv<2>`](Conv).
//!
//! On the CPU, in f32 and f64, each runs a kernel; elsewhere a composite of candle operations.
//!
//! ```
//! use sconce_cnn::{LeNet, LeNetConfig};
//! use sconce_core::candle_core::{DType, Device, Module, Tensor};
//! use sconce_core::{ParamStore, backward};
//!
//! let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(0);
//! let net = LeNet::new(&LeNetConfig::new(10), store.builder())?;
//! let images = Tensor::zeros((2, 1, 28, 28), DType::F32, &Device::Cpu)?;
//! let logits = net.forward(&images)?;
//! assert_eq!(logits.dims(), [2, 10]);
//! let gradients = backward(&logits.sqr()?.mean_all()?, &store)?;
//! assert!(gradients.missing().is_empty());
//! # Ok::<(), sconce_core::Error>(())
//! ```

mod adaptive_pool;
mod along;
mod avg_pool;
mod conv;
mod conv_transpose;
#[allow(
    clippy::indexing_slicing,
    reason = "loops whose bounds are checked once, where they start"
)]
mod kernels;
mod max_pool;
mod models;
mod pad;
mod padding;
mod pool;
mod receptive_field;
mod upsample;
mod window;

pub use adaptive_pool::{
    AdaptiveAvgPool, AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool,
    AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d, AdaptivePoolConfig,
};
pub use avg_pool::{
    AvgPool, AvgPool1d, AvgPool1dConfig, AvgPool2d, AvgPool2dConfig, AvgPool3d, AvgPool3dConfig,
    AvgPoolConfig,
};
pub use conv::{
    Conv, Conv1d, Conv1dConfig, Conv2d, Conv2dConfig, Conv3d, Conv3dConfig, ConvConfig, ConvOptions, conv,
};
pub use conv_transpose::{
    ConvTranspose, ConvTranspose1d, ConvTranspose1dConfig, ConvTranspose2d, ConvTranspose2dConfig,
    ConvTranspose3d, ConvTranspose3dConfig, ConvTransposeConfig,
};
pub use max_pool::{
    MaxPool, MaxPool1d, MaxPool1dConfig, MaxPool2d, MaxPool2dConfig, MaxPool3d, MaxPool3dConfig,
    MaxPoolConfig,
};
pub use models::lenet::{LeNet, LeNetConfig, Pooling};
pub use models::resnet::{ResNet, ResNetConfig, Stem};
pub use models::unet::{UNet, UNetConfig};
pub use pad::{Pad, pad};
pub use padding::{Padding, PaddingMode};
pub use receptive_field::{ReceptiveField, Window, receptive_field};
pub use upsample::{Upsample, UpsampleConfig, UpsampleMode, UpsampleTo};
pub use window::{Sizes, output_size, transposed_output_size};

#[cfg(test)]
mod tests {
    use candle_core::Tensor;
    use sconce_core::{ParamStore, Parameters};
    use sconce_testkit::Random;
    use sconce_testkit::golden::{Bound, compare};

    pub(crate) type Check = std::result::Result<(), Box<dyn std::error::Error>>;

    /// Gives every parameter of one axis random values: after a bias of 0, what a relu has cut stays at the relu's kink.
    pub(crate) fn stir(store: &ParamStore) -> Check {
        let mut random = Random::new(9);
        for (name, var) in store.named_parameters() {
            if var.rank() == 1 {
                store.set(
                    &name,
                    &(random.normal(var.shape(), var.dtype())? * 0.3 + var.as_detached_tensor())?,
                )?;
            }
        }
        Ok(())
    }

    /// That the tensors of two lists agree.
    #[track_caller]
    pub(crate) fn assert_same(actual: &[Tensor], expected: &[Tensor], bound: Bound) {
        assert_eq!(actual.len(), expected.len());
        for (k, (actual, expected)) in actual.iter().zip(expected).enumerate() {
            if let Err(mismatch) = compare(&format!("tensor {k}"), actual, expected, bound) {
                panic!("{mismatch}");
            }
        }
    }
}
