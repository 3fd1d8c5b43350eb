//! Convolution over one to three axes of positions.

mod composite;
mod geometry;
mod run;

use crate::padding::{Padding, PaddingMode};
use crate::window::Sizes;
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
pub(crate) use composite::add_bias;
pub(crate) use geometry::{Geometry, batch, check_others, filters};
pub(crate) use run::Row;
use run::run;
use sconce_core::{Error, Init, Param, layer_path, param};
use sconce_nn::Activation;

/// Options of [`Conv1d`]; the defaults are PyTorch's.
pub type Conv1dConfig = ConvConfig<1>;

/// Options of [`Conv2d`]; the defaults are PyTorch's. Pairs are `[height, width]`.
pub type Conv2dConfig = ConvConfig<2>;

/// Options of [`Conv3d`]; the defaults are PyTorch's. Triples are `[depth, height, width]`.
pub type Conv3dConfig = ConvConfig<3>;

/// Options of [`Conv`]; the defaults are PyTorch's. Every array has a number for each axis of positions.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvConfig<const N: usize> {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Size of the window.
    pub kernel_size: [usize; N],
    /// Distance between windows.
    pub stride: [usize; N],
    /// How far the input is extended.
    pub padding: Padding<N>,
    /// What stands there.
    pub padding_mode: PaddingMode,
    /// Distance between the taps of a window.
    pub dilation: [usize; N],
    /// Groups of channels that are convolved apart from each other.
    pub groups: usize,
    /// Whether a learned number is added to each output channel.
    pub bias: bool,
    /// A function that is applied to the output, in the same node of the graph where its slope follows from its value.
    pub activation: Option<Activation>,
    /// How the weight starts; PyTorch's U(±1/√fan_in) if `None`.
    pub weight_init: Option<Init>,
    /// How the bias starts; PyTorch's U(±1/√fan_in) if `None`.
    pub bias_init: Option<Init>,
}

impl<const N: usize> ConvConfig<N> {
    /// Stride 1, no padding, with bias.
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: impl Sizes<N>) -> Self {
        let ConvOptions {
            stride,
            padding,
            padding_mode,
            dilation,
            groups,
            activation,
        } = ConvOptions::default();
        Self {
            in_channels,
            out_channels,
            kernel_size: kernel_size.sizes(),
            stride,
            padding,
            padding_mode,
            dilation,
            groups,
            bias: true,
            activation,
            weight_init: None,
            bias_init: None,
        }
    }
}

/// [`Conv`] over sequences: input `[batch, in_channels, length]`.
pub type Conv1d = Conv<1>;

/// [`Conv`] over images: input `[batch, in_channels, height, width]`.
pub type Conv2d = Conv<2>;

/// [`Conv`] over volumes: input `[batch, in_channels, depth, height, width]`.
pub type Conv3d = Conv<3>;

/// Cross-correlation with learned filters over `N` axes of positions, as in every deep-learning library.
///
/// For images: y\[n, o, i, j\] = bias\[o\] + Σ_{c, u, v} weight\[o, c, u, v\] · x\[n, c, i·stride + u·dilation,
/// j·stride + v·dilation\], with x padded, c over the channels of o's group, and an activation applied to it if there is
/// one. So with any other number of axes.
///
/// # Shapes
/// input `[batch, in_channels, *positions]`, output `[batch, out_channels, *out_positions]` with sizes by
/// [`output_size`](crate::output_size); positions are `length`, `height, width` or `depth, height, width`
/// # Parameters
/// `weight`: `[out_channels, in_channels / groups, *kernel_size]`; `bias`: `[out_channels]`, if `bias`
/// # Errors
/// `new`: a size, a stride or a dilation is 0; `groups` doesn't divide both numbers of channels; padding `Same` with another
/// stride than 1. `forward`: another number of axes, of channels, or another dtype; an input that is smaller than the kernel,
/// or too small to be mirrored or wrapped around.
/// # Source
/// LeCun et al., "Gradient-based learning applied to document recognition", 1998; `torch.nn.Conv1d`, `torch.nn.Conv2d`,
/// `torch.nn.Conv3d`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Module, Tensor}};
/// use sconce_cnn::{Conv1d, Conv1dConfig, Conv2d, Conv2dConfig, Padding};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let cfg = Conv2dConfig { stride: [2, 2], padding: Padding::Explicit([1, 1]), ..Conv2dConfig::new(3, 8, 3) };
/// let conv = Conv2d::new(&cfg, store.builder().pp("conv1"))?;
/// let x = Tensor::zeros((4, 3, 9, 7), DType::F32, &Device::Cpu)?;
/// assert_eq!(conv.forward(&x)?.dims(), [4, 8, 5, 4]);
///
/// let cfg = Conv1dConfig { padding: Padding::Same, ..Conv1dConfig::new(3, 8, 4) };
/// let conv = Conv1d::new(&cfg, store.builder().pp("conv2"))?;
/// let x = Tensor::zeros((4, 3, 20), DType::F32, &Device::Cpu)?;
/// assert_eq!(conv.forward(&x)?.dims(), [4, 8, 20]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Conv<const N: usize> {
    weight: Param,
    bias: Option<Param>,
    options: ConvOptions<N>,
    path: String,
}

impl<const N: usize> Conv<N> {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &ConvConfig<N>, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, &format!("Conv{N}d"));
        let ConvConfig {
            in_channels,
            out_channels,
            kernel_size,
            groups,
            ..
        } = *cfg;
        let options = ConvOptions {
            stride: cfg.stride,
            padding: cfg.padding,
            padding_mode: cfg.padding_mode,
            dilation: cfg.dilation,
            groups,
            activation: cfg.activation,
        };
        check_sizes(&path, in_channels, out_channels, &kernel_size, groups)?;
        options.check(&path)?;
        let taps = kernel_size.iter().product::<usize>();
        let default = Init::default_uniform(in_channels / groups * taps);
        let mut shape = vec![out_channels, in_channels / groups];
        shape.extend(kernel_size);
        let weight = param(&vb, shape, "weight", &cfg.weight_init.unwrap_or(default))?;
        let bias_init = cfg.bias_init.unwrap_or(default);
        let bias = cfg
            .bias
            .then(|| param(&vb, out_channels, "bias", &bias_init))
            .transpose()?;
        Ok(Self {
            weight,
            bias,
            options,
            path,
        })
    }
}

/// That there are channels, in whole groups, and a kernel.
pub(crate) fn check_sizes(
    path: &str,
    in_channels: usize,
    out_channels: usize,
    kernel_size: &[usize],
    groups: usize,
) -> sconce_core::Result<()> {
    let channels = [(in_channels, "in_channels"), (out_channels, "out_channels")];
    for (channels, name) in channels {
        if channels == 0 {
            return Err(Error::config(path, name, 0, "at least 1"));
        }
    }
    check_each(path, "kernel_size", kernel_size)?;
    if groups == 0 {
        return Err(Error::config(path, "groups", 0, "at least 1"));
    }
    for (channels, name) in channels {
        if channels % groups != 0 {
            let expected = format!("a divisor of {name} = {channels}");
            return Err(Error::config(path, "groups", groups, expected));
        }
    }
    let bytes = kernel_size
        .iter()
        .try_fold(16usize, |bytes, &size| bytes.checked_mul(size));
    match bytes.and_then(|bytes| bytes.checked_mul(in_channels)?.checked_mul(out_channels)) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        _ => Err(Error::config(
            path,
            "kernel_size",
            format!("{kernel_size:?}"),
            "a weight that fits into memory",
        )),
    }
}

/// That a number is at least 1 on every axis.
pub(crate) fn check_each(path: &str, field: &'static str, numbers: &[usize]) -> sconce_core::Result<()> {
    match numbers.contains(&0) {
        true => {
            let expected = "at least 1 on every axis";
            Err(Error::config(path, field, format!("{numbers:?}"), expected))
        }
        false => Ok(()),
    }
}

impl<const N: usize> Module for Conv<N> {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let bias = self.bias.as_ref().map(Param::tensor);
        run(&self.path, x, &self.weight.tensor(), bias.as_ref(), &self.options)
    }
}

/// Options of [`conv`]; the defaults are PyTorch's. Every array has a number for each axis of positions.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvOptions<const N: usize> {
    /// Distance between windows.
    pub stride: [usize; N],
    /// How far the input is extended.
    pub padding: Padding<N>,
    /// What stands there.
    pub padding_mode: PaddingMode,
    /// Distance between the taps of a window.
    pub dilation: [usize; N],
    /// Groups of channels that are convolved apart from each other.
    pub groups: usize,
    /// A function that is applied to the output.
    pub activation: Option<Activation>,
}

impl<const N: usize> Default for ConvOptions<N> {
    fn default() -> Self {
        Self {
            stride: [1; N],
            padding: Padding::Explicit([0; N]),
            padding_mode: PaddingMode::Zeros,
            dilation: [1; N],
            groups: 1,
            activation: None,
        }
    }
}

impl<const N: usize> ConvOptions<N> {
    fn check(&self, path: &str) -> sconce_core::Result<()> {
        if N == 0 {
            return Err(Error::config(path, "axes", 0, "at least one axis of positions"));
        }
        check_each(path, "stride", &self.stride)?;
        check_each(path, "dilation", &self.dilation)?;
        if self.groups == 0 {
            return Err(Error::config(path, "groups", 0, "at least 1"));
        }
        if self.padding == Padding::Same && self.stride != [1; N] {
            let expected = format!("{:?} for padding `Same`", [1; N]);
            return Err(Error::config(
                path,
                "stride",
                format!("{:?}", self.stride),
                expected,
            ));
        }
        Ok(())
    }
}

/// [`Conv`] with a weight and a bias from elsewhere (shared or generated ones).
///
/// # Shapes
/// x `[batch, in_channels, *positions]`, weight `[out_channels, in_channels / groups, *kernel_size]`, bias
/// `[out_channels]`, output `[batch, out_channels, *out_positions]`
/// # Errors
/// The options or the shapes don't fit.
/// # Source
/// `torch.nn.functional.conv2d` and those of one and three axes
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_cnn::{ConvOptions, conv};
/// let x = Tensor::arange(0f32, 9., &Device::Cpu)?.reshape((1, 1, 3, 3))?;
/// let weight = Tensor::ones((1, 1, 2, 2), DType::F32, &Device::Cpu)?;
/// let y = conv(&x, &weight, None, &ConvOptions::<2>::default())?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [8., 12., 20., 24.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn conv<const N: usize>(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &ConvOptions<N>,
) -> Result<Tensor> {
    let name = format!("conv{N}d");
    options.check(&name)?;
    run(&name, x, weight, bias, options)
}

#[cfg(test)]
mod tests;
