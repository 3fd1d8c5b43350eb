//! Losses of how near embeddings are.

use sconce::core::candle_core::{self, Tensor, Var};
use sconce::losses::{
    InfoNceConfig, Reduction, TripletMarginConfig, cosine_embedding, hinge_embedding, info_nce,
    margin_ranking, nt_xent, triplet_margin, triplet_margin_with_distance,
};

use super::super::{Results, Setting, Stop};
use super::of_classes;

pub(super) fn run(setting: &Setting<'_>, reduction: Reduction) -> Result<Results, Stop> {
    let margin = |default: f64| Ok::<_, Stop>(setting.optional_number("margin")?.unwrap_or(default));
    match setting.kind() {
        "hinge_embedding" => {
            let margin = margin(1.)?;
            of_classes(setting, |x, target| hinge_embedding(x, target, margin, reduction))
        }
        "margin_ranking" => {
            let (margin, target) = (margin(0.)?, setting.tensor("in.target")?);
            of(setting, ["a", "b"], |[a, b]| {
                margin_ranking(a, b, &target, margin, reduction)
            })
        }
        "cosine_embedding" => {
            let (margin, target) = (margin(0.)?, setting.tensor("in.target")?);
            of(setting, ["a", "b"], |[a, b]| {
                cosine_embedding(a, b, &target, margin, reduction)
            })
        }
        "triplet" => {
            let default = TripletMarginConfig::default();
            let cfg = TripletMarginConfig {
                margin: margin(default.margin)?,
                // JSON has no infinity.
                p: match setting.optional_text("p") {
                    Ok(Some("inf")) => f64::INFINITY,
                    _ => setting.optional_number("p")?.unwrap_or(default.p),
                },
                eps: setting.optional_number("eps")?.unwrap_or(default.eps),
                swap: setting.flag_or("swap", default.swap)?,
            };
            of(setting, ["a", "p", "n"], |[a, p, n]| {
                triplet_margin(a, p, n, &cfg, reduction)
            })
        }
        "triplet_with_distance" => {
            let (margin, swap) = (setting.number("margin")?, setting.flag("swap")?);
            let squared = |x: &Tensor, y: &Tensor| (x - y)?.sqr()?.sum(candle_core::D::Minus1);
            of(setting, ["a", "p", "n"], |[a, p, n]| {
                triplet_margin_with_distance(a, p, n, squared, margin, swap, reduction)
            })
        }
        "info_nce" => {
            let temperature = setting.number("temperature")?;
            if setting.optional_tensor("in.negatives")?.is_none() {
                let cfg = InfoNceConfig {
                    temperature,
                    negatives: None,
                };
                return of(setting, ["a", "b"], |[a, b]| info_nce(a, b, &cfg, reduction));
            }
            of(setting, ["a", "b", "negatives"], |[a, b, negatives]| {
                let negatives = Some(negatives.as_tensor().clone());
                let cfg = InfoNceConfig {
                    temperature,
                    negatives,
                };
                info_nce(a, b, &cfg, reduction)
            })
        }
        "nt_xent" => {
            let temperature = setting.number("temperature")?;
            of(setting, ["a", "b"], |[a, b]| {
                nt_xent(a, b, temperature, reduction)
            })
        }
        _ => Err(Stop::kind(setting)),
    }
}

/// The results of a loss of these inputs, all of which take a gradient.
fn of<const N: usize>(
    setting: &Setting<'_>,
    names: [&str; N],
    loss: impl FnOnce([&Var; N]) -> candle_core::Result<Tensor>,
) -> Result<Results, Stop> {
    let inputs = names
        .iter()
        .map(|name| setting.variable(name))
        .collect::<Result<Vec<_>, _>>()?;
    let inputs: [Var; N] = inputs
        .try_into()
        .map_err(|_| Stop::Failed("as many variables as names".to_owned()))?;
    let loss = loss(inputs.each_ref())?;
    let named: Vec<_> = names.into_iter().zip(&inputs).collect();
    Results::of(setting, &[loss], &named, &setting.store())
}
