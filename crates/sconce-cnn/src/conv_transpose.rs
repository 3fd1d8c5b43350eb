//! Transposed convolution over one to three axes of positions.

mod geometry;
mod run;

use crate::conv::{check_each, check_sizes};
use crate::window::Sizes;
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use geometry::OutputPadding;
use run::run;
use sconce_core::{Error, Init, Param, layer_path, param};

/// Options of [`ConvTranspose1d`]; the defaults are PyTorch's.
pub type ConvTranspose1dConfig = ConvTransposeConfig<1>;

/// Options of [`ConvTranspose2d`]; the defaults are PyTorch's. Pairs are `[height, width]`.
pub type ConvTranspose2dConfig = ConvTransposeConfig<2>;

/// Options of [`ConvTranspose3d`]; the defaults are PyTorch's. Triples are `[depth, height, width]`.
pub type ConvTranspose3dConfig = ConvTransposeConfig<3>;

/// Options of [`ConvTranspose`]; the defaults are PyTorch's. Every array has a number for each axis of positions.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvTransposeConfig<const N: usize> {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Size of what an element spreads over.
    pub kernel_size: [usize; N],
    /// Distance between the places of two neighbours.
    pub stride: [usize; N],
    /// How much is cut off from both sides of each axis of the output.
    pub padding: [usize; N],
    /// What is added behind each axis of the output, less than the stride or the dilation.
    pub output_padding: [usize; N],
    /// Groups of channels that are convolved apart from each other.
    pub groups: usize,
    /// Whether a learned number is added to each output channel.
    pub bias: bool,
    /// Distance between the taps of the kernel.
    pub dilation: [usize; N],
    /// How the weight starts; PyTorch's U(±1/√fan_in) if `None`, with fan_in = out_channels / groups · Π kernel_size.
    pub weight_init: Option<Init>,
    /// How the bias starts; as the weight if `None`.
    pub bias_init: Option<Init>,
}

impl<const N: usize> ConvTransposeConfig<N> {
    /// Stride 1, nothing cut off or added, with bias.
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: impl Sizes<N>) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel_size: kernel_size.sizes(),
            stride: [1; N],
            padding: [0; N],
            output_padding: [0; N],
            groups: 1,
            bias: true,
            dilation: [1; N],
            weight_init: None,
            bias_init: None,
        }
    }
}

/// [`ConvTranspose`] over sequences: input `[batch, in_channels, length]`.
pub type ConvTranspose1d = ConvTranspose<1>;

/// [`ConvTranspose`] over images: input `[batch, in_channels, height, width]`.
pub type ConvTranspose2d = ConvTranspose<2>;

/// [`ConvTranspose`] over volumes: input `[batch, in_channels, depth, height, width]`.
pub type ConvTranspose3d = ConvTranspose<3>;

/// Spreads each element over a window of the output, with learned weights: the transpose of [`Conv`](crate::Conv), often
/// used to enlarge.
///
/// For images: y\[n, o, p, q\] = bias\[o\] + Σ x\[n, c, i, j\] · weight\[c, o, u, v\] over the c of o's group and all i, u with
/// i·stride + u·dilation − padding = p and all j, v with j·stride + v·dilation − padding = q. It maps as a convolution with
/// the same weight and options maps its gradient back to its input. So with any other number of axes. The only padding mode
/// is PyTorch's only one, zeros.
///
/// # Shapes
/// input `[batch, in_channels, *positions]`, output `[batch, out_channels, *out_positions]` with sizes by
/// [`transposed_output_size`](crate::transposed_output_size)
/// # Parameters
/// `weight`: `[in_channels, out_channels / groups, *kernel_size]`; `bias`: `[out_channels]`, if `bias`
/// # Errors
/// `new`: a size, a stride or a dilation is 0; `groups` doesn't divide both numbers of channels; an output padding that is
/// neither less than the stride nor less than the dilation. `forward`: another number of axes, of channels, or another dtype;
/// an output of which nothing is left.
/// # Source
/// Zeiler et al., "Deconvolutional Networks", 2010; `torch.nn.ConvTranspose1d`, `torch.nn.ConvTranspose2d`,
/// `torch.nn.ConvTranspose3d`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Module, Tensor}};
/// use sconce_cnn::{ConvTranspose2d, ConvTranspose2dConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let cfg = ConvTranspose2dConfig { stride: [2, 2], ..ConvTranspose2dConfig::new(8, 4, 2) };
/// let up = ConvTranspose2d::new(&cfg, store.builder().pp("up1"))?;
/// let x = Tensor::zeros((2, 8, 5, 7), DType::F32, &Device::Cpu)?;
/// assert_eq!(up.forward(&x)?.dims(), [2, 4, 10, 14]);
/// assert_eq!(up.forward_to(&x, [11, 14])?.dims(), [2, 4, 11, 14]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ConvTranspose<const N: usize> {
    weight: Param,
    bias: Option<Param>,
    options: Options<N>,
    output_padding: [usize; N],
    path: String,
}

/// What the sizes follow from.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Options<const N: usize> {
    stride: [usize; N],
    padding: [usize; N],
    dilation: [usize; N],
    groups: usize,
}

impl<const N: usize> ConvTranspose<N> {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &ConvTransposeConfig<N>, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, &format!("ConvTranspose{N}d"));
        let ConvTransposeConfig {
            in_channels,
            out_channels,
            kernel_size,
            groups,
            ..
        } = *cfg;
        if N == 0 {
            return Err(Error::config(path, "axes", 0, "at least one axis of positions"));
        }
        check_sizes(&path, in_channels, out_channels, &kernel_size, groups)?;
        check_each(&path, "stride", &cfg.stride)?;
        check_each(&path, "dilation", &cfg.dilation)?;
        let steps = cfg.stride.iter().zip(&cfg.dilation);
        if cfg
            .output_padding
            .iter()
            .zip(steps)
            .any(|(extra, (stride, dilation))| extra >= stride.max(dilation))
        {
            let expected = format!(
                "less than stride = {:?} or dilation = {:?} on every axis",
                cfg.stride, cfg.dilation
            );
            let value = format!("{:?}", cfg.output_padding);
            return Err(Error::config(path, "output_padding", value, expected));
        }
        let taps = kernel_size.iter().product::<usize>();
        let default = Init::default_uniform(out_channels / groups * taps);
        let mut shape = vec![in_channels, out_channels / groups];
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
            options: Options {
                stride: cfg.stride,
                padding: cfg.padding,
                dilation: cfg.dilation,
                groups,
            },
            output_padding: cfg.output_padding,
            path,
        })
    }

    /// The forward pass with an output of given sizes, PyTorch's `output_size`: they say what `output_padding` has to be.
    ///
    /// # Errors
    /// Also if a size isn't among those from which a convolution of these options gives the input's.
    pub fn forward_to(&self, x: &Tensor, output_size: [usize; N]) -> Result<Tensor> {
        self.run(x, OutputPadding::To(output_size))
    }

    fn run(&self, x: &Tensor, output_padding: OutputPadding<N>) -> Result<Tensor> {
        let bias = self.bias.as_ref().map(Param::tensor);
        let weight = self.weight.tensor();
        run(
            &self.path,
            x,
            &weight,
            bias.as_ref(),
            &self.options,
            output_padding,
        )
    }
}

impl<const N: usize> Module for ConvTranspose<N> {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, OutputPadding::Of(self.output_padding))
    }
}

#[cfg(test)]
mod tests;
