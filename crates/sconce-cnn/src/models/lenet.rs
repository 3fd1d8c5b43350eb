//! LeNet-5.

use crate::{AvgPool2d, AvgPool2dConfig, Conv2d, Conv2dConfig, MaxPool2d, MaxPool2dConfig};
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_core::{Error, Init, function, layer_path};
use sconce_nn::{Activation, Linear, LinearConfig};

/// Side of the images.
const SIDE: usize = 28;

/// Classes of any network that fits into memory; more would be mistakes whose products overflow.
const MOST: usize = 1 << 24;

/// Options of [`LeNet`].
#[derive(Debug, Clone, PartialEq)]
pub struct LeNetConfig {
    /// Numbers that come out.
    pub classes: usize,
    /// What follows every layer but the last.
    pub activation: Activation,
    /// What halves the image's sides.
    pub pooling: Pooling,
    /// How all weights start; PyTorch's default if `None`.
    pub weight_init: Option<Init>,
    /// How all biases start; PyTorch's default if `None`.
    pub bias_init: Option<Init>,
}

/// What halves the image's sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// [`MaxPool2d`]
    Max,
    /// [`AvgPool2d`]
    Avg,
}

impl LeNetConfig {
    /// Sigmoids and maximum pooling.
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            activation: Activation::Sigmoid,
            pooling: Pooling::Max,
            weight_init: None,
            bias_init: None,
        }
    }
}

/// LeNet-5: two convolutions, each pooled, and three fully connected layers.
///
/// 1×28×28 → conv 6@5×5 → 6×24×24 → pool → 6×12×12 → conv 16@5×5 → 16×8×8 → pool → 16×4×4 = 256 → 120 → 84 → classes, with
/// the activation after both convolutions and the first two linear layers.
///
/// # Shapes
/// input `[batch, 1, 28, 28]`, output `[batch, classes]`: logits
/// # Parameters
/// `conv1.weight`, `conv1.bias`, and so `conv2`, `fc1`, `fc2`, `fc3`
/// # Errors
/// `new`: `classes` is 0. `forward`: another shape, or another dtype than the parameters'.
/// # Source
/// LeCun et al., "Gradient-based learning applied to document recognition", 1998, without its sparse connections and radial
/// basis functions, as it is taught
/// # Example
/// ```
/// use sconce_core::{Init, ParamStore, candle_core::{DType, Device, Module, Tensor}};
/// use sconce_cnn::{LeNet, LeNetConfig};
/// let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(1);
/// let cfg = LeNetConfig {
///     weight_init: Some(Init::XavierUniform { gain: 1. }),
///     bias_init: Some(Init::Const(0.)),
///     ..LeNetConfig::new(10)
/// };
/// let net = LeNet::new(&cfg, store.builder())?;
/// let x = Tensor::zeros((3, 1, 28, 28), DType::F32, &Device::Cpu)?;
/// assert_eq!(net.forward(&x)?.dims(), [3, 10]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LeNet {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
    pool: Pool,
    activation: Activation,
    path: String,
}

#[derive(Debug, Clone)]
enum Pool {
    Max(MaxPool2d),
    Avg(AvgPool2d),
}

impl Module for Pool {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Max(pool) => pool.forward(x),
            Self::Avg(pool) => pool.forward(x),
        }
    }
}

impl LeNet {
    /// The network whose parameters stand at `vb`.
    pub fn new(cfg: &LeNetConfig, vb: VarBuilder) -> sconce_core::Result<Self> {
        let path = layer_path(&vb, "LeNet");
        if cfg.classes == 0 {
            return Err(Error::config(path, "classes", 0, "at least 1"));
        }
        if cfg.classes > MOST {
            let expected = format!("at most {MOST}");
            return Err(Error::config(path, "classes", cfg.classes, expected));
        }
        let conv = |from, to, name| {
            let conv = Conv2dConfig {
                activation: Some(cfg.activation),
                weight_init: cfg.weight_init,
                bias_init: cfg.bias_init,
                ..Conv2dConfig::new(from, to, 5)
            };
            Conv2d::new(&conv, vb.pp(name))
        };
        let linear = |from, to, name| {
            let linear = LinearConfig {
                weight_init: cfg.weight_init,
                bias_init: cfg.bias_init,
                ..LinearConfig::new(from, to)
            };
            Linear::new(&linear, vb.pp(name))
        };
        Ok(Self {
            conv1: conv(1, 6, "conv1")?,
            conv2: conv(6, 16, "conv2")?,
            fc1: linear(16 * 4 * 4, 120, "fc1")?,
            fc2: linear(120, 84, "fc2")?,
            fc3: linear(84, cfg.classes, "fc3")?,
            pool: match cfg.pooling {
                Pooling::Max => Pool::Max(MaxPool2d::new(&MaxPool2dConfig::new(2))?),
                Pooling::Avg => Pool::Avg(AvgPool2d::new(&AvgPool2dConfig::new(2))?),
            },
            activation: cfg.activation,
            path,
        })
    }
}

impl Module for LeNet {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let &[batch, 1, SIDE, SIDE] = x.dims() else {
            return Err(Error::shape(&self.path, "input", "[batch, 1, 28, 28]", x.dims()).into());
        };
        let x = self.pool.forward(&self.conv1.forward(x)?)?;
        let x = self.pool.forward(&self.conv2.forward(&x)?)?;
        let x = function::reshape(&x, (batch, 16 * 4 * 4))?;
        let x = self.activation.forward(&self.fc1.forward(&x)?)?;
        let x = self.activation.forward(&self.fc2.forward(&x)?)?;
        self.fc3.forward(&x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use sconce_core::{ParamStore, Parameters, backward, graph};
    use sconce_testkit::{GradCheck, Random};

    type Check = std::result::Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn names_and_shapes_are_the_papers() -> Check {
        let store = ParamStore::new(DType::F32, &Device::Cpu);
        LeNet::new(&LeNetConfig::new(10), store.builder())?;
        let parameters = store.named_parameters();
        let names: Vec<&str> = parameters.iter().map(|(name, _)| name.as_str()).collect();
        let layers = ["conv1", "conv2", "fc1", "fc2", "fc3"];
        let expected: Vec<String> = layers
            .iter()
            .flat_map(|l| [format!("{l}.weight"), format!("{l}.bias")])
            .collect();
        assert_eq!(names, expected);
        assert_eq!(store.num_parameters(), 156 + 2416 + 30_840 + 10_164 + 850);
        Ok(())
    }

    #[test]
    fn gradients() -> Check {
        for (activation, pooling) in [
            (Activation::Sigmoid, Pooling::Max),
            (Activation::Tanh, Pooling::Avg),
        ] {
            let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
            let net = LeNet::new(
                &LeNetConfig {
                    activation,
                    pooling,
                    ..LeNetConfig::new(3)
                },
                store.builder(),
            )?;
            let x = Random::new(1).normal((2, 1, 28, 28), DType::F64)?;
            let check = GradCheck {
                max_elements: 12,
                ..GradCheck::default()
            };
            check.check(&[("x", &x)], &store.named_parameters(), |x| net.forward(&x[0]))?;
        }
        Ok(())
    }

    #[test]
    fn each_convolution_is_one_node_with_its_activation() -> Check {
        let store = ParamStore::new(DType::F32, &Device::Cpu);
        let net = LeNet::new(&LeNetConfig::new(10), store.builder())?;
        let x = Tensor::zeros((2, 1, 28, 28), DType::F32, &Device::Cpu)?;
        let (y, graph) = graph::record(|| net.forward(&x));
        let nodes: Vec<&str> = graph.operations().take(5).collect();
        assert_eq!(nodes, ["conv2d", "max_pool2d", "conv2d", "max_pool2d", "reshape"]);
        assert!(backward(&y?.sum_all()?, &store)?.missing().is_empty());
        Ok(())
    }

    #[test]
    fn other_images_are_named() -> Check {
        let store = ParamStore::new(DType::F32, &Device::Cpu);
        let net = LeNet::new(&LeNetConfig::new(10), store.builder().pp("net"))?;
        let error = net
            .forward(&Tensor::zeros((2, 28, 28), DType::F32, &Device::Cpu)?)
            .err()
            .ok_or("accepted")?;
        let message = "net (LeNet): input has shape [2, 28, 28], expected [batch, 1, 28, 28]";
        assert_eq!(Error::from(error).to_string(), message);
        let error = LeNet::new(&LeNetConfig::new(0), store.builder())
            .err()
            .ok_or("accepted")?;
        assert_eq!(error.to_string(), "LeNet: classes is 0, expected at least 1");
        Ok(())
    }
}
