//! Convolution and pooling layers for candle with right gradients, and LeNet.
//!
//! candle's own gradients of these operations are wrong or fail for some sizes; here they are right for every stride,
//! padding, dilation, group and size. Parameters have PyTorch's names and layouts.
//!
//! - [`Conv2d`], [`conv2d`]: convolution, its bias and an activation in one node of the graph
//! - [`MaxPool2d`], [`AvgPool2d`]: pooling
//! - [`LeNet`]: the whole network
//! - [`output_size`]: the size formula that all of them share
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

mod avg_pool2d;
mod conv2d;
#[allow(
    clippy::indexing_slicing,
    reason = "loops whose bounds are checked once, where they start"
)]
mod kernels;
mod max_pool2d;
mod models;
mod padding;
mod pool;
mod window;

pub use avg_pool2d::{AvgPool2d, AvgPool2dConfig};
pub use conv2d::{Conv2d, Conv2dConfig, Conv2dOptions, conv2d};
pub use max_pool2d::{MaxPool2d, MaxPool2dConfig};
pub use models::lenet::{LeNet, LeNetConfig, Pooling};
pub use padding::{Padding, PaddingMode};
pub use window::{Pair, output_size};

#[cfg(test)]
mod tests {
    use candle_core::Tensor;
    use sconce_testkit::golden::{Bound, compare};

    pub(crate) type Check = std::result::Result<(), Box<dyn std::error::Error>>;

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
