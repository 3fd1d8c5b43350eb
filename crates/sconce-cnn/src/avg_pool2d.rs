//! Mean over windows of an image.

use crate::padding::extend;
use crate::window::{self, Axis, Pair, Windows};
use crate::{kernels, pool};
use candle_core::{Module, Result, Tensor};
use sconce_core::{Error, cpu, dispatch_real, graph};

/// Options of [`AvgPool2d`]; the defaults are PyTorch's. Pairs are `[height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct AvgPool2dConfig {
    /// Size of the window.
    pub kernel_size: [usize; 2],
    /// Distance between windows; `kernel_size` if `None`.
    pub stride: Option<[usize; 2]>,
    /// How far the input is extended, by zeros, on both sides of each axis.
    pub padding: [usize; 2],
    /// Whether a last window that stands out of the padded input counts.
    pub ceil_mode: bool,
    /// Whether the sum is divided by the window's size with its padding, or by the number of the input's elements in it.
    pub count_include_pad: bool,
    /// Divides by this instead.
    pub divisor_override: Option<usize>,
}

impl AvgPool2dConfig {
    /// Windows side by side.
    pub fn new(kernel_size: impl Pair) -> Self {
        Self {
            kernel_size: kernel_size.pair(),
            stride: None,
            padding: [0, 0],
            ceil_mode: false,
            count_include_pad: true,
            divisor_override: None,
        }
    }
}

/// Takes the mean of each window: y\[n, c, i, j\] = Σ_{u, v} x\[n, c, i·stride + u, j·stride + v\] / divisor.
///
/// The divisor is the window's size; what stands out of the padded input (`ceil_mode`) never counts, and padding only with
/// `count_include_pad`.
///
/// # Shapes
/// input `[batch, channels, height, width]`, output `[batch, channels, out_height, out_width]` with sizes by
/// [`output_size`](crate::output_size)
/// # Errors
/// `new`: a kernel, stride or divisor of 0; padding of more than half a kernel. `forward`: another number of axes; an image
/// that is smaller than the kernel.
/// # Source
/// `torch.nn.AvgPool2d`
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
pub struct AvgPool2d {
    windows: [Windows; 2],
    divisor: Divisor,
}

/// What a window's sum is divided by.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Divisor {
    WithPadding,
    WithoutPadding,
    Fixed(usize),
}

impl AvgPool2d {
    /// The layer with these options.
    pub fn new(cfg: &AvgPool2dConfig) -> sconce_core::Result<Self> {
        let stride = cfg.stride.unwrap_or(cfg.kernel_size);
        let windows = pool::windows(
            "AvgPool2d",
            cfg.kernel_size,
            stride,
            cfg.padding,
            [1, 1],
            cfg.ceil_mode,
        )?;
        let divisor = match (cfg.divisor_override, cfg.count_include_pad) {
            (Some(0), _) => return Err(Error::config("AvgPool2d", "divisor_override", 0, "at least 1")),
            (Some(fixed), _) => Divisor::Fixed(fixed),
            (None, true) => Divisor::WithPadding,
            (None, false) => Divisor::WithoutPadding,
        };
        Ok(Self { windows, divisor })
    }
}

impl Module for AvgPool2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        pool::check("AvgPool2d", x)?;
        let axes = window::axes("AvgPool2d", &self.windows, x.dims())?;
        let scale = self.divisor.scale(&axes);
        if cpu::has_kernel(x) {
            return dispatch_real!(x, kernels::avg_pool2d::forward(x, axes, scale));
        }
        let y = composite(x, &axes, scale)?;
        graph::note("avg_pool2d", &[x], std::slice::from_ref(&y));
        Ok(y)
    }
}

impl Divisor {
    /// What every window's sum is multiplied by, row-major.
    fn scale(self, axes: &[Axis; 2]) -> Vec<f64> {
        let counts = axes.map(|axis| {
            let [before, after] = axis.padding;
            let count = |o: usize| {
                let start = o * axis.stride;
                let end = (start + axis.kernel).min(axis.input + before + after);
                match self {
                    Self::WithoutPadding => end.min(axis.input + before).saturating_sub(start.max(before)),
                    _ => end - start,
                }
            };
            (0..axis.output).map(count).collect::<Vec<_>>()
        });
        let [rows, columns] = &counts;
        let scale = |row: usize, column: usize| match self {
            Self::Fixed(divisor) => 1. / divisor as f64,
            // A window in the padding alone has sum 0, which stays 0.
            _ => 1. / (row * column).max(1) as f64,
        };
        rows.iter()
            .flat_map(|&row| columns.iter().map(move |&column| scale(row, column)))
            .collect()
    }
}

/// The same from candle operations: the oracle of the kernel, and what runs on other devices.
fn composite(x: &Tensor, axes: &[Axis; 2], scale: Vec<f64>) -> Result<Tensor> {
    let sums = window::gather(&extend(x, axes, 0.)?, axes)?.sum((3, 5))?;
    let scale = Tensor::from_vec(scale, (axes[0].output, axes[1].output), x.device())?.to_dtype(x.dtype())?;
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
                "kernel_size is [0, 2], expected at least 1 on both axes",
            ),
            (
                AvgPool2dConfig {
                    stride: Some([1, 0]),
                    ..base()
                },
                "stride is [1, 0], expected at least 1 on both axes",
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
