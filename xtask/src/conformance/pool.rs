//! Pooling over one to three axes of positions.

use sconce::cnn::{
    AdaptiveAvgPool, AdaptiveMaxPool, AdaptivePoolConfig, AvgPool, AvgPoolConfig, MaxPool, MaxPoolConfig,
};
use sconce::core::candle_core::{Module, Tensor};

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let x = setting.variable("x")?;
    let y = match setting.size("nd")? {
        1 => pool::<1>(setting, &x)?,
        2 => pool::<2>(setting, &x)?,
        3 => pool::<3>(setting, &x)?,
        axes => return Err(Stop::Unsupported(format!("{} over {axes} axes", setting.kind()))),
    };
    Results::of(setting, &[y], &[("x", &x)], &setting.store())
}

fn pool<const N: usize>(setting: &Setting<'_>, x: &Tensor) -> Result<Tensor, Stop> {
    let kind = setting.kind();
    if let "adaptive_avg" | "adaptive_max" = kind {
        setting.ignore(&[
            "kernel",
            "stride",
            "padding",
            "dilation",
            "ceil",
            "count_include_pad",
        ]);
        let cfg = AdaptivePoolConfig::new(setting.sizes_of::<N>("out")?);
        return Ok(match kind {
            "adaptive_avg" => AdaptiveAvgPool::new(&cfg)?.forward(x)?,
            _ => AdaptiveMaxPool::new(&cfg)?.forward(x)?,
        });
    }
    // Of adaptive pooling alone.
    setting.ignore(&["out"]);
    let (kernel, stride) = (setting.sizes_of::<N>("kernel")?, setting.sizes_of("stride")?);
    let (padding, ceil_mode) = (setting.sizes_of("padding")?, setting.flag("ceil")?);
    match kind {
        "max" => {
            setting.ignore(&["count_include_pad"]);
            let cfg = MaxPoolConfig {
                stride: Some(stride),
                padding,
                dilation: setting.sizes_of("dilation")?,
                ceil_mode,
                ..MaxPoolConfig::new(kernel)
            };
            Ok(MaxPool::new(&cfg)?.forward(x)?)
        }
        "avg" => {
            setting.ignore(&["dilation"]);
            let cfg = AvgPoolConfig {
                stride: Some(stride),
                padding,
                ceil_mode,
                count_include_pad: setting.flag("count_include_pad")?,
                divisor_override: setting.optional_size("divisor_override")?,
                ..AvgPoolConfig::new(kernel)
            };
            Ok(AvgPool::new(&cfg)?.forward(x)?)
        }
        _ => Err(Stop::kind(setting)),
    }
}
