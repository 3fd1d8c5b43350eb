//! Clipping: the norm, and the gradients after.

use sconce::core::Gradients;
use sconce::core::candle_core::{Device, Tensor};
use sconce::optim::{ClipGradNormConfig, clip_grad_norm, clip_grad_value};

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let mut named = Vec::new();
    for i in 0..setting.size("count")? {
        let name = format!("g{i}");
        let gradient = setting.tensor(&format!("in.{name}"))?;
        named.push((name, gradient));
    }
    // What is wrong with the gradients shows in them.
    setting.ignore(&["bad"]);
    let mut gradients = Gradients::from_tensors(named, [])?;
    let mut results = Results::default();
    match setting.kind() {
        "clip_grad_value" => clip_grad_value(&mut gradients, setting.number("clip_value")?)?,
        "clip_grad_norm" => {
            let infinite = setting.is_given("norm_type") && setting.optional_text("norm_type").is_ok();
            let norm_type = match infinite {
                true => f64::INFINITY,
                false => setting.optional_number("norm_type")?.unwrap_or(2.0),
            };
            let cfg = ClipGradNormConfig {
                norm_type,
                ..ClipGradNormConfig::new(setting.number("max_norm")?)
            };
            let norm = clip_grad_norm(&mut gradients, &cfg)?;
            results.add("norm", &Tensor::new(norm, &Device::Cpu)?);
        }
        _ => return Err(Stop::kind(setting)),
    }
    for (i, (_, gradient)) in gradients.iter().enumerate() {
        // A case whose gradients are not finite has none of them.
        if setting.optional_tensor(&format!("out.{i}"))?.is_some() {
            results.add(format!("out.{i}"), gradient);
        }
    }
    Ok(results)
}
