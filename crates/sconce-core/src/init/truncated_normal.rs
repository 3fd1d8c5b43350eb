//! Normal numbers between two cuts.

use crate::random::Generator;

/// By inversion: a uniform number between the cuts' probabilities, through the normal quantile function.
pub(super) fn fill(values: &mut [f64], generator: &Generator, mean: f64, std: f64, lo: f64, hi: f64) {
    if lo > mean {
        // Near 1 probabilities lie too far apart: the lower tail, mirrored, has them near 0.
        fill(values, generator, mean, std, 2. * mean - hi, 2. * mean - lo);
        for value in values {
            *value = (2. * mean - *value).clamp(lo, hi);
        }
        return;
    }
    let [from, to] = [lo, hi].map(|cut| normal_cdf((cut - mean) / std));
    generator.fill_uniform(values, from, to);
    for value in values {
        *value = (mean + std * normal_quantile(*value)).clamp(lo, hi);
    }
}

fn normal_cdf(x: f64) -> f64 {
    0.5 * (1. + sconce_kernels::math::erf_f64(x / 2f64.sqrt()))
}

/// The inverse of [`normal_cdf`]: Abramowitz and Stegun 26.2.23 (error below 4.5e-4), then Newton's steps.
fn normal_quantile(p: f64) -> f64 {
    if p <= 0. || p >= 1. {
        return if p <= 0. { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let tail = p.min(1. - p);
    let t = (-2. * tail.ln()).sqrt();
    let size = t
        - (2.515517 + t * (0.802853 + t * 0.010328)) / (1. + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    let mut x = if p < 0.5 { -size } else { size };
    for _ in 0..3 {
        let density = (-0.5 * x * x).exp() / (2. * std::f64::consts::PI).sqrt();
        x -= (normal_cdf(x) - p) / density.max(f64::MIN_POSITIVE);
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantile_inverts_the_distribution() {
        for x in [-6., -2.5, -1., -0.1, 0., 0.3, 1.7, 4.] {
            assert!((normal_quantile(normal_cdf(x)) - x).abs() < 1e-6, "{x}");
        }
    }
}
