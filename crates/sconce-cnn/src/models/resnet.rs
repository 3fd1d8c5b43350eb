//! ResNet of basic blocks: ResNet-18 and ResNet-34.

use crate::{
    AdaptiveAvgPool2d, AdaptivePoolConfig, Conv2d, Conv2dConfig, MaxPool2d, MaxPool2dConfig, Padding,
};
use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, Fan, Init, Nonlinearity, function, layer_path};
use sconce_nn::{Activation, BatchNorm2d, BatchNormConfig, Linear, LinearConfig};

/// Options of [`ResNet`]; the defaults are torchvision's.
#[derive(Debug, Clone, PartialEq)]
pub struct ResNetConfig {
    /// Numbers that come out.
    pub classes: usize,
    /// Channels of the images.
    pub in_channels: usize,
    /// Blocks of each of the four stages: `[2, 2, 2, 2]` is ResNet-18, `[3, 4, 6, 3]` ResNet-34.
    pub blocks: [usize; 4],
    /// Channels of the first stage; each further one has twice as many.
    pub width: usize,
    /// What stands before the stages.
    pub stem: Stem,
    /// Whether the last norm of each block starts at 0, so that the block starts as the identity.
    pub zero_init_residual: bool,
}

/// What stands before a [`ResNet`]'s stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stem {
    /// A 7×7 convolution of stride 2 and a 3×3 maximum of stride 2, for images of some two hundred pixels.
    Large,
    /// A 3×3 convolution of stride 1, for images of some thirty pixels, as in the paper's part on CIFAR-10.
    Small,
}

impl ResNetConfig {
    /// ResNet-18 for colour images of some two hundred pixels.
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            in_channels: 3,
            blocks: [2, 2, 2, 2],
            width: 64,
            stem: Stem::Large,
            zero_init_residual: false,
        }
    }
}

/// ResNet of basic blocks, by default ResNet-18.
///
/// stem → four stages, each of blocks y = relu(bn(conv3×3(relu(bn(conv3×3(x))))) + x) → mean over all positions → linear. The
/// first block of every stage but the first halves the sides and doubles the channels, and there a 1×1 convolution and a norm
/// stand in x's place. Convolutions start by Kaiming's normal distribution over the outputs.
///
/// # Shapes
/// input `[batch, in_channels, height, width]`, output `[batch, classes]`: logits
/// # Parameters
/// torchvision's: `conv1.weight`, `bn1.*`, `layer{1–4}.{i}.{conv1, bn1, conv2, bn2}.*`, `layer{2–4}.0.downsample.{0, 1}.*`,
/// `fc.weight`, `fc.bias`
/// # Errors
/// `new`: no classes, channels, width, or a stage without blocks. `forward_t`: another number of axes or channels, an image
/// without pixels, another dtype than the parameters'; in training, a batch and an image so small that a norm sees one value.
/// # Source
/// He et al., "Deep Residual Learning for Image Recognition", 2015; `torchvision.models.resnet18`
/// # Example
/// ```
/// use sconce_core::{ParamStore, candle_core::{DType, Device, ModuleT, Tensor}};
/// use sconce_cnn::{ResNet, ResNetConfig, Stem};
/// let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(1);
/// let cfg = ResNetConfig { width: 8, stem: Stem::Small, ..ResNetConfig::new(10) };
/// let net = ResNet::new(&cfg, store.builder())?;
/// let x = Tensor::zeros((2, 3, 16, 16), DType::F32, &Device::Cpu)?;
/// assert_eq!(net.forward_t(&x, false)?.dims(), [2, 10]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ResNet {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    pool: Option<MaxPool2d>,
    layers: Vec<BasicBlock>,
    mean: AdaptiveAvgPool2d,
    fc: Linear,
    in_channels: usize,
    path: String,
}

/// Channels and classes of any network that fits into memory; more would be mistakes whose products overflow.
const MOST: usize = 1 << 24;

impl ResNet {
    /// The network whose parameters stand at `vb`.
    pub fn new(cfg: &ResNetConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "ResNet");
        for (field, size) in [
            ("classes", cfg.classes),
            ("in_channels", cfg.in_channels),
            ("width", cfg.width),
        ] {
            if size == 0 {
                return Err(Error::config(path, field, 0, "at least 1"));
            }
            if size > MOST {
                return Err(Error::config(path, field, size, format!("at most {MOST}")));
            }
        }
        if cfg.blocks.contains(&0) {
            let value = format!("{:?}", cfg.blocks);
            return Err(Error::config(path, "blocks", value, "at least 1 in every stage"));
        }
        let (kernel, stride) = match cfg.stem {
            Stem::Large => (7, 2),
            Stem::Small => (3, 1),
        };
        let conv1 = conv(cfg.in_channels, cfg.width, kernel, stride, vb.pp("conv1"))?;
        let bn1 = BatchNorm2d::new(&BatchNormConfig::new(cfg.width), vb.pp("bn1"))?;
        let pool = MaxPool2dConfig {
            stride: Some([2, 2]),
            padding: [1, 1],
            ..MaxPool2dConfig::new(3)
        };
        let pool = (cfg.stem == Stem::Large)
            .then(|| MaxPool2d::new(&pool))
            .transpose()?;
        let mut layers = Vec::new();
        let mut channels = cfg.width;
        for (stage, &blocks) in cfg.blocks.iter().enumerate() {
            let vb = vb.pp(format!("layer{}", stage + 1));
            let out = cfg.width << stage;
            for i in 0..blocks {
                let stride = if i == 0 && stage > 0 { 2 } else { 1 };
                let block = BasicBlock::new(channels, out, stride, cfg.zero_init_residual, vb.pp(i))?;
                layers.push(block);
                channels = out;
            }
        }
        Ok(Self {
            conv1,
            bn1,
            pool,
            layers,
            mean: AdaptiveAvgPool2d::new(&AdaptivePoolConfig::new(1))?,
            fc: Linear::new(&LinearConfig::new(channels, cfg.classes), vb.pp("fc"))?,
            in_channels: cfg.in_channels,
            path,
        })
    }
}

impl ModuleT for ResNet {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match *x.dims() {
            [_, channels, height, width] if channels == self.in_channels && height > 0 && width > 0 => {}
            _ => {
                let expected = format!("[batch, in_channels = {}, height, width]", self.in_channels);
                return Err(Error::shape(&self.path, "input", expected, x.dims()).into());
            }
        }
        let x = self.bn1.forward_t(&self.conv1.forward(x)?, train)?;
        let mut x = Activation::Relu.forward(&x)?;
        if let Some(pool) = &self.pool {
            x = pool.forward(&x)?;
        }
        for block in &self.layers {
            x = block.forward_t(&x, train)?;
        }
        let means = self.mean.forward(&x)?;
        let (batch, channels, _, _) = means.dims4()?;
        self.fc.forward(&function::reshape(&means, (batch, channels))?)
    }
}

/// relu(bn2(conv2(relu(bn1(conv1(x))))) + x), with x downsampled where the shapes differ.
#[derive(Debug, Clone)]
struct BasicBlock {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    conv2: Conv2d,
    bn2: BatchNorm2d,
    downsample: Option<(Conv2d, BatchNorm2d)>,
}

impl BasicBlock {
    fn new(
        from: usize,
        to: usize,
        stride: usize,
        zero_init: bool,
        vb: VarBuilder,
    ) -> sconce_core::Result<Self> {
        let norm = |vb| BatchNorm2d::new(&BatchNormConfig::new(to), vb);
        let bn2 = vb.pp("bn2");
        if zero_init {
            // The first to ask for a parameter says how it starts.
            sconce_core::param(&bn2, to, "weight", &Init::Const(0.))?;
        }
        let downsample = (stride != 1 || from != to).then(|| {
            let vb = vb.pp("downsample");
            Ok::<_, Error>((conv(from, to, 1, stride, vb.pp("0"))?, norm(vb.pp("1"))?))
        });
        Ok(Self {
            conv1: conv(from, to, 3, stride, vb.pp("conv1"))?,
            bn1: norm(vb.pp("bn1"))?,
            conv2: conv(to, to, 3, 1, vb.pp("conv2"))?,
            bn2: norm(bn2)?,
            downsample: downsample.transpose()?,
        })
    }
}

impl ModuleT for BasicBlock {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = self.bn1.forward_t(&self.conv1.forward(x)?, train)?;
        let y = Activation::Relu.forward(&y)?;
        let y = self.bn2.forward_t(&self.conv2.forward(&y)?, train)?;
        let x = match &self.downsample {
            Some((conv, bn)) => bn.forward_t(&conv.forward(x)?, train)?,
            None => x.clone(),
        };
        Activation::Relu.forward(&(y + x)?)
    }
}

/// A convolution without bias that keeps the size, up to its stride.
fn conv(from: usize, to: usize, kernel: usize, stride: usize, vb: VarBuilder) -> sconce_core::Result<Conv2d> {
    let cfg = Conv2dConfig {
        stride: [stride; 2],
        padding: Padding::Explicit([kernel / 2; 2]),
        bias: false,
        weight_init: Some(Init::KaimingNormal {
            fan: Fan::Out,
            gain: Nonlinearity::Relu.gain(),
        }),
        ..Conv2dConfig::new(from, to, kernel)
    };
    Conv2d::new(&cfg, vb)
}

#[cfg(test)]
mod tests;
