//! Pooling over two axes of positions.

use sconce::cnn::{AvgPool2d, AvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use sconce::core::candle_core::Module;

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let axes = setting.size("nd")?;
    if axes != 2 {
        return Err(Stop::Unsupported(format!(
            "{} pooling over {axes} axes",
            setting.kind()
        )));
    }
    // Of adaptive pooling alone.
    setting.ignore(&["out"]);
    let (kernel, stride) = (setting.pair("kernel")?, setting.pair("stride")?);
    let (padding, ceil_mode) = (setting.pair("padding")?, setting.flag("ceil")?);
    let (x, store) = (setting.variable("x")?, setting.store());
    let y = match setting.kind() {
        "max" => {
            setting.ignore(&["count_include_pad"]);
            let dilation = setting.pair("dilation")?;
            let cfg = MaxPool2dConfig {
                stride: Some(stride),
                padding,
                dilation,
                ceil_mode,
                ..MaxPool2dConfig::new(kernel)
            };
            MaxPool2d::new(&cfg)?.forward(&x)?
        }
        "avg" => {
            setting.ignore(&["dilation"]);
            let cfg = AvgPool2dConfig {
                stride: Some(stride),
                padding,
                ceil_mode,
                count_include_pad: setting.flag("count_include_pad")?,
                ..AvgPool2dConfig::new(kernel)
            };
            AvgPool2d::new(&cfg)?.forward(&x)?
        }
        _ => return Err(Stop::kind(setting)),
    };
    Results::of(setting, &[y], &[("x", &x)], &store)
}
