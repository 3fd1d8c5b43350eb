//! Activations, softmax, embedding, linear, and dropout where nothing is random.

use sconce::core::candle_core::{Module, ModuleT};
use sconce::nn::{
    AlphaDropout, Celu, Dropout, Dropout1d, Dropout2d, Dropout3d, Elu, Embedding, EmbeddingConfig,
    FeatureAlphaDropout, Gelu, GeluForm, Glu, Hardshrink, Hardsigmoid, Hardswish, Hardtanh, LeakyRelu,
    Linear, LinearConfig, LogSigmoid, LogSoftmax, Mish, Prelu, PreluConfig, Relu, Relu6, Rrelu, RreluConfig,
    Selu, Sigmoid, Silu, Softmax, Softmax2d, Softmin, Softplus, Softshrink, Softsign, Tanh, Tanhshrink,
    Threshold,
};

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let store = setting.store();
    match setting.kind() {
        "linear" => {
            let cfg = LinearConfig {
                bias: setting.flag("bias")?,
                ..LinearConfig::new(setting.size("cin")?, setting.size("cout")?)
            };
            let layer = Linear::new(&cfg, store.builder())?;
            setting.load(&store)?;
            let x = setting.variable("x")?;
            Results::of(setting, &[layer.forward(&x)?], &[("x", &x)], &store)
        }
        "embedding" => {
            let default = EmbeddingConfig::new(setting.size("num")?, setting.size("dim")?);
            let norm_type = match setting.text("norm_type") {
                Ok("inf") => f64::INFINITY,
                _ => setting.optional_number("norm_type")?.unwrap_or(default.norm_type),
            };
            let cfg = EmbeddingConfig {
                padding_idx: setting.optional_size("padding_idx")?,
                max_norm: setting.optional_number("max_norm")?,
                norm_type,
                scale_grad_by_freq: setting.flag_or("scale_grad_by_freq", false)?,
                ..default
            };
            let layer = Embedding::new(&cfg, store.builder())?;
            setting.load(&store)?;
            Results::of(
                setting,
                &[layer.forward(&setting.tensor("in.ids")?)?],
                &[],
                &store,
            )
        }
        "prelu" => {
            let weights = setting.tensor("param.weight")?.elem_count();
            let cfg = PreluConfig {
                num_parameters: setting.optional_size("num_parameters")?.unwrap_or(weights),
                ..PreluConfig::default()
            };
            setting.ignore(&["init"]);
            let layer = Prelu::new(&cfg, store.builder())?;
            setting.load(&store)?;
            let x = setting.variable("x")?;
            Results::of(setting, &[layer.forward(&x)?], &[("x", &x)], &store)
        }
        "rrelu" => {
            let default = RreluConfig::default();
            let cfg = RreluConfig {
                lower: setting.optional_number("lower")?.unwrap_or(default.lower),
                upper: setting.optional_number("upper")?.unwrap_or(default.upper),
            };
            let train = setting.flag_or("train", false)?;
            let x = setting.variable("x")?;
            let y = Rrelu::new(&cfg)?.forward_t(&x, train)?;
            Results::of(setting, &[y], &[("x", &x)], &store)
        }
        kind if kind.contains("dropout") => {
            let layer = dropout(setting)?;
            let x = setting.variable("x")?;
            let y = layer.forward_t(&x, setting.flag_or("train", true)?)?;
            Results::of(setting, &[y], &[("x", &x)], &store)
        }
        _ => {
            let layer = activation(setting)?;
            let x = setting.variable("x")?;
            Results::of(setting, &[layer.forward(&x)?], &[("x", &x)], &store)
        }
    }
}

fn dropout(setting: &Setting<'_>) -> Result<Box<dyn ModuleT>, Stop> {
    let p = setting.number("p")?;
    Ok(match setting.kind() {
        "dropout" => Box::new(Dropout::new(p)?),
        "dropout1d" => Box::new(Dropout1d::new(p)?),
        "dropout2d" => Box::new(Dropout2d::new(p)?),
        "dropout3d" => Box::new(Dropout3d::new(p)?),
        "alpha_dropout" => Box::new(AlphaDropout::new(p)?),
        "feature_alpha_dropout" => Box::new(FeatureAlphaDropout::new(p)?),
        _ => return Err(Stop::kind(setting)),
    })
}

fn activation(setting: &Setting<'_>) -> Result<Box<dyn Module>, Stop> {
    let option = |name: &str, default: f64| -> Result<f64, Stop> {
        Ok(setting.optional_number(name)?.unwrap_or(default))
    };
    let dim =
        || -> Result<Option<isize>, Stop> { Ok(setting.optional_number("dim")?.map(|dim| dim as isize)) };
    Ok(match setting.kind() {
        "relu" => Box::new(Relu),
        "relu6" => Box::new(Relu6),
        "leaky_relu" => Box::new(LeakyRelu {
            negative_slope: option("negative_slope", LeakyRelu::default().negative_slope)?,
        }),
        "elu" => Box::new(Elu {
            alpha: option("alpha", Elu::default().alpha)?,
        }),
        "celu" => Box::new(Celu {
            alpha: option("alpha", Celu::default().alpha)?,
        }),
        "selu" => Box::new(Selu),
        "gelu" => {
            let approximate = match setting.text("approximate")? {
                "none" => GeluForm::None,
                "tanh" => GeluForm::Tanh,
                other => return Err(Stop::Unsupported(format!("gelu with approximate {other}"))),
            };
            Box::new(Gelu { approximate })
        }
        "silu" => Box::new(Silu),
        "mish" => Box::new(Mish),
        "softplus" => Box::new(Softplus {
            beta: option("beta", Softplus::default().beta)?,
            threshold: option("threshold", Softplus::default().threshold)?,
        }),
        "softsign" => Box::new(Softsign),
        "softshrink" => Box::new(Softshrink {
            lambd: option("lambd", Softshrink::default().lambd)?,
        }),
        "hardshrink" => Box::new(Hardshrink {
            lambd: option("lambd", Hardshrink::default().lambd)?,
        }),
        "hardsigmoid" => Box::new(Hardsigmoid),
        "hardswish" => Box::new(Hardswish),
        "hardtanh" => Box::new(Hardtanh {
            min_val: option("min_val", Hardtanh::default().min_val)?,
            max_val: option("max_val", Hardtanh::default().max_val)?,
        }),
        "threshold" => Box::new(Threshold {
            threshold: setting.number("threshold")?,
            value: setting.number("value")?,
        }),
        "tanh" => Box::new(Tanh),
        "tanhshrink" => Box::new(Tanhshrink),
        "sigmoid" => Box::new(Sigmoid),
        "logsigmoid" | "log_sigmoid" => Box::new(LogSigmoid),
        "softmax" => Box::new(Softmax { dim: dim()? }),
        "log_softmax" => Box::new(LogSoftmax { dim: dim()? }),
        "softmin" => Box::new(Softmin { dim: dim()? }),
        "softmax2d" => Box::new(Softmax2d),
        "glu" => Box::new(Glu {
            dim: dim()?.unwrap_or(Glu::default().dim),
        }),
        _ => return Err(Stop::kind(setting)),
    })
}
