//! Normalisation: batch norm of zero to two axes of positions, layer norm.

use sconce::core::candle_core::{Module, ModuleT};
use sconce::nn::{BatchNorm1d, BatchNorm2d, BatchNormConfig, LayerNorm, LayerNormConfig};

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let x = setting.variable("x")?;
    let store = setting.store();
    let y = match (setting.kind(), setting.size("nd")?) {
        ("batch_norm", axes @ 0..=2) => {
            let cfg = BatchNormConfig {
                eps: setting.number("eps")?,
                momentum: setting.optional_number("momentum")?,
                affine: setting.flag("affine")?,
                track_running_stats: setting.flag_or("track_running_stats", true)?,
                ..BatchNormConfig::new(setting.size("channels")?)
            };
            let train = setting.flag("train")?;
            if axes == 2 {
                let layer = BatchNorm2d::new(&cfg, store.builder())?;
                setting.load(&store)?;
                layer.forward_t(&x, train)?
            } else {
                let layer = BatchNorm1d::new(&cfg, store.builder())?;
                setting.load(&store)?;
                layer.forward_t(&x, train)?
            }
        }
        ("layer_norm", _) => {
            setting.ignore(&["channels", "train"]);
            let cfg = LayerNormConfig {
                eps: setting.number("eps")?,
                elementwise_affine: setting.flag("affine")?,
                bias: setting.flag_or("bias", true)?,
                ..LayerNormConfig::new(setting.sizes("normalized_shape")?)
            };
            let layer = LayerNorm::new(&cfg, store.builder())?;
            setting.load(&store)?;
            layer.forward(&x)?
        }
        ("batch_norm", axes) => {
            return Err(Stop::Unsupported(format!("batch_norm with {axes} spatial axes")));
        }
        _ => return Err(Stop::kind(setting)),
    };
    Results::of(setting, &[y], &[("x", &x)], &store)
}
