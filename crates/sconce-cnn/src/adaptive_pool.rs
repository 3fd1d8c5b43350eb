//! Pooling to a given size.

use crate::along::Along;
use crate::max_pool::largest;
use crate::window::{Sizes, axis_name, fits, lengths};
use crate::{kernels, pool};
use candle_core::{Module, Result, Tensor};
use sconce_core::{Error, cpu, dispatch_real, graph};
use std::ops::Range;

/// Options of [`AdaptiveAvgPool`] and [`AdaptiveMaxPool`].
#[derive(Debug, Clone, PartialEq)]
pub struct AdaptivePoolConfig<const N: usize> {
    /// Size of the output on each axis of positions; the input's if `None`.
    pub output_size: [Option<usize>; N],
}

impl<const N: usize> AdaptivePoolConfig<N> {
    /// An output of this size on every axis.
    pub fn new(output_size: impl Sizes<N>) -> Self {
        Self {
            output_size: output_size.sizes().map(Some),
        }
    }
}

/// [`AdaptiveAvgPool`] over sequences: input `[batch, channels, length]`.
pub type AdaptiveAvgPool1d = AdaptiveAvgPool<1>;

/// [`AdaptiveAvgPool`] over images: input `[batch, channels, height, width]`.
pub type AdaptiveAvgPool2d = AdaptiveAvgPool<2>;

/// [`AdaptiveAvgPool`] over volumes: input `[batch, channels, depth, height, width]`.
pub type AdaptiveAvgPool3d = AdaptiveAvgPool<3>;

/// [`AdaptiveMaxPool`] over sequences: input `[batch, channels, length]`.
pub type AdaptiveMaxPool1d = AdaptiveMaxPool<1>;

/// [`AdaptiveMaxPool`] over images: input `[batch, channels, height, width]`.
pub type AdaptiveMaxPool2d = AdaptiveMaxPool<2>;

/// [`AdaptiveMaxPool`] over volumes: input `[batch, channels, depth, height, width]`.
pub type AdaptiveMaxPool3d = AdaptiveMaxPool<3>;

/// Takes means of windows that cover the input so that the output has a given size.
///
/// On an axis of `length`, output i is the mean of the elements from ⌊i·length / size⌋ up to ⌈(i + 1)·length / size⌉,
/// without the latter; over several axes, of all elements whose every position is in range.
///
/// # Shapes
/// input `[batch, channels, *positions]`, output `[batch, channels, *output_size]`
/// # Errors
/// `new`: a size of 0. `forward`: another number of axes; an axis of length 0.
/// # Source
/// `torch.nn.AdaptiveAvgPool1d`, `torch.nn.AdaptiveAvgPool2d`, `torch.nn.AdaptiveAvgPool3d`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Module, Tensor};
/// use sconce_cnn::{AdaptiveAvgPool1d, AdaptivePoolConfig};
/// let x = Tensor::new(&[[[1f32, 2., 3., 4., 9.]]], &Device::Cpu)?;
/// let pool = AdaptiveAvgPool1d::new(&AdaptivePoolConfig::new(2))?;
/// assert_eq!(pool.forward(&x)?.flatten_all()?.to_vec1::<f32>()?, [2., 16. / 3.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AdaptiveAvgPool<const N: usize> {
    output_size: [Option<usize>; N],
}

/// Takes maxima of windows that cover the input so that the output has a given size.
///
/// On an axis of `length`, output i is the largest of the elements from ⌊i·length / size⌋ up to ⌈(i + 1)·length / size⌉,
/// without the latter; over several axes, of all elements whose every position is in range. The gradient goes to the element
/// that was taken: of equal ones to the first in row-major order. A window with a NaN gives NaN.
///
/// # Shapes
/// input `[batch, channels, *positions]`, output `[batch, channels, *output_size]`
/// # Errors
/// `new`: a size of 0. `forward`: another number of axes; an axis of length 0.
/// # Source
/// `torch.nn.AdaptiveMaxPool1d`, `torch.nn.AdaptiveMaxPool2d`, `torch.nn.AdaptiveMaxPool3d`
/// # Example
/// ```
/// use sconce_core::candle_core::{Device, Module, Tensor};
/// use sconce_cnn::{AdaptiveMaxPool1d, AdaptivePoolConfig};
/// let x = Tensor::new(&[[[1f32, 2., 3., 4., 9.]]], &Device::Cpu)?;
/// let pool = AdaptiveMaxPool1d::new(&AdaptivePoolConfig::new(2))?;
/// assert_eq!(pool.forward(&x)?.flatten_all()?.to_vec1::<f32>()?, [3., 9.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AdaptiveMaxPool<const N: usize> {
    output_size: [Option<usize>; N],
}

impl<const N: usize> AdaptiveAvgPool<N> {
    /// The layer with these options.
    pub fn new(cfg: &AdaptivePoolConfig<N>) -> sconce_core::Result<Self> {
        check(&Self::name(), cfg)?;
        Ok(Self {
            output_size: cfg.output_size,
        })
    }

    fn name() -> String {
        format!("AdaptiveAvgPool{N}d")
    }
}

impl<const N: usize> AdaptiveMaxPool<N> {
    /// The layer with these options.
    pub fn new(cfg: &AdaptivePoolConfig<N>) -> sconce_core::Result<Self> {
        check(&Self::name(), cfg)?;
        Ok(Self {
            output_size: cfg.output_size,
        })
    }

    fn name() -> String {
        format!("AdaptiveMaxPool{N}d")
    }
}

impl<const N: usize> Module for AdaptiveAvgPool<N> {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut y = x.clone();
        for (dim, ranges) in (2..).zip(ranges(&Self::name(), x, &self.output_size)?) {
            y = mean_along(&y, dim, &ranges)?;
        }
        Ok(y)
    }
}

impl<const N: usize> Module for AdaptiveMaxPool<N> {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let ranges = ranges(&Self::name(), x, &self.output_size)?;
        let mut y = x.clone();
        // From the last axis, so that the first of equal elements is the first in row-major order.
        for (dim, ranges) in (2..).zip(ranges).collect::<Vec<_>>().into_iter().rev() {
            y = max_along(&y, dim, ranges)?;
        }
        Ok(y)
    }
}

fn check<const N: usize>(layer: &str, cfg: &AdaptivePoolConfig<N>) -> sconce_core::Result<()> {
    if N == 0 {
        return Err(Error::config(layer, "axes", 0, "at least one axis of positions"));
    }
    if cfg.output_size.contains(&Some(0)) {
        let value = format!("{:?}", cfg.output_size);
        return Err(Error::config(
            layer,
            "output_size",
            value,
            "at least 1 on every axis",
        ));
    }
    Ok(())
}

/// The range of every output on every axis.
fn ranges<const N: usize>(
    layer: &str,
    x: &Tensor,
    output_size: &[Option<usize>; N],
) -> sconce_core::Result<Vec<Vec<Range<usize>>>> {
    pool::check(layer, N, x)?;
    let lengths: [usize; N] = lengths(layer, "channels", x.dims())?;
    let sizes = x.dims().iter().take(2).copied();
    let largest = lengths.iter().zip(output_size);
    let largest = largest.map(|(&length, size)| size.unwrap_or(0).max(length));
    fits(layer, x.dims(), sizes.chain(largest))?;
    let on_axis = |(k, (&length, size)): (usize, (&usize, &Option<usize>))| match length {
        0 => {
            let expected = format!("a {} of at least 1", axis_name(N, k));
            Err(Error::shape(layer, "input", expected, x.dims()))
        }
        _ => Ok(of(length, size.unwrap_or(length))),
    };
    lengths.iter().zip(output_size).enumerate().map(on_axis).collect()
}

fn of(length: usize, size: usize) -> Vec<Range<usize>> {
    // In 128 bits, where no product is too large.
    let (n, size) = (length as u128, size as u128);
    (0..size)
        .map(|i| (i * n / size) as usize..((i + 1) * n).div_ceil(size) as usize)
        .collect()
}

/// Means of ranges of an axis.
pub(crate) fn mean_along(x: &Tensor, dim: usize, ranges: &[Range<usize>]) -> Result<Tensor> {
    let row = |range: &Range<usize>| {
        let weight = 1. / range.len() as f64;
        range.clone().map(|at| (at as u32, weight)).collect()
    };
    Along::new("adaptive_avg_pool", x.dim(dim)?, ranges.iter().map(row).collect()).apply(x, dim)
}

fn max_along(x: &Tensor, dim: usize, ranges: Vec<Range<usize>>) -> Result<Tensor> {
    if cpu::has_kernel(x) {
        return dispatch_real!(x, kernels::max_along::forward(x, dim, ranges));
    }
    let y = max_along_composite(x, dim, &ranges)?;
    graph::note("max_along", &[x], std::slice::from_ref(&y));
    Ok(y)
}

/// The same from candle operations: the oracle of the kernel, and what runs on other devices.
fn max_along_composite(x: &Tensor, dim: usize, ranges: &[Range<usize>]) -> Result<Tensor> {
    let taps = ranges.iter().map(|range| range.len()).max().unwrap_or(1);
    // Short ranges see their last element again, which changes neither the largest nor whose it is.
    let sources: Vec<u32> = ranges
        .iter()
        .flat_map(|range| (0..taps).map(|tap| (range.start + tap).min(range.end - 1) as u32))
        .collect();
    let last = x.transpose(dim, candle_core::D::Minus1)?.contiguous()?;
    let taken = last.index_select(&Tensor::new(sources, x.device())?, x.rank() - 1)?;
    let mut dims = last.dims().to_vec();
    dims.pop();
    dims.extend([ranges.len(), taps]);
    largest(&taken.reshape(dims)?, None)?.transpose(dim, candle_core::D::Minus1)
}

#[cfg(test)]
mod tests;
