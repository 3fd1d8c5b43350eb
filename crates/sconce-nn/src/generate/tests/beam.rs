use super::super::logits::log_softmax;
use super::*;
use proptest::prelude::*;
use sconce_testkit::Random;

/// Every sequence that decoding can give after a prompt, with its log-probability, and whether it ended.
fn all(prompt: &[u32], cfg: &DecodeConfig, vocabulary: usize, seed: u64) -> Vec<(Vec<u32>, f64, bool)> {
    let mut done = Vec::new();
    let mut open = vec![(Vec::new(), 0.)];
    for _ in 0..cfg.max_new_tokens {
        let mut next = Vec::new();
        for (tokens, log_prob) in open {
            let whole = [prompt, &tokens].concat();
            for (token, step) in log_softmax(&logits(&whole, vocabulary, seed))
                .into_iter()
                .enumerate()
            {
                let longer = [&tokens[..], &[token as u32]].concat();
                if Some(token as u32) == cfg.eos {
                    done.push((longer, log_prob + step, true));
                } else {
                    next.push((longer, log_prob + step));
                }
            }
        }
        open = next;
    }
    done.extend(
        open.into_iter()
            .map(|(tokens, log_prob)| (tokens, log_prob, false)),
    );
    done
}

/// Beam search as it is told in a sentence, without stopping early: the oracle of what a narrow search sees.
fn plainly(prompt: &[u32], cfg: &BeamConfig, vocabulary: usize, seed: u64) -> Vec<Vec<u32>> {
    let score = |log_prob: f64, length: usize| log_prob / (length as f64).powf(cfg.length_penalty);
    let mut open = vec![(Vec::new(), 0.)];
    let mut done = Vec::new();
    for _ in 0..cfg.decode.max_new_tokens {
        let mut longer = Vec::new();
        for (tokens, log_prob) in &open {
            let whole = [prompt, tokens].concat();
            for (token, step) in log_softmax(&logits(&whole, vocabulary, seed))
                .into_iter()
                .enumerate()
            {
                longer.push(([&tokens[..], &[token as u32]].concat(), log_prob + step));
            }
        }
        longer.sort_by(|a, b| b.1.total_cmp(&a.1));
        for (tokens, log_prob) in longer.iter().take(cfg.num_beams) {
            if tokens.last().copied() == cfg.decode.eos {
                done.push((tokens.clone(), score(*log_prob, tokens.len())));
            }
        }
        longer.retain(|(tokens, _)| tokens.last().copied() != cfg.decode.eos);
        longer.truncate(cfg.num_beams);
        open = longer;
    }
    done.extend(open.into_iter().map(|(tokens, log_prob)| {
        let score = score(log_prob, tokens.len());
        (tokens, score)
    }));
    done.sort_by(|a, b| b.1.total_cmp(&a.1));
    done.truncate(cfg.num_return_sequences);
    done.into_iter().map(|(tokens, _)| tokens).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// As many beams as there are sequences: the best of all, in order, by log p / lengthᵅ.
    #[test]
    fn a_wide_search_is_brute_force(
        seed in any::<u64>(), vocabulary in 1usize..4, length in 1usize..5, length_penalty in -1.0f64..2., eos in proptest::option::of(0u32..1),
    ) {
        let decode = DecodeConfig { max_new_tokens: length, eos };
        let mut expected = all(&[0], &decode, vocabulary, seed);
        let score = |(tokens, log_prob, _): &(Vec<u32>, f64, bool)| log_prob / (tokens.len() as f64).powf(length_penalty);
        expected.sort_by(|a, b| score(b).total_cmp(&score(a)));
        let cfg = BeamConfig { num_return_sequences: expected.len(), length_penalty, ..BeamConfig::new(expected.len(), decode) };
        let found = beam_search(&[vec![0]], &cfg, step(vocabulary, seed)).unwrap();
        prop_assert_eq!(found[0].len(), expected.len());
        for (found, expected) in found[0].iter().zip(&expected) {
            prop_assert_eq!(&found.tokens, &expected.0);
            prop_assert!((found.log_prob - expected.1).abs() < 1e-12 && (found.score - score(expected)).abs() < 1e-12);
            prop_assert_eq!(found.finished, expected.2);
        }
    }

    /// A narrow search gives what the plain procedure gives: stopping by the bound never changes a result, and neither does the
    /// batch or a state that is carried along.
    #[test]
    fn a_narrow_search_is_the_plain_procedure(
        seed in any::<u64>(), beams in 1usize..5, returned in 1usize..5, vocabulary in 2usize..7, length in 1usize..7,
        length_penalty in prop_oneof![Just(0.), Just(1.), -1.0f64..2.],
    ) {
        let decode = DecodeConfig { max_new_tokens: length, eos: Some(1) };
        let cfg = BeamConfig { num_return_sequences: returned.min(beams), length_penalty, ..BeamConfig::new(beams, decode) };
        let prompts = [vec![0], vec![2, 1, 0], vec![5]];
        let tokens = |found: Vec<Vec<Hypothesis>>| -> Vec<Vec<Vec<u32>>> {
            found.into_iter().map(|list| list.into_iter().map(|one| one.tokens).collect()).collect()
        };
        let found = tokens(beam_search(&prompts, &cfg, step(vocabulary, seed)).unwrap());
        let stateful = tokens(beam_search(&prompts, &cfg, stateful_step(&prompts, vocabulary, seed)).unwrap());
        prop_assert_eq!(&found, &stateful);
        for (prompt, found) in prompts.iter().zip(&found) {
            prop_assert_eq!(found, &plainly(prompt, &cfg, vocabulary, seed));
        }
    }

    /// One beam is greedy decoding, but for the search going on past a first end where that may pay.
    #[test]
    fn one_beam_is_greedy(seed in any::<u64>(), vocabulary in 1usize..7, length in 0usize..7) {
        let decode = DecodeConfig::new(length);
        let found = beam_search(&[vec![0]], &BeamConfig::new(1, decode), step(vocabulary, seed)).unwrap();
        prop_assert_eq!(&found[0][0].tokens, &greedy(&[vec![0]], &decode, step(vocabulary, seed)).unwrap()[0]);
        let ending = DecodeConfig { eos: Some(0), ..decode };
        let cfg = BeamConfig { early_stopping: true, ..BeamConfig::new(1, ending) };
        let found = beam_search(&[vec![0]], &cfg, step(vocabulary, seed)).unwrap();
        prop_assert_eq!(&found[0][0].tokens, &greedy(&[vec![0]], &ending, step(vocabulary, seed)).unwrap()[0]);
    }

    /// Any options and any logits: a result or an error.
    #[test]
    fn nothing_panics(
        shape in [0usize..4, 0usize..4], beams in 0usize..4, returned in 0usize..5, length in 0usize..4, prompts in 0usize..3,
        length_penalty in prop_oneof![Just(f64::NAN), Just(1.), -400.0f64..400.], eos in proptest::option::of(0u32..5),
        special in prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(1e308), Just(0.)],
        early_stopping in any::<bool>(), fits in any::<bool>(),
    ) {
        let decode = DecodeConfig { max_new_tokens: length, eos };
        let cfg = BeamConfig { num_beams: beams, num_return_sequences: returned, length_penalty, early_stopping, decode };
        let step = |rows: &Rows<'_>| {
            let count = if fits { rows.len() } else { shape[0] };
            let mut values = Random::new(1).normal((count, shape[1]), DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
            values.iter_mut().step_by(2).for_each(|x| *x = special);
            Tensor::from_vec(values, (count, shape[1]), &Device::Cpu)
        };
        let prompts = vec![vec![]; prompts];
        for result in [beam_search(&prompts, &cfg, step).map(|found| found.len()), greedy(&prompts, &decode, step).map(|found| found.len())] {
            match result {
                Ok(count) => prop_assert_eq!(count, prompts.len()),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}

#[test]
fn impossible_tokens_are_never_taken() {
    // Only token 1 can be written, twice; then nothing can.
    let step = |rows: &Rows<'_>| {
        let free = rows.sequences.iter().all(|row| row.len() < 3);
        let one = if free { 0. } else { f64::NEG_INFINITY };
        Tensor::new(&[[f64::NEG_INFINITY, one]], &Device::Cpu)
    };
    let cfg = |length| BeamConfig {
        num_return_sequences: 3,
        ..BeamConfig::new(3, DecodeConfig::new(length))
    };
    let found = beam_search(&[vec![0]], &cfg(2), step).unwrap();
    assert_eq!(found[0].len(), 1);
    assert_eq!(
        (found[0][0].tokens.as_slice(), found[0][0].log_prob),
        (&[1, 1][..], 0.)
    );
    assert_eq!(beam_search(&[vec![0]], &cfg(3), step).unwrap(), [vec![]]);
}

#[test]
fn nothing_is_recorded() {
    let weight = candle_core::Var::zeros((1, 4), DType::F64, &Device::Cpu).unwrap();
    let step = |_: &Rows<'_>| {
        assert!(!sconce_core::is_grad_enabled());
        weight.affine(1., 0.)
    };
    beam_search(&[vec![0]], &BeamConfig::new(1, DecodeConfig::new(2)), step).unwrap();
    greedy(&[vec![0]], &DecodeConfig::new(2), step).unwrap();
}

#[test]
fn bad_options_and_logits_are_named() {
    let base = BeamConfig::new(2, DecodeConfig::new(3));
    let message = |cfg: BeamConfig| beam_search(&[vec![0]], &cfg, step(4, 1)).unwrap_err().to_string();
    for (cfg, expected) in [
        (
            BeamConfig { num_beams: 0, ..base },
            "num_beams is 0, expected at least 1",
        ),
        (
            BeamConfig {
                num_return_sequences: 0,
                ..base
            },
            "num_return_sequences is 0, expected from 1 to num_beams = 2",
        ),
        (
            BeamConfig {
                num_return_sequences: 3,
                ..base
            },
            "num_return_sequences is 3, expected from 1 to num_beams = 2",
        ),
        (
            BeamConfig {
                length_penalty: f64::NAN,
                ..base
            },
            "length_penalty is NaN, expected a finite number",
        ),
        (
            BeamConfig {
                decode: DecodeConfig {
                    eos: Some(4),
                    ..base.decode
                },
                ..base
            },
            "eos is 4, expected below the vocabulary's size 4",
        ),
    ] {
        assert_eq!(message(cfg), format!("beam_search: {expected}"));
    }
    let given = |logits: Tensor| {
        beam_search(&[vec![0]], &base, |_| Ok(logits.clone()))
            .unwrap_err()
            .to_string()
    };
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    for shape in [&[4][..], &[2, 4], &[1, 0], &[1, 1, 4]] {
        let expected = format!("beam_search: logits has shape {shape:?}, expected [rows = 1, vocabulary]");
        assert_eq!(given(zeros(shape)), expected);
    }
    let nan = Tensor::new(&[[0f32, f32::NAN]], &Device::Cpu).unwrap();
    assert_eq!(
        given(nan),
        "beam_search: logits[1] is NaN, expected a finite number or −∞"
    );
}
