//! Maximum over windows.

use crate::padding::{extend, inside};
use crate::window::{self, Axis, Sizes, Windows};
use crate::{kernels, pool};
use candle_core::{D, DType, Module, Result, Tensor};
use sconce_core::{cpu, dispatch_real, graph};

/// Options of [`MaxPool1d`]; the defaults are PyTorch's.
pub type MaxPool1dConfig = MaxPoolConfig<1>;

/// Options of [`MaxPool2d`]; the defaults are PyTorch's. Pairs are `[height, width]`.
pub type MaxPool2dConfig = MaxPoolConfig<2>;

/// Options of [`MaxPool3d`]; the defaults are PyTorch's. Triples are `[depth, height, width]`.
pub type MaxPool3dConfig = MaxPoolConfig<3>;

/// Options of [`MaxPool`]; the defaults are PyTorch's. Every array has a number for each axis of positions.
#[derive(Debug, Clone, PartialEq)]
pub struct MaxPoolConfig<const N: usize> {
    /// Size of the window.
    pub kernel_size: [usize; N],
    /// Distance between windows; `kernel_size` if `None`.
    pub stride: Option<[usize; N]>,
    /// How far the input is extended, by −∞, on both sides of each axis.
    pub padding: [usize; N],
    /// Distance between the elements of a window.
    pub dilation: [usize; N],
    /// Whether a last window that stands out of the padded input counts.
    pub ceil_mode: bool,
}

impl<const N: usize> MaxPoolConfig<N> {
    /// Windows side by side.
    pub fn new(kernel_size: impl Sizes<N>) -> Self {
        Self {
            kernel_size: kernel_size.sizes(),
            stride: None,
            padding: [0; N],
            dilation: [1; N],
            ceil_mode: false,
        }
    }
}

/// [`MaxPool`] over sequences: input `[batch, channels, length]`.
pub type MaxPool1d = MaxPool<1>;

/// [`MaxPool`] over images: input `[batch, channels, height, width]`.
pub type MaxPool2d = MaxPool<2>;

/// [`MaxPool`] over volumes: input `[batch, channels, depth, height, width]`.
pub type MaxPool3d = MaxPool<3>;

/// Takes the largest value of each window of `N` axes of positions.
///
/// For images: y\[n, c, i, j\] = max_{u, v} x\[n, c, i·stride + u·dilation, j·stride + v·dilation\]. The gradient goes to
/// the element that was taken: of equal ones to the first in row-major order. A window with a NaN gives NaN.
///
/// # Shapes
/// input `[batch, channels, *positions]`, output `[batch, channels, *out_positions]` with sizes by
/// [`output_size`](crate::output_size)
/// # Errors
/// `new`: a kernel, stride or dilation of 0; padding of more than half a kernel. `forward`: another number of axes; an input
/// that is smaller than the kernel.
/// # Source
/// `torch.nn.MaxPool1d`, `torch.nn.MaxPool2d`, `torch.nn.MaxPool3d`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Module, Tensor};
/// use sconce_cnn::{MaxPool2d, MaxPool2dConfig};
/// let x = Tensor::new(&[[[[1f32, 2., 5.], [4., 3., 0.]]]], &Device::Cpu)?;
/// let pool = MaxPool2d::new(&MaxPool2dConfig { stride: Some([1, 1]), ..MaxPool2dConfig::new(2) })?;
/// assert_eq!(pool.forward(&x)?.flatten_all()?.to_vec1::<f32>()?, [4., 5.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MaxPool<const N: usize> {
    windows: [Windows; N],
}

impl<const N: usize> MaxPool<N> {
    /// The layer with these options.
    pub fn new(cfg: &MaxPoolConfig<N>) -> sconce_core::Result<Self> {
        let stride = cfg.stride.unwrap_or(cfg.kernel_size);
        let windows = pool::windows(
            &Self::name(),
            cfg.kernel_size,
            stride,
            cfg.padding,
            cfg.dilation,
            cfg.ceil_mode,
        )?;
        Ok(Self { windows })
    }

    fn name() -> String {
        format!("MaxPool{N}d")
    }
}

impl<const N: usize> Module for MaxPool<N> {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        pool::check(&Self::name(), N, x)?;
        let axes = window::axes(&Self::name(), &self.windows, x.dims())?;
        if cpu::has_kernel(x) {
            // The first of equal layers, and in it the first of equal pixels, is the first of all.
            let pool = |x: &Tensor, axes, _| dispatch_real!(x, kernels::max_pool2d::forward(x, axes));
            if let Some(y) = pool::by_images(x, &axes, pool)? {
                return Ok(y);
            }
        }
        let y = composite(x, &axes)?;
        graph::note("max_pool", &[x], std::slice::from_ref(&y));
        Ok(y)
    }
}

/// The same from candle operations: the oracle of the kernel, and what runs on other devices.
///
/// candle's own `max_pool2d` isn't used: its gradient is wrong.
fn composite(x: &Tensor, axes: &[Axis]) -> Result<Tensor> {
    let size: usize = axes.iter().map(|axis| axis.kernel).product();
    let flat = |windows: Tensor| {
        let mut dims = vec![windows.dim(0)?, windows.dim(1)?];
        dims.extend(axes.iter().map(|axis| axis.output));
        dims.push(size);
        windows.permute(window::order(axes.len(), true))?.reshape(dims)
    };
    let windows = flat(window::gather(&extend(x, axes, f64::NEG_INFINITY)?, axes)?)?;
    let inside = flat(window::gather(&inside(x, axes)?, axes)?)?;
    largest(&windows, Some(&inside))
}

/// The largest element along the last axis, of those where `inside` isn't 0: the first of equal ones, or the last NaN.
pub(crate) fn largest(windows: &Tensor, inside: Option<&Tensor>) -> Result<Tensor> {
    let size = windows.dim(D::Minus1)?;
    // A score that is largest at the element to take, and there alone.
    let values = windows.detach();
    let score = |mask: Tensor, by_position: Tensor| mask.to_dtype(DType::F32)?.broadcast_mul(&by_position);
    let position = Tensor::arange(0f32, size as f32, windows.device())?;
    let first = score(
        values.broadcast_eq(&values.max_keepdim(D::Minus1)?)?,
        position.affine(-1., size as f64)?,
    )?;
    let nan = score(values.ne(&values)?, position.affine(1., size as f64 + 1.)?)?;
    let mut score = (first + nan)?;
    if let Some(inside) = inside {
        score = score.broadcast_mul(inside)?;
    }
    let choice = score.argmax_keepdim(D::Minus1)?;
    windows.gather(&choice, D::Minus1)?.squeeze(D::Minus1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Check, assert_same};
    use candle_core::{Device, Var};
    use proptest::prelude::*;
    use sconce_core::Error;
    use sconce_kernels::simd::{Level, with_level};
    use sconce_testkit::golden::Bound;
    use sconce_testkit::property::check_thread_independence;
    use sconce_testkit::{GradCheck, Layout, Random};

    fn gradient(x: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Vec<Tensor>> {
        let x = Var::from_tensor(x)?;
        let y = f(&x)?;
        // Only the gradient's own weights, so that a NaN in the output doesn't spread.
        let weights = Random::new(6).normal(y.shape(), y.dtype())?;
        let nothing = y.zeros_like()?;
        let finite = (y.eq(&y)? * y.abs()?.lt(f64::INFINITY)?)?;
        let loss = finite.where_cond(&(&y * &weights)?, &nothing)?.sum_all()?;
        let grads = loss.backward()?;
        Ok(vec![
            y.detach(),
            grads.get(&x).cloned().unwrap_or(x.zeros_like()?),
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Few different values, so that there are many ties, with NaN and −∞ among them.
        #[test]
        fn kernel_equals_composite(
            size in [1usize..9, 1usize..20],
            kernel in [1usize..5, 1usize..5],
            stride in [1usize..5, 1usize..5],
            padding in [0usize..3, 0usize..3],
            dilation in [1usize..4, 1usize..4],
            ceil_mode in any::<bool>(),
            seed in any::<u64>(),
            special in any::<bool>(),
        ) {
            let padding = [padding[0].min(kernel[0] / 2), padding[1].min(kernel[1] / 2)];
            let cfg = MaxPool2dConfig { stride: Some(stride), padding, dilation, ceil_mode, ..MaxPool2dConfig::new(kernel) };
            let layer = MaxPool2d::new(&cfg).unwrap();
            let mut random = Random::new(seed);
            let values: Vec<f64> = (0..6 * size[0] * size[1]).map(|_| match random.integer(0, 12) {
                0 if special => f64::NAN,
                1..=8 if special => f64::NEG_INFINITY,
                n => n as f64,
            }).collect();
            let x = Tensor::from_vec(values, (2, 3, size[0], size[1]), &Device::Cpu).unwrap();
            if let Ok(axes) = window::axes("", &layer.windows, x.dims()) {
                for dtype in [DType::F64, DType::F32] {
                    let x = x.to_dtype(dtype).unwrap();
                    let oracle = gradient(&x, |x| composite(x, &axes)).unwrap();
                    let bound = if dtype == DType::F64 { Bound::F64 } else { Bound::F32 };
                    for level in Level::available() {
                        let kernel = || gradient(&x, |x| layer.forward(x)).unwrap();
                        assert_same(&with_level(level, kernel), &oracle, bound);
                    }
                }
            }
        }
    }

    #[test]
    fn gradients() -> Check {
        let table = [
            ([6, 4], MaxPool2dConfig::new(2)),
            ([7, 5], MaxPool2dConfig::new(2)),
            (
                [7, 9],
                MaxPool2dConfig {
                    stride: Some([2, 2]),
                    padding: [1, 1],
                    ..MaxPool2dConfig::new(3)
                },
            ),
            (
                [7, 8],
                MaxPool2dConfig {
                    stride: Some([2, 3]),
                    padding: [1, 0],
                    ceil_mode: true,
                    ..MaxPool2dConfig::new((3, 2))
                },
            ),
            (
                [9, 8],
                MaxPool2dConfig {
                    stride: Some([1, 1]),
                    dilation: [2, 3],
                    ..MaxPool2dConfig::new((3, 2))
                },
            ),
        ];
        for ([height, width], cfg) in table {
            let layer = MaxPool2d::new(&cfg)?;
            let x = Random::new(2).normal((2, 3, height, width), DType::F64)?;
            let check = GradCheck {
                layouts: Layout::ALL,
                ..GradCheck::default()
            };
            check
                .check(&[("x", &x)], &[], |x| layer.forward(&x[0]))
                .map_err(|error| format!("{cfg:?}: {error}"))?;
        }
        Ok(())
    }

    /// candle's own max_pool2d gives a quarter of each gradient here, and the whole of it to every tied element.
    #[test]
    fn the_first_of_equals_takes_the_whole_gradient() -> Check {
        let x = Tensor::new(&[[[[1f32, 7.], [2., 3.]], [[5., 5.], [5., 5.]]]], &Device::Cpu)?;
        let layer = MaxPool2d::new(&MaxPool2dConfig::new(2))?;
        let x = Var::from_tensor(&x)?;
        let grads = layer.forward(&x)?.sum_all()?.backward()?;
        let got = grads
            .get(&x)
            .ok_or("no gradient")?
            .flatten_all()?
            .to_vec1::<f32>()?;
        assert_eq!(got, [0., 1., 0., 0., 1., 0., 0., 0.]);
        Ok(())
    }

    #[test]
    fn threads_do_not_change_a_bit() -> Check {
        let layer = MaxPool2d::new(&MaxPool2dConfig {
            stride: Some([2, 2]),
            padding: [1, 1],
            ..MaxPool2dConfig::new(3)
        })?;
        let x = Random::new(2).normal((9, 20, 33, 31), DType::F32)?;
        Ok(check_thread_independence(|| gradient(&x, |x| layer.forward(x)))?)
    }

    #[test]
    fn bad_options_and_shapes_are_named() -> Check {
        let base = || MaxPool2dConfig::new((3, 2));
        let table = [
            (
                MaxPool2dConfig::new((0, 2)),
                "kernel_size is [0, 2], expected at least 1 on every axis",
            ),
            (
                MaxPool2dConfig {
                    stride: Some([1, 0]),
                    ..base()
                },
                "stride is [1, 0], expected at least 1 on every axis",
            ),
            (
                MaxPool2dConfig {
                    dilation: [0, 1],
                    ..base()
                },
                "dilation is [0, 1], expected at least 1 on every axis",
            ),
            (
                MaxPool2dConfig {
                    padding: [1, 2],
                    ..base()
                },
                "padding is [1, 2], expected at most half of kernel_size = [3, 2]",
            ),
        ];
        for (cfg, message) in table {
            let error = MaxPool2d::new(&cfg).err().ok_or("accepted")?;
            assert!(matches!(error, Error::Config { .. }));
            assert_eq!(error.to_string(), format!("MaxPool2d: {message}"));
        }
        let shapes: [(&[usize], &str); 2] = [
            (&[2, 4, 4], "expected [batch, channels, height, width]"),
            (
                &[2, 4, 2, 4],
                "expected a height of at least 3, so that (2 + 0 + 0 − 1·(3 − 1) − 1) / 3 + 1 windows of 3 fit",
            ),
        ];
        for (dims, message) in shapes {
            let x = Tensor::zeros(dims, DType::F32, &Device::Cpu)?;
            let error = Error::from(MaxPool2d::new(&base())?.forward(&x).err().ok_or("accepted")?);
            assert_eq!(
                error.to_string(),
                format!("MaxPool2d: input has shape {dims:?}, {message}")
            );
        }
        Ok(())
    }
}
