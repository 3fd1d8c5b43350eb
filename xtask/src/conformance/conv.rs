//! Convolution and transposed convolution over one to three axes of positions.

use sconce::cnn::{Conv, ConvConfig, ConvTranspose, ConvTransposeConfig, Padding, PaddingMode};
use sconce::core::candle_core::Module;

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    match setting.kind() {
        "conv1d" => conv::<1>(setting),
        "conv2d" => conv::<2>(setting),
        "conv3d" => conv::<3>(setting),
        "conv_transpose1d" => transposed::<1>(setting),
        "conv_transpose2d" => transposed::<2>(setting),
        "conv_transpose3d" => transposed::<3>(setting),
        _ => Err(Stop::kind(setting)),
    }
}

fn conv<const N: usize>(setting: &Setting<'_>) -> Result<Results, Stop> {
    // Of transposed convolutions alone.
    setting.ignore(&["output_padding"]);
    let padding = setting.sizes_of::<N>("padding")?;
    let cfg = ConvConfig {
        stride: setting.sizes_of("stride")?,
        padding: match setting.optional_text("padding_name")? {
            None => Padding::Explicit(padding),
            Some("same") => Padding::Same,
            Some("valid") => Padding::Valid,
            Some(other) => return Err(Stop::Unsupported(format!("padding {other}"))),
        },
        padding_mode: match setting.text("mode")? {
            "zeros" => PaddingMode::Zeros,
            "reflect" => PaddingMode::Reflect,
            "replicate" => PaddingMode::Replicate,
            "circular" => PaddingMode::Circular,
            other => return Err(Stop::Unsupported(format!("padding mode {other}"))),
        },
        dilation: setting.sizes_of("dilation")?,
        groups: setting.size("groups")?,
        bias: setting.flag("bias")?,
        ..ConvConfig::new(
            setting.size("cin")?,
            setting.size("cout")?,
            setting.sizes_of::<N>("kernel")?,
        )
    };
    let (x, store) = (setting.variable("x")?, setting.store());
    let layer = Conv::new(&cfg, store.builder())?;
    setting.load(&store)?;
    Results::of(setting, &[layer.forward(&x)?], &[("x", &x)], &store)
}

fn transposed<const N: usize>(setting: &Setting<'_>) -> Result<Results, Stop> {
    match setting.text("mode")? {
        "zeros" => {}
        other => return Err(Stop::Unsupported(format!("padding mode {other}"))),
    }
    let cfg = ConvTransposeConfig {
        stride: setting.sizes_of("stride")?,
        padding: setting.sizes_of("padding")?,
        output_padding: setting.sizes_of("output_padding")?,
        dilation: setting.sizes_of("dilation")?,
        groups: setting.size("groups")?,
        bias: setting.flag("bias")?,
        ..ConvTransposeConfig::new(
            setting.size("cin")?,
            setting.size("cout")?,
            setting.sizes_of::<N>("kernel")?,
        )
    };
    let (x, store) = (setting.variable("x")?, setting.store());
    let layer = ConvTranspose::new(&cfg, store.builder())?;
    setting.load(&store)?;
    Results::of(setting, &[layer.forward(&x)?], &[("x", &x)], &store)
}
