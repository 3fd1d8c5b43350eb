//! What random transforms draw, from a generator and nothing else.

use crate::{Error, Result};
use sconce_core::Generator;

/// A number from U(lo, hi).
pub(super) fn uniform(generator: &Generator, lo: f64, hi: f64) -> f64 {
    let mut value = [0.];
    generator.fill_uniform(&mut value, lo, hi);
    let [value] = value;
    value
}

/// One of the numbers below `n`, which is at least 1.
pub(super) fn below(generator: &Generator, n: usize) -> usize {
    ((uniform(generator, 0., 1.) * n as f64) as usize).min(n.saturating_sub(1))
}

/// Whether something happens that has this probability.
pub(super) fn happens(generator: &Generator, p: f64) -> bool {
    uniform(generator, 0., 1.) < p
}

/// A number from Beta(a, a), the ratio of one gamma variable to the sum of two.
pub(super) fn beta(generator: &Generator, a: f64) -> f64 {
    // In logarithms: with a small `a` both are often too small for a float.
    let difference = ln_gamma_variable(generator, a) - ln_gamma_variable(generator, a);
    match difference.is_nan() {
        // Both at once, in the limit of a = 0.
        true => f64::from(u8::from(happens(generator, 0.5))),
        false => 1. / (1. + (-difference).exp()),
    }
}

/// The logarithm of a number from Gamma(a, 1) (Marsaglia and Tsang, "A simple method for generating gamma variables", 2000).
fn ln_gamma_variable(generator: &Generator, a: f64) -> f64 {
    let ln_uniform = || (1. - uniform(generator, 0., 1.)).ln();
    if a < 1. {
        return ln_gamma_variable(generator, a + 1.) + ln_uniform() / a;
    }
    let d = a - 1. / 3.;
    let c = 1. / (9. * d).sqrt();
    loop {
        let mut normal = [0.];
        generator.fill_normal(&mut normal, 0., 1.);
        let [x] = normal;
        let v = (1. + c * x).powi(3);
        if v > 0. && ln_uniform() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d.ln() + v.ln();
        }
    }
}

/// An option that is a probability.
pub(super) fn check_probability(p: f64) -> Result<()> {
    match (0. ..=1.).contains(&p) {
        true => Ok(()),
        false => Err(Error::config("p", p, "from 0 to 1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beta_has_its_mean_and_variance() {
        let generator = Generator::new(5);
        for a in [0.2, 1., 2., 50.] {
            let n = 20_000;
            let draws: Vec<f64> = (0..n).map(|_| beta(&generator, a)).collect();
            assert!(draws.iter().all(|x| (0. ..=1.).contains(x)));
            let mean = draws.iter().sum::<f64>() / f64::from(n);
            let variance = draws.iter().map(|x| (x - 0.5).powi(2)).sum::<f64>() / f64::from(n);
            let expected = 1. / (4. * (2. * a + 1.));
            // Five standard errors; a variance's is below √(2/n) of it for these, whose tails are no longer than normal ones.
            assert!(
                (mean - 0.5).abs() < 5. * (expected / f64::from(n)).sqrt(),
                "{a}: {mean}"
            );
            assert!(
                (variance / expected - 1.).abs() < 5. * (2. / f64::from(n)).sqrt(),
                "{a}: {variance}"
            );
        }
        // Below 0.1: of Beta(1, 1), which is uniform, and of Beta(2, 2), 3x² − 2x³.
        for (a, share) in [(1., 0.1), (2., 0.028)] {
            let n = 20_000;
            let below = (0..n).filter(|_| beta(&generator, a) < 0.1).count() as f64 / f64::from(n);
            let error = (share * (1. - share) / f64::from(n)).sqrt();
            assert!((below - share).abs() < 5. * error, "{a}: {below}");
        }
        let tiny = beta(&generator, 1e-310);
        assert!(tiny == 0. || tiny == 1.);
    }

    #[test]
    fn numbers_below_n_are_all_drawn() {
        let generator = Generator::new(2);
        let mut counts = [0u32; 3];
        (0..3000).for_each(|_| counts[below(&generator, 3)] += 1);
        // Binomial(3000, 1/3): five standard deviations are 129.
        assert!(
            counts.iter().all(|count| count.abs_diff(1000) < 129),
            "{counts:?}"
        );
        assert_eq!(below(&generator, 1), 0);
    }
}
