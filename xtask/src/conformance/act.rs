//! Activations, softmax, embedding, linear.

use sconce::core::candle_core::Module;
use sconce::nn::{
    Elu, Embedding, EmbeddingConfig, Gelu, GeluForm, LeakyRelu, Linear, LinearConfig, Relu, Sigmoid, Silu,
    Softplus, Tanh, log_softmax, softmax,
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
            let cfg = EmbeddingConfig {
                padding_idx: setting.optional_size("padding_idx")?,
                ..EmbeddingConfig::new(setting.size("num")?, setting.size("dim")?)
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
        "softmax" | "log_softmax" => {
            let x = setting.variable("x")?;
            let dim = x.normalize_axis(setting.number("dim")? as i64)?;
            let along = if setting.kind() == "softmax" {
                softmax
            } else {
                log_softmax
            };
            Results::of(setting, &[along(&x, dim)?], &[("x", &x)], &store)
        }
        _ => {
            let layer = activation(setting)?;
            let x = setting.variable("x")?;
            Results::of(setting, &[layer.forward(&x)?], &[("x", &x)], &store)
        }
    }
}

fn activation(setting: &Setting<'_>) -> Result<Box<dyn Module>, Stop> {
    Ok(match setting.kind() {
        "relu" => Box::new(Relu),
        "leaky_relu" => Box::new(LeakyRelu {
            negative_slope: setting.number("negative_slope")?,
        }),
        "elu" => Box::new(Elu {
            alpha: setting.number("alpha")?,
        }),
        "gelu" => {
            let approximate = match setting.text("approximate")? {
                "none" => GeluForm::None,
                "tanh" => GeluForm::Tanh,
                other => return Err(Stop::Unsupported(format!("gelu with approximate {other}"))),
            };
            Box::new(Gelu { approximate })
        }
        "silu" => Box::new(Silu),
        "softplus" => Box::new(Softplus {
            beta: setting.number("beta")?,
            threshold: setting.number("threshold")?,
        }),
        "tanh" => Box::new(Tanh),
        "sigmoid" => Box::new(Sigmoid),
        _ => return Err(Stop::kind(setting)),
    })
}
