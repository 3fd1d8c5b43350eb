//! Whole networks for images.

use sconce::cnn::{ResNet, ResNetConfig, Stem, UNet, UNetConfig};
use sconce::core::candle_core::ModuleT;

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let (x, store) = (setting.variable("x")?, setting.store());
    let train = setting.flag("train")?;
    let net: Box<dyn ModuleT> = match setting.kind() {
        "resnet18" => {
            let cfg = ResNetConfig {
                width: setting.size("width")?,
                stem: match setting.text("stem")? {
                    "large" => Stem::Large,
                    "small" => Stem::Small,
                    other => return Err(Stop::Unsupported(format!("stem {other}"))),
                },
                ..ResNetConfig::new(setting.size("classes")?)
            };
            Box::new(ResNet::new(&cfg, store.builder())?)
        }
        "unet" => {
            let cfg = UNetConfig {
                width: setting.size("width")?,
                depth: setting.size("depth")?,
                bilinear: setting.flag("bilinear")?,
                ..UNetConfig::new(setting.size("channels")?, setting.size("classes")?)
            };
            Box::new(UNet::new(&cfg, store.builder())?)
        }
        _ => return Err(Stop::kind(setting)),
    };
    setting.load(&store)?;
    Results::of(setting, &[net.forward_t(&x, train)?], &[("x", &x)], &store)
}
