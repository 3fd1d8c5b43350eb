//! Likelihoods and divergences.

use sconce::losses::{
    GaussianNllConfig, KlDivConfig, PoissonNllConfig, Reduction, gaussian_nll, kl_div, poisson_nll,
};

use super::super::{Results, Setting, Stop};
use super::of_numbers;

pub(super) fn run(setting: &Setting<'_>, reduction: Reduction) -> Result<Results, Stop> {
    match setting.kind() {
        "kl_div" => {
            let cfg = KlDivConfig {
                log_target: setting.flag_or("log_target", false)?,
                batchmean: setting.text("reduction")? == "batchmean",
            };
            of_numbers(setting, |x, target| kl_div(x, target, &cfg, reduction))
        }
        "poisson_nll" => {
            let default = PoissonNllConfig::default();
            let cfg = PoissonNllConfig {
                log_input: setting.flag_or("log_input", default.log_input)?,
                full: setting.flag_or("full", default.full)?,
                eps: setting.optional_number("eps")?.unwrap_or(default.eps),
            };
            of_numbers(setting, |x, target| poisson_nll(x, target, &cfg, reduction))
        }
        _ => {
            let default = GaussianNllConfig::default();
            let cfg = GaussianNllConfig {
                full: setting.flag_or("full", default.full)?,
                eps: setting.optional_number("eps")?.unwrap_or(default.eps),
            };
            let [x, target, var] = ["x", "target", "var"].map(|name| setting.variable(name));
            let (x, target, var) = (x?, target?, var?);
            let loss = gaussian_nll(&x, &target, &var, &cfg, reduction)?;
            let inputs = [("x", &x), ("target", &target), ("var", &var)];
            Results::of(setting, &[loss], &inputs, &setting.store())
        }
    }
}
