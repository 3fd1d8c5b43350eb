//! Mean over windows.

use crate::padding::extend;
use crate::pool::Turn;
use crate::window::{self, Axis, Sizes, Windows};
use crate::{kernels, pool};
use candle_core::{Module, Result, Tensor};
use sconce_core::{Error, cpu, dispatch_real, graph};

/// Options of [`AvgPool1d`]; the defaults are PyTorch's.
pub type AvgPool1dConfig = AvgPoolConfig<1>;

/// Options of [`AvgPool2d`]; the defaults are PyTorch's. Pairs are `[height, width]`.
pub type AvgPool2dConfig = AvgPoolConfig<2>;

/// Options of [`AvgPool3d`]; the defaults are PyTorch's. Triples are `[depth, height, width]`.
pub type AvgPool3dConfig = AvgPoolConfig<3>;

/// Options of [`AvgPool`]; the defaults are PyTorch's. Every array has a number for each axis of positions.
#[derive(Debug, Clone, PartialEq)]
pub struct AvgPoolConfig<const N: usize> {
    /// Size of the window.
    pub kernel_size: [usize; N],
    /// Distance between windows; `kernel_size` if `None`.
    pub stride: Option<[usize; N]>,
    /// How far the input is extended, by zeros, on both sides of each axis.
    pub padding: [usize; N],
    /// Whether a last window that stands out of the padded input counts.
    pub ceil_mode: bool,
    /// Whether the sum is divided by the window's size with its padding, or by the number of the input's elements in it.
    pub count_include_pad: bool,
    /// Divides by this instead.
    pub divisor_override: Option<usize>,
}

impl<const N: usize> AvgPoolConfig<N> {
    /// Windows side by side.
    pub fn new(kernel_size: impl Sizes<N>) -> Self {
        Self {
            kernel_size: kernel_size.sizes(),
            stride: None,
            padding: [0; N],
            ceil_mode: false,
            count_include_pad: true,
            divisor_override: None,
        }
    }
}

/// [`AvgPool`] over sequences: input `[batch, channels, length]`.
pub type AvgPool1d = AvgPool<1>;

/// [`AvgPool`] over images: input `[batch, channels, height, width]`.
pub type AvgPool2d = AvgPool<2>;

/// [`AvgPool`] over volumes: input `[batch, channels, depth, height, width]`.
pub type AvgPool3d = AvgPool<3>;

/// Takes the mean of each window of `N` axes of positions.
///
/// For images: y\[n, c, i, j\] = Σ_{u, v} x\[n, c, i·stride + u, j·stride + v\] / divisor. The divisor is the window's size;
/// what stands out of the padded input (`ceil_mode`) never counts, and padding only with `count_include_pad`.
///
/// # Shapes
/// input `[batch, channels, *positions]`, output `[batch, channels, *out_positions]` with sizes by
/// [`output_size`](crate::output_size)
/// # Errors
/// `new`: a kernel, stride or divisor of 0; padding of more than half a kernel. `forward`: another number of axes; an input
/// that is smaller than the kernel.
/// # Source
/// `torch.nn.AvgPool1d`, `torch.nn.AvgPool2d`, `torch.nn.AvgPool3d`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Module, Tensor};
/// use sconce_cnn::{AvgPool2d, AvgPool2dConfig};
/// let x = Tensor::new(&[[[[1f32, 2., 5.], [4., 5., 0.]]]], &Device::Cpu)?;
/// let pool = AvgPool2d::new(&AvgPool2dConfig { stride: Some([1, 1]), ..AvgPool2dConfig::new(2) })?;
/// assert_eq!(pool.forward(&x)?.flatten_all()?.to_vec1::<f32>()?, [3., 3.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AvgPool<const N: usize> {
    windows: [Windows; N],
    divisor: Divisor,
}

/// What a window's sum is divided by.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Divisor {
    WithPadding,
    WithoutPadding,
    Fixed(usize),
}

impl<const N: usize> AvgPool<N> {
    /// The layer with these options.
    pub fn new(cfg: &AvgPoolConfig<N>) -> sconce_core::Result<Self> {
        let stride = cfg.stride.unwrap_or(cfg.kernel_size);
        let windows = pool::windows(
            &Self::name(),
            cfg.kernel_size,
            stride,
            cfg.padding,
            [1; N],
            cfg.ceil_mode,
        )?;
        let divisor = match (cfg.divisor_override, cfg.count_include_pad) {
            (Some(0), _) => return Err(Error::config(Self::name(), "divisor_override", 0, "at least 1")),
            (Some(fixed), _) => Divisor::Fixed(fixed),
            (None, true) => Divisor::WithPadding,
            (None, false) => Divisor::WithoutPadding,
        };
        Ok(Self { windows, divisor })
    }

    fn name() -> String {
        format!("AvgPool{N}d")
    }
}

impl<const N: usize> Module for AvgPool<N> {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        pool::check(&Self::name(), N, x)?;
        let axes = window::axes(&Self::name(), &self.windows, x.dims())?;
        if cpu::has_kernel(x) {
            let pool = |x: &Tensor, axes: [Axis; 2], turn| {
                let divisor = match (self.divisor, turn) {
                    (Divisor::Fixed(_), Turn::Second) => Divisor::Fixed(1),
                    (divisor, _) => divisor,
                };
                let scale = divisor.scale(&axes);
                dispatch_real!(x, kernels::avg_pool2d::forward(x, axes, scale))
            };
            if let Some(y) = pool::by_images(x, &axes, pool)? {
                return Ok(y);
            }
        }
        if let Some(y) = sconce_core::widened(x, |wide| self.forward(&wide(x)?))? {
            return Ok(y);
        }
        let y = composite(x, &axes, self.divisor.scale(&axes))?;
        graph::note("avg_pool", &[x], std::slice::from_ref(&y));
        Ok(y)
    }
}

impl Divisor {
    /// What every window's sum is multiplied by, row-major.
    fn scale(self, axes: &[Axis]) -> Vec<f64> {
        let mut divisors = vec![1];
        for axis in axes {
            let counts = self.counts(axis);
            let times = |divisor: usize| counts.iter().map(move |count| divisor * count);
            divisors = divisors.into_iter().flat_map(times).collect();
        }
        let scale = |divisor: usize| match self {
            Self::Fixed(fixed) => 1. / fixed as f64,
            // A window in the padding alone has sum 0, which stays 0.
            _ => 1. / divisor.max(1) as f64,
        };
        divisors.into_iter().map(scale).collect()
    }

    /// How many elements of an axis count in each of its windows.
    fn counts(self, axis: &Axis) -> Vec<usize> {
        let [before, after] = axis.padding;
        let count = |o: usize| {
            let start = o * axis.stride;
            let end = (start + axis.kernel).min(axis.input + before + after);
            match self {
                Self::WithoutPadding => end.min(axis.input + before).saturating_sub(start.max(before)),
                _ => end - start,
            }
        };
        (0..axis.output).map(count).collect()
    }
}

/// The same from candle operations: the oracle of the kernel, and what runs on other devices.
fn composite(x: &Tensor, axes: &[Axis], scale: Vec<f64>) -> Result<Tensor> {
    let within: Vec<usize> = (0..axes.len()).map(|k| 3 + 2 * k).collect();
    let sums = window::gather(&extend(x, axes, 0.)?, axes)?.sum(within)?;
    let outputs: Vec<usize> = axes.iter().map(|axis| axis.output).collect();
    let scale = Tensor::from_vec(scale, outputs, &candle_core::Device::Cpu)?
        .to_dtype(x.dtype())?
        .to_device(x.device())?;
    sums.broadcast_mul(&scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{Check, assert_same};
    use candle_core::{DType, Device, Var};
    use proptest::prelude::*;
    use sconce_testkit::golden::Bound;
    use sconce_testkit::property::check_thread_independence;
    use sconce_testkit::{GradCheck, Layout, Random};

    fn gradient(x: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Vec<Tensor>> {
        let x = Var::from_tensor(x)?;
        let y = f(&x)?;
        let weights = Random::new(6).normal(y.shape(), y.dtype())?;
        let grads = (&y * &weights)?.sum_all()?.backward()?;
        Ok(vec![
            y.detach(),
            grads.get(&x).cloned().unwrap_or(x.zeros_like()?),
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn kernel_equals_composite(
            size in [1usize..9, 1usize..20],
            kernel in [1usize..5, 1usize..5],
            stride in [1usize..5, 1usize..5],
            padding in [0usize..3, 0usize..3],
            ceil_mode in any::<bool>(),
            count_include_pad in any::<bool>(),
            divisor_override in proptest::option::of(1usize..5),
        ) {
            let padding = [padding[0].min(kernel[0] / 2), padding[1].min(kernel[1] / 2)];
            let cfg = AvgPool2dConfig {
                stride: Some(stride), padding, ceil_mode, count_include_pad, divisor_override, ..AvgPool2dConfig::new(kernel)
            };
            let layer = AvgPool2d::new(&cfg).unwrap();
            let shape = (2, 3, size[0], size[1]);
            for (dtype, bound) in [(DType::F64, Bound::F64), (DType::F32, Bound::F32)] {
                let x = Random::new(4).normal(shape, dtype).unwrap();
                if let Ok(axes) = window::axes("", &layer.windows, x.dims()) {
                    let kernel = gradient(&x, |x| layer.forward(x)).unwrap();
                    let oracle = gradient(&x, |x| composite(x, &axes, layer.divisor.scale(&axes))).unwrap();
                    assert_same(&kernel, &oracle, bound);
                }
            }
        }
    }

    #[test]
    fn gradients() -> Check {
        let base = AvgPool2dConfig::new;
        let table = [
            ([6, 4], base(2)),
            // candle's own avg_pool2d is misaligned here.
            ([7, 5], base(2)),
            (
                [7, 8],
                AvgPool2dConfig {
                    stride: Some([2, 3]),
                    padding: [1, 1],
                    ceil_mode: true,
                    ..base(3)
                },
            ),
            (
                [7, 8],
                AvgPool2dConfig {
                    stride: Some([2, 1]),
                    padding: [1, 1],
                    count_include_pad: false,
                    ..AvgPool2dConfig::new((3, 2))
                },
            ),
            (
                [5, 5],
                AvgPool2dConfig {
                    divisor_override: Some(7),
                    ..base(2)
                },
            ),
        ];
        for ([height, width], cfg) in table {
            let layer = AvgPool2d::new(&cfg)?;
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

    #[test]
    fn overhang_never_counts_and_padding_only_if_asked() -> Check {
        let x = Tensor::arange(1f64, 7., &Device::Cpu)?.reshape((1, 1, 1, 6))?;
        for (count_include_pad, expected) in [(true, [1., 3., 5., 3.]), (false, [1.5, 3., 5., 6.])] {
            let cfg = AvgPool2dConfig {
                stride: Some([1, 2]),
                padding: [0, 1],
                ceil_mode: true,
                count_include_pad,
                ..AvgPool2dConfig::new((1, 3))
            };
            let y = AvgPool2d::new(&cfg)?
                .forward(&x)?
                .flatten_all()?
                .to_vec1::<f64>()?;
            assert_eq!(y, expected);
        }
        Ok(())
    }

    #[test]
    fn threads_do_not_change_a_bit() -> Check {
        let layer = AvgPool2d::new(&AvgPool2dConfig {
            stride: Some([2, 2]),
            padding: [1, 1],
            ..AvgPool2dConfig::new(3)
        })?;
        let x = Random::new(2).normal((9, 20, 33, 31), DType::F32)?;
        Ok(check_thread_independence(|| gradient(&x, |x| layer.forward(x)))?)
    }

    #[test]
    fn bad_options_are_named() -> Check {
        let base = || AvgPool2dConfig::new((3, 2));
        let table = [
            (
                AvgPool2dConfig::new((0, 2)),
                "kernel_size is [0, 2], expected at least 1 on every axis",
            ),
            (
                AvgPool2dConfig {
                    stride: Some([1, 0]),
                    ..base()
                },
                "stride is [1, 0], expected at least 1 on every axis",
            ),
            (
                AvgPool2dConfig {
                    padding: [2, 1],
                    ..base()
                },
                "padding is [2, 1], expected at most half of kernel_size = [3, 2]",
            ),
            (
                AvgPool2dConfig {
                    divisor_override: Some(0),
                    ..base()
                },
                "divisor_override is 0, expected at least 1",
            ),
        ];
        for (cfg, message) in table {
            let error = AvgPool2d::new(&cfg).err().ok_or("accepted")?;
            assert_eq!(error.to_string(), format!("AvgPool2d: {message}"));
        }
        Ok(())
    }
}
