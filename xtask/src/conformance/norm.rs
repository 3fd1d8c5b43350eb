//! Normalisation: batch, instance, group, layer and root mean square norms.

use sconce::core::candle_core::{Module, ModuleT, Tensor};
use sconce::core::{ParamStore, candle_nn::VarBuilder};
use sconce::nn::{
    BatchNorm1d, BatchNorm2d, BatchNorm3d, BatchNormConfig, GroupNorm, GroupNormConfig, InstanceNorm1d,
    InstanceNorm2d, InstanceNorm3d, InstanceNormConfig, LayerNorm, LayerNormConfig, RmsNorm, RmsNormConfig,
};

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let x = setting.variable("x")?;
    let store = setting.store();
    let y = match setting.kind() {
        "batch_norm" | "instance_norm" => {
            let layer = channel_norm(setting, store.builder())?;
            setting.load(&store)?;
            layer.forward_t(&x, setting.flag("train")?)?
        }
        _ => row_norm(setting, &store, &x)?,
    };
    Results::of(setting, &[y], &[("x", &x)], &store)
}

/// A norm that may keep running statistics.
fn channel_norm(setting: &Setting<'_>, vb: VarBuilder<'_>) -> Result<Box<dyn ModuleT>, Stop> {
    let (axes, channels) = (setting.size("nd")?, setting.size("channels")?);
    let (eps, momentum) = (setting.number("eps")?, setting.optional_number("momentum")?);
    let affine = setting.flag("affine")?;
    let unsupported = || Stop::Unsupported(format!("{} with {axes} spatial axes", setting.kind()));
    if setting.kind() == "batch_norm" {
        let cfg = BatchNormConfig {
            eps,
            momentum,
            affine,
            track_running_stats: setting.flag_or("track_running_stats", true)?,
            ..BatchNormConfig::new(channels)
        };
        return Ok(match axes {
            0 | 1 => Box::new(BatchNorm1d::new(&cfg, vb)?),
            2 => Box::new(BatchNorm2d::new(&cfg, vb)?),
            3 => Box::new(BatchNorm3d::new(&cfg, vb)?),
            _ => return Err(unsupported()),
        });
    }
    let cfg = InstanceNormConfig {
        eps,
        momentum,
        affine,
        track_running_stats: setting.flag_or("track_running_stats", false)?,
        ..InstanceNormConfig::new(channels)
    };
    Ok(match axes {
        1 => Box::new(InstanceNorm1d::new(&cfg, vb)?),
        2 => Box::new(InstanceNorm2d::new(&cfg, vb)?),
        3 => Box::new(InstanceNorm3d::new(&cfg, vb)?),
        _ => return Err(unsupported()),
    })
}

/// A norm without state.
fn row_norm(setting: &Setting<'_>, store: &ParamStore, x: &Tensor) -> Result<Tensor, Stop> {
    setting.ignore(&["nd", "channels", "train"]);
    let affine = setting.flag_or("affine", true)?;
    let layer: Box<dyn Module> = match setting.kind() {
        "layer_norm" => {
            let cfg = LayerNormConfig {
                eps: setting.number("eps")?,
                elementwise_affine: affine,
                bias: setting.flag_or("bias", true)?,
                ..LayerNormConfig::new(setting.sizes("normalized_shape")?)
            };
            Box::new(LayerNorm::new(&cfg, store.builder())?)
        }
        "group_norm" => {
            let cfg = GroupNormConfig {
                eps: setting.number("eps")?,
                affine,
                ..GroupNormConfig::new(setting.size("groups")?, setting.size("channels")?)
            };
            Box::new(GroupNorm::new(&cfg, store.builder())?)
        }
        "rms_norm" => {
            let cfg = RmsNormConfig {
                eps: setting.optional_number("eps")?,
                elementwise_affine: affine,
                ..RmsNormConfig::new(setting.sizes("normalized_shape")?)
            };
            Box::new(RmsNorm::new(&cfg, store.builder())?)
        }
        _ => return Err(Stop::kind(setting)),
    };
    setting.load(store)?;
    Ok(layer.forward(x)?)
}
