//! Convolution of images.

use crate::kernels;
use crate::padding::{Padding, PaddingMode};
use crate::window::{self, Axis, Pair, Windows};
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, Init, Param, cpu, dispatch_real, graph, layer_path, param};
use sconce_nn::Activation;

/// Options of [`Conv2d`]; the defaults are PyTorch's. Pairs are `[height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv2dConfig {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Size of the window.
    pub kernel_size: [usize; 2],
    /// Distance between windows.
    pub stride: [usize; 2],
    /// How far the input is extended.
    pub padding: Padding,
    /// What stands there.
    pub padding_mode: PaddingMode,
    /// Distance between the taps of a window.
    pub dilation: [usize; 2],
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

impl Conv2dConfig {
    /// Stride 1, no padding, with bias.
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: impl Pair) -> Self {
        let Conv2dOptions {
            stride,
            padding,
            padding_mode,
            dilation,
            groups,
            activation,
        } = Conv2dOptions::default();
        Self {
            in_channels,
            out_channels,
            kernel_size: kernel_size.pair(),
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

/// Cross-correlation of images with learned filters, as in every deep-learning library.
///
/// y\[n, o, i, j\] = bias\[o\] + Σ_{c, u, v} weight\[o, c, u, v\] · x\[n, c, i·stride + u·dilation, j·stride + v·dilation\],
/// with x padded, c over the channels of o's group, and an activation applied to it if there is one.
///
/// # Shapes
/// input `[batch, in_channels, height, width]`, output `[batch, out_channels, out_height, out_width]` with sizes by
/// [`output_size`](crate::output_size)
/// # Parameters
/// `weight`: `[out_channels, in_channels / groups, kernel_height, kernel_width]`; `bias`: `[out_channels]`, if `bias`
/// # Errors
/// `new`: a size, a stride or a dilation is 0; `groups` doesn't divide both numbers of channels; padding `Same` with another
/// stride than 1. `forward`: another number of axes, of channels, or another dtype; an image that is smaller than the kernel,
/// or too small to be mirrored or wrapped around.
/// # Source
/// LeCun et al., "Gradient-based learning applied to document recognition", 1998; `torch.nn.Conv2d`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, Module, Tensor}};
/// use sconce_cnn::{Conv2d, Conv2dConfig, Padding};
/// let store = ParamStore::new(DType::F32, &Device::Cpu);
/// let cfg = Conv2dConfig { stride: [2, 2], padding: Padding::Explicit([1, 1]), ..Conv2dConfig::new(3, 8, 3) };
/// let conv = Conv2d::new(&cfg, store.builder().pp("conv1"))?;
/// let x = Tensor::zeros((4, 3, 9, 7), DType::F32, &Device::Cpu)?;
/// assert_eq!(conv.forward(&x)?.dims(), [4, 8, 5, 4]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Conv2d {
    weight: Param,
    bias: Option<Param>,
    options: Conv2dOptions,
    path: String,
}

impl Conv2d {
    /// The layer whose parameters stand at `vb`.
    pub fn new(cfg: &Conv2dConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "Conv2d");
        let Conv2dConfig {
            in_channels,
            out_channels,
            kernel_size: [height, width],
            groups,
            ..
        } = *cfg;
        for (field, size) in [
            ("in_channels", in_channels),
            ("out_channels", out_channels),
            ("kernel_size", height.min(width)),
        ] {
            if size == 0 {
                return Err(Error::config(path, field, 0, "at least 1"));
            }
        }
        let options = Conv2dOptions {
            stride: cfg.stride,
            padding: cfg.padding,
            padding_mode: cfg.padding_mode,
            dilation: cfg.dilation,
            groups,
            activation: cfg.activation,
        };
        options.check(&path)?;
        for (channels, name) in [(in_channels, "in_channels"), (out_channels, "out_channels")] {
            if channels % groups != 0 {
                let expected = format!("a divisor of {name} = {channels}");
                return Err(Error::config(path, "groups", groups, expected));
            }
        }
        let default = Init::default_uniform(in_channels / groups * height * width);
        let shape = (out_channels, in_channels / groups, height, width);
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

impl Module for Conv2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let bias = self.bias.as_ref().map(Param::tensor);
        run(&self.path, x, &self.weight.tensor(), bias.as_ref(), &self.options)
    }
}

/// Options of [`conv2d`]; the defaults are PyTorch's. Pairs are `[height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv2dOptions {
    /// Distance between windows.
    pub stride: [usize; 2],
    /// How far the input is extended.
    pub padding: Padding,
    /// What stands there.
    pub padding_mode: PaddingMode,
    /// Distance between the taps of a window.
    pub dilation: [usize; 2],
    /// Groups of channels that are convolved apart from each other.
    pub groups: usize,
    /// A function that is applied to the output.
    pub activation: Option<Activation>,
}

impl Default for Conv2dOptions {
    fn default() -> Self {
        Self {
            stride: [1, 1],
            padding: Padding::Explicit([0, 0]),
            padding_mode: PaddingMode::Zeros,
            dilation: [1, 1],
            groups: 1,
            activation: None,
        }
    }
}

impl Conv2dOptions {
    fn check(&self, path: &str) -> sconce_core::Result<()> {
        for (field, [height, width]) in [("stride", self.stride), ("dilation", self.dilation)] {
            if height.min(width) == 0 {
                return Err(Error::config(
                    path,
                    field,
                    format!("[{height}, {width}]"),
                    "at least 1 on both axes",
                ));
            }
        }
        if self.groups == 0 {
            return Err(Error::config(path, "groups", 0, "at least 1"));
        }
        if self.padding == Padding::Same && self.stride != [1, 1] {
            let [height, width] = self.stride;
            return Err(Error::config(
                path,
                "stride",
                format!("[{height}, {width}]"),
                "[1, 1] for padding `Same`",
            ));
        }
        Ok(())
    }
}

/// [`Conv2d`] with a weight and a bias from elsewhere (shared or generated ones).
///
/// # Shapes
/// x `[batch, in_channels, height, width]`, weight `[out_channels, in_channels / groups, kernel_height, kernel_width]`, bias
/// `[out_channels]`, output `[batch, out_channels, out_height, out_width]`
/// # Errors
/// The options or the shapes don't fit.
/// # Source
/// `torch.nn.functional.conv2d`
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Tensor};
/// use sconce_cnn::{Conv2dOptions, conv2d};
/// let x = Tensor::arange(0f32, 9., &Device::Cpu)?.reshape((1, 1, 3, 3))?;
/// let weight = Tensor::ones((1, 1, 2, 2), DType::F32, &Device::Cpu)?;
/// let y = conv2d(&x, &weight, None, &Conv2dOptions::default())?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [8., 12., 20., 24.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, options: &Conv2dOptions) -> Result<Tensor> {
    options.check("conv2d")?;
    run("conv2d", x, weight, bias, options)
}

fn run(
    path: &str,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &Conv2dOptions,
) -> Result<Tensor> {
    let geometry = Geometry::new(path, x, weight, bias, options)?;
    if cpu::has_kernel(x) {
        return dispatch_real!(
            x,
            kernels::conv2d::forward(x, weight, bias, geometry, options.activation)
        );
    }
    let y = composite(x, weight, bias, &geometry)?;
    let inputs: Vec<&Tensor> = [x, weight].into_iter().chain(bias).collect();
    graph::note("conv2d", &inputs, std::slice::from_ref(&y));
    match options.activation {
        Some(activation) => activation.forward(&y),
        None => Ok(y),
    }
}

/// All sizes of one convolution, checked against each other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Geometry {
    pub(crate) batch: usize,
    pub(crate) groups: usize,
    /// Input channels of one group.
    pub(crate) c_in: usize,
    /// Output channels of one group.
    pub(crate) c_out: usize,
    pub(crate) axes: [Axis; 2],
    pub(crate) mode: PaddingMode,
}

impl Geometry {
    fn new(
        path: &str,
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        options: &Conv2dOptions,
    ) -> sconce_core::Result<Self> {
        let Conv2dOptions {
            stride,
            padding,
            padding_mode: mode,
            dilation,
            groups,
            ..
        } = *options;
        let &[out_channels, c_in, kernel_height, kernel_width] = weight.dims() else {
            let expected = "[out_channels, in_channels / groups, kernel_height, kernel_width]";
            return Err(Error::shape(path, "weight", expected, weight.dims()));
        };
        if out_channels % groups != 0 {
            let expected = format!("[out_channels, …] with a multiple of groups = {groups}");
            return Err(Error::shape(path, "weight", expected, weight.dims()));
        }
        let in_channels = c_in * groups;
        let batch = match *x.dims() {
            [batch, channels, _, _] if channels == in_channels => batch,
            _ => {
                let expected = format!("[batch, in_channels = {in_channels}, height, width]");
                return Err(Error::shape(path, "input", expected, x.dims()));
            }
        };
        if let Some(bias) = bias
            && bias.dims() != [out_channels]
        {
            let expected = format!("[out_channels = {out_channels}]");
            return Err(Error::shape(path, "bias", expected, bias.dims()));
        }
        for (argument, tensor) in [("input", Some(x)), ("bias", bias)] {
            if let Some(got) = tensor.map(Tensor::dtype).filter(|&dtype| dtype != weight.dtype()) {
                let expected = format!("{:?}, that of the weight", weight.dtype());
                return Err(Error::DType {
                    layer: path.to_string(),
                    argument,
                    expected,
                    got,
                });
            }
        }
        let along = |axis: usize, kernel: usize, stride: usize, dilation: usize| Windows {
            kernel,
            stride,
            dilation,
            padding: padding.along(axis, kernel, dilation),
            ceil_mode: false,
        };
        let windows = [
            along(0, kernel_height, stride[0], dilation[0]),
            along(1, kernel_width, stride[1], dilation[1]),
        ];
        let axes = window::axes(path, &windows, x.dims())?;
        for (axis, name) in axes.iter().zip(["height", "width"]) {
            if let Some(problem) = mode.problem(axis) {
                return Err(Error::shape(
                    path,
                    "input",
                    format!("a {name} of {problem}"),
                    x.dims(),
                ));
            }
        }
        Ok(Self {
            batch,
            groups,
            c_in,
            c_out: out_channels / groups,
            axes,
            mode,
        })
    }

    /// Taps of a window over all channels of a group: the length of a filter.
    pub(crate) fn taps(&self) -> usize {
        self.c_in * self.axes[0].kernel * self.axes[1].kernel
    }

    /// Pixels of an output channel.
    pub(crate) fn pixels(&self) -> usize {
        self.axes[0].output * self.axes[1].output
    }

    /// Shape of the output.
    pub(crate) fn output(&self) -> (usize, usize, usize, usize) {
        (
            self.batch,
            self.groups * self.c_out,
            self.axes[0].output,
            self.axes[1].output,
        )
    }
}

/// The same without activation from candle operations: the oracle of the kernel, and what runs on other devices.
///
/// candle's own `conv2d` isn't used: its gradient fails for some sizes.
fn composite(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, geometry: &Geometry) -> Result<Tensor> {
    let &Geometry {
        batch, groups, c_out, ..
    } = geometry;
    let (taps, pixels) = (geometry.taps(), geometry.pixels());
    // [batch, channels, out_height, kernel_height, out_width, kernel_width] to filters' taps by pixels.
    let columns = window::gather(&geometry.mode.apply(x, &geometry.axes)?, &geometry.axes)?
        .permute([0, 1, 3, 5, 2, 4])?
        .reshape((batch, groups, taps, pixels))?;
    let filters = weight.reshape((1, groups, c_out, taps))?;
    let y = filters.broadcast_matmul(&columns)?.reshape(geometry.output())?;
    match bias {
        Some(bias) => y.broadcast_add(&bias.reshape((1, (), 1, 1))?),
        None => Ok(y),
    }
}

#[cfg(test)]
mod tests;
