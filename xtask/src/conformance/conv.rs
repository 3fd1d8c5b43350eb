//! Convolution over two axes of positions.

use sconce::cnn::{Conv2d, Conv2dConfig, Padding, PaddingMode};
use sconce::core::candle_core::Module;

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    if setting.kind() != "conv2d" {
        return Err(Stop::kind(setting));
    }
    // Of transposed convolutions alone.
    setting.ignore(&["output_padding"]);
    let cfg = Conv2dConfig {
        stride: setting.pair("stride")?,
        padding: Padding::Explicit(setting.pair("padding")?),
        padding_mode: match setting.text("mode")? {
            "zeros" => PaddingMode::Zeros,
            "reflect" => PaddingMode::Reflect,
            "replicate" => PaddingMode::Replicate,
            "circular" => PaddingMode::Circular,
            other => return Err(Stop::Unsupported(format!("padding mode {other}"))),
        },
        dilation: setting.pair("dilation")?,
        groups: setting.size("groups")?,
        bias: setting.flag("bias")?,
        ..Conv2dConfig::new(
            setting.size("cin")?,
            setting.size("cout")?,
            setting.pair("kernel")?,
        )
    };
    let (x, store) = (setting.variable("x")?, setting.store());
    let layer = Conv2d::new(&cfg, store.builder())?;
    setting.load(&store)?;
    Results::of(setting, &[layer.forward(&x)?], &[("x", &x)], &store)
}
