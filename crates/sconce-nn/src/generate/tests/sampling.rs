use super::*;
use proptest::prelude::*;

/// The filters as they are told: every token is kept or not by a rule of its own.
fn plainly(logits: &[f64], sampling: &Sampling) -> Vec<f64> {
    let n = logits.len();
    let warm: Vec<f64> = logits.iter().map(|x| (x / sampling.temperature).exp()).collect();
    let likelier = |i: usize, j: usize| warm[i] > warm[j] || warm[i] == warm[j] && i < j;
    let rank = |j: usize| (0..n).filter(|&i| likelier(i, j)).count();
    let k = sampling.top_k.unwrap_or(n);
    let in_k = |j: usize| rank(j) < k;
    let total: f64 = (0..n).filter(|&j| in_k(j)).map(|j| warm[j]).sum();
    // A token stays if those before it don't hold enough yet.
    let before = |j: usize| {
        (0..n)
            .filter(|&i| in_k(i) && likelier(i, j))
            .map(|i| warm[i] / total)
            .sum::<f64>()
    };
    let in_p = |j: usize| rank(j) == 0 || sampling.top_p.is_none_or(|p| before(j) < p);
    let kept: Vec<f64> = (0..n)
        .map(|j| if in_k(j) && in_p(j) { warm[j] } else { 0. })
        .collect();
    let total: f64 = kept.iter().sum();
    kept.iter().map(|p| p / total).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn filters_are_the_plain_ones(
        seed in any::<u64>(), n in 1usize..12, temperature in 0.3f64..3., top_k in proptest::option::of(1usize..14),
        top_p in proptest::option::of(0.01f64..0.99),
    ) {
        let mut logits = logits(&[], n, seed);
        // A tie, where there is room.
        if n > 3 {
            logits[2] = logits[0];
        }
        let sampling = Sampling { temperature, top_k, top_p };
        let (ours, expected) = (sampling.probabilities(&logits).unwrap(), plainly(&logits, &sampling));
        for (a, b) in ours.iter().zip(&expected) {
            prop_assert!((a - b).abs() < 1e-12, "{:?} {:?}", ours, expected);
        }
        // Inverse of the cumulative sum.
        let mut sum = 0.;
        for (token, p) in ours.iter().enumerate().filter(|(_, p)| **p > 1e-9) {
            prop_assert_eq!(sampling.pick(&logits, sum + p / 2.).unwrap(), token as u32);
            sum += p;
        }
    }

    #[test]
    fn nothing_panics(
        temperature in prop_oneof![Just(f64::NAN), Just(0.), Just(1e-308), Just(f64::INFINITY), -1.0f64..3.],
        top_k in proptest::option::of(0usize..4), top_p in proptest::option::of(-0.5f64..1.5),
        logits in proptest::collection::vec(prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), -1e308f64..1e308], 0..5),
        u in -0.5f64..1.5,
    ) {
        let sampling = Sampling { temperature, top_k, top_p };
        match sampling.pick(&logits, u) {
            Ok(token) => prop_assert!(logits[token as usize].is_finite() && (0. ..1.).contains(&u)),
            Err(error) => prop_assert!(error.to_string().starts_with("Sampling: "), "{}", error),
        }
    }
}

#[test]
fn bad_options_and_logits_are_named() {
    let base = Sampling::default();
    for (sampling, logits, message) in [
        (
            Sampling {
                temperature: -1.,
                ..base
            },
            &[0.][..],
            "temperature is -1, expected a finite number above 0",
        ),
        (
            Sampling {
                top_k: Some(0),
                ..base
            },
            &[0.],
            "top_k is 0, expected at least 1",
        ),
        (
            Sampling {
                top_p: Some(0.),
                ..base
            },
            &[0.],
            "top_p is 0, expected above 0 and at most 1",
        ),
        (
            Sampling {
                top_p: Some(1.1),
                ..base
            },
            &[0.],
            "top_p is 1.1",
        ),
        (base, &[0., f64::NAN], "logits[1] is NaN"),
        (
            base,
            &[f64::NEG_INFINITY; 2],
            "logits[0] is -inf, expected a finite number for at least one token",
        ),
        (base, &[], "logits[0] is -inf"),
    ] {
        let error = sampling.probabilities(logits).unwrap_err().to_string();
        assert!(error.starts_with(&format!("Sampling: {message}")), "{error}");
    }
    assert!(
        base.pick(&[0.], 1.)
            .unwrap_err()
            .to_string()
            .starts_with("Sampling: u is 1")
    );
}
