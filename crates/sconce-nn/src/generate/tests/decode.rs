use super::*;
use proptest::prelude::*;
use sconce_core::Generator;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// A batch is its prompts one by one, and a carried state gives what whole sequences give.
    #[test]
    fn greedy_takes_the_largest_logit(seed in any::<u64>(), vocabulary in 1usize..7, length in 0usize..7) {
        let cfg = DecodeConfig { max_new_tokens: length, eos: Some(0) };
        let prompts = [vec![0], vec![2, 1, 0], vec![5], vec![3]];
        let found = greedy(&prompts, &cfg, step(vocabulary, seed)).unwrap();
        prop_assert_eq!(&found, &greedy(&prompts, &cfg, stateful_step(&prompts, vocabulary, seed)).unwrap());
        for (prompt, found) in prompts.iter().zip(&found) {
            let mut expected = Vec::new();
            while expected.len() < length && expected.last() != Some(&0) {
                let logits = logits(&[&prompt[..], &expected].concat(), vocabulary, seed);
                let token = (0..vocabulary).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
                expected.push(token as u32);
            }
            prop_assert_eq!(found, &expected);
        }
    }

    /// The same seed gives the same tokens; one token of choice is greedy decoding.
    #[test]
    fn samples_are_reproducible(seed in any::<u64>(), length in 0usize..7) {
        let cfg = DecodeConfig { max_new_tokens: length, eos: Some(0) };
        let prompts = [vec![0], vec![2, 1, 0], vec![5]];
        let run = |sampling: Sampling, draw| sample(&prompts, &cfg, &sampling, &Generator::new(draw), step(6, seed)).unwrap();
        let warm = Sampling { temperature: 2., ..Sampling::default() };
        prop_assert_eq!(run(warm, 1), run(warm, 1));
        let one = Sampling { top_k: Some(1), ..Sampling::default() };
        prop_assert_eq!(run(one, 1), greedy(&prompts, &cfg, step(6, seed)).unwrap());
        let cold = Sampling { temperature: 1e-300, ..Sampling::default() };
        prop_assert_eq!(run(cold, 2), run(one, 1));
    }
}

#[test]
fn ties_go_to_the_smallest_token() {
    let step = |_: &Rows<'_>| Tensor::new(&[[0f64, 1., 1.]], &Device::Cpu);
    assert_eq!(greedy(&[vec![0]], &DecodeConfig::new(2), step).unwrap(), [[1, 1]]);
}

/// A chain's tokens come as often as their probabilities say.
#[test]
fn samples_follow_the_distribution() {
    let p = [0.5, 0.3, 0.15, 0.05];
    let logits = p.map(f64::ln);
    let step = |rows: &Rows<'_>| {
        Tensor::new(&logits, &Device::Cpu)?
            .unsqueeze(0)?
            .broadcast_as((rows.len(), 4))
    };
    let prompts = vec![vec![]; 100];
    for (sampling, expected) in [
        (Sampling::default(), p),
        (
            Sampling {
                top_k: Some(2),
                ..Sampling::default()
            },
            [0.625, 0.375, 0., 0.],
        ),
        (
            Sampling {
                top_p: Some(0.9),
                ..Sampling::default()
            },
            [0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0.],
        ),
    ] {
        let found = sample(
            &prompts,
            &DecodeConfig::new(100),
            &sampling,
            &Generator::new(4),
            step,
        )
        .unwrap();
        for (token, p) in expected.into_iter().enumerate() {
            let count = found.iter().flatten().filter(|&&t| t as usize == token).count() as f64;
            // Five standard deviations of a binomial count.
            let bound = 5. * (1e4 * p * (1. - p)).sqrt();
            assert!(
                (count - 1e4 * p).abs() <= bound,
                "{token} came {count} times, p = {p}"
            );
        }
    }
}

#[test]
fn bad_sampling_is_named_before_any_step() {
    let sampling = Sampling {
        temperature: 0.,
        ..Sampling::default()
    };
    let never = |_: &Rows<'_>| -> Result<Tensor> { panic!("asked for a step") };
    let error = sample(
        &[vec![0]],
        &DecodeConfig::new(3),
        &sampling,
        &Generator::new(1),
        never,
    )
    .unwrap_err();
    assert!(
        error.to_string().starts_with("Sampling: temperature is 0"),
        "{error}"
    );
}
