//! U-Net.

use crate::{
    Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig, MaxPool2d, MaxPool2dConfig, Pad, Padding,
    Upsample, UpsampleConfig, UpsampleMode, UpsampleTo, pad,
};
use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, layer_path};
use sconce_nn::{Activation, BatchNorm2d, BatchNormConfig};

/// Options of [`UNet`].
#[derive(Debug, Clone, PartialEq)]
pub struct UNetConfig {
    /// Channels of the images.
    pub in_channels: usize,
    /// Numbers for each pixel.
    pub classes: usize,
    /// Channels at the images' own size; each halving of the sides doubles them.
    pub width: usize,
    /// How often the sides are halved.
    pub depth: usize,
    /// Whether sides are doubled by bilinear interpolation instead of a learned transposed convolution.
    pub bilinear: bool,
}

impl UNetConfig {
    /// The paper's sizes.
    pub fn new(in_channels: usize, classes: usize) -> Self {
        Self {
            in_channels,
            classes,
            width: 64,
            depth: 4,
            bilinear: false,
        }
    }
}

/// U-Net: a path down that halves the image's sides and doubles its channels, and a path up that joins what each step of the
/// way down has seen.
///
/// Every step has two 3×3 convolutions, each with a batch norm and a relu. They are padded, unlike the paper's, so that the
/// output has the image's size, whatever that is: where an odd side was halved, the way up is extended by zeros.
///
/// # Shapes
/// input `[batch, in_channels, height, width]`, output `[batch, classes, height, width]`: logits
/// # Parameters
/// `inc.double_conv.{0, 1, 3, 4}.*` (convolution, norm, convolution, norm), `down{1…}.maxpool_conv.1.double_conv.*`,
/// `up{1…}.up.{weight, bias}` unless `bilinear`, `up{1…}.conv.double_conv.*`, `outc.conv.{weight, bias}`: the names of the
/// implementation that is named below
/// # Errors
/// `new`: no channels, classes, width or depth. `forward_t`: another number of axes or channels, or another dtype; an image
/// with a side of less than 2^depth; in training, a batch and an image so small that a norm sees one value.
/// # Source
/// Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", 2015;
/// `milesial/Pytorch-UNet`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, ModuleT, Tensor}};
/// use sconce_cnn::{UNet, UNetConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(1);
/// let cfg = UNetConfig { width: 4, depth: 2, ..UNetConfig::new(1, 3) };
/// let net = UNet::new(&cfg, store.builder())?;
/// let x = Tensor::zeros((2, 1, 13, 16), DType::F32, &Device::Cpu)?;
/// assert_eq!(net.forward_t(&x, false)?.dims(), [2, 3, 13, 16]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct UNet {
    inc: DoubleConv,
    pool: MaxPool2d,
    down: Vec<DoubleConv>,
    up: Vec<Up>,
    outc: Conv2d,
    in_channels: usize,
    path: String,
}

impl UNet {
    /// The network whose parameters stand at `vb`.
    pub fn new(cfg: &UNetConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "UNet");
        for (field, size, most) in [
            ("in_channels", cfg.in_channels, 1 << 24),
            ("classes", cfg.classes, 1 << 24),
            ("width", cfg.width, 1 << 24),
            ("depth", cfg.depth, 16),
        ] {
            if size == 0 || size > most {
                return Err(Error::config(path, field, size, format!("from 1 to {most}")));
            }
        }
        let inc = DoubleConv::new(cfg.in_channels, cfg.width, cfg.width, vb.pp("inc"))?;
        // Interpolation keeps the number of channels, so the deepest step leaves it as it is.
        let kept = |channels: usize| if cfg.bilinear { channels / 2 } else { channels };
        let mut down = Vec::with_capacity(cfg.depth);
        for step in 1..=cfg.depth {
            let (from, to) = (cfg.width << (step - 1), cfg.width << step);
            let to = if step == cfg.depth { kept(to) } else { to };
            let vb = vb.pp(format!("down{step}")).pp("maxpool_conv").pp("1");
            down.push(DoubleConv::new(from, to, to, vb)?);
        }
        let mut up = Vec::with_capacity(cfg.depth);
        for step in 1..=cfg.depth {
            let from = cfg.width << (cfg.depth + 1 - step);
            let to = if step == cfg.depth {
                from / 2
            } else {
                kept(from / 2)
            };
            up.push(Up::new(from, to, cfg.bilinear, vb.pp(format!("up{step}")))?);
        }
        let outc = Conv2dConfig::new(cfg.width, cfg.classes, 1);
        Ok(Self {
            inc,
            pool: MaxPool2d::new(&MaxPool2dConfig::new(2))?,
            down,
            up,
            outc: Conv2d::new(&outc, vb.pp("outc").pp("conv"))?,
            in_channels: cfg.in_channels,
            path,
        })
    }
}

impl ModuleT for UNet {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let least = 1 << self.down.len();
        match *x.dims() {
            [_, channels, height, width] if channels == self.in_channels && height.min(width) >= least => {}
            _ => {
                let channels = self.in_channels;
                let expected = format!(
                    "[batch, in_channels = {channels}, height, width] with sides of at least {least}"
                );
                return Err(Error::shape(&self.path, "input", expected, x.dims()).into());
            }
        }
        let mut x = self.inc.forward_t(x, train)?;
        let mut seen = Vec::with_capacity(self.down.len());
        for down in &self.down {
            let smaller = down.forward_t(&self.pool.forward(&x)?, train)?;
            seen.push(std::mem::replace(&mut x, smaller));
        }
        for (up, seen) in self.up.iter().zip(seen.iter().rev()) {
            x = up.join(&x, seen, train)?;
        }
        self.outc.forward(&x)
    }
}

/// Two convolutions, each with a norm and a relu.
#[derive(Debug, Clone)]
struct DoubleConv {
    layers: [(Conv2d, BatchNorm2d); 2],
}

impl DoubleConv {
    fn new(from: usize, middle: usize, to: usize, vb: VarBuilder) -> sconce_core::Result<Self> {
        let vb = vb.pp("double_conv");
        let layer = |from, to, place: usize| {
            let cfg = Conv2dConfig {
                padding: Padding::Explicit([1, 1]),
                bias: false,
                ..Conv2dConfig::new(from, to, 3)
            };
            let norm = BatchNorm2d::new(&BatchNormConfig::new(to), vb.pp(place + 1));
            Ok::<_, Error>((Conv2d::new(&cfg, vb.pp(place))?, norm?))
        };
        Ok(Self {
            layers: [layer(from, middle, 0)?, layer(middle, to, 3)?],
        })
    }
}

impl ModuleT for DoubleConv {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.layers.iter().try_fold(x.clone(), |x, (conv, norm)| {
            Activation::Relu.forward(&norm.forward_t(&conv.forward(&x)?, train)?)
        })
    }
}

/// One step of the way up.
#[derive(Debug, Clone)]
struct Up {
    up: Double,
    conv: DoubleConv,
}

/// What doubles the sides.
#[derive(Debug, Clone)]
enum Double {
    Learned(ConvTranspose2d),
    Bilinear(Upsample),
}

impl Up {
    fn new(from: usize, to: usize, bilinear: bool, vb: VarBuilder) -> sconce_core::Result<Self> {
        let (up, middle) = if bilinear {
            let cfg = UpsampleConfig {
                mode: UpsampleMode::Linear,
                align_corners: true,
                ..UpsampleConfig::new(UpsampleTo::Scale(vec![2.]))
            };
            (Double::Bilinear(Upsample::new(&cfg)?), from / 2)
        } else {
            let cfg = ConvTranspose2dConfig {
                stride: [2, 2],
                ..ConvTranspose2dConfig::new(from, from / 2, 2)
            };
            (Double::Learned(ConvTranspose2d::new(&cfg, vb.pp("up"))?), to)
        };
        Ok(Self {
            up,
            conv: DoubleConv::new(from, middle, to, vb.pp("conv"))?,
        })
    }

    /// What the way down has seen at this size, beside what comes from below.
    fn join(&self, below: &Tensor, seen: &Tensor, train: bool) -> Result<Tensor> {
        let larger = match &self.up {
            Double::Learned(up) => up.forward(below)?,
            Double::Bilinear(up) => up.forward(below)?,
        };
        let missing = |dim: usize| {
            let missing = seen.dim(dim)?.saturating_sub(larger.dim(dim)?) as isize;
            Result::Ok([missing / 2, missing - missing / 2])
        };
        let larger = pad(&larger, &[missing(2)?, missing(3)?], Pad::Constant(0.))?;
        self.conv.forward_t(&Tensor::cat(&[seen, &larger], 1)?, train)
    }
}

#[cfg(test)]
mod tests;
