use super::*;
use crate::{GenerateConfig, Sampling, generate};
use candle_core::{DType, Device};
use sconce_core::{Generator, ParamStore};
use sconce_testkit::{GradCheck, Random};

fn small() -> GptConfig {
    GptConfig {
        n_positions: 9,
        n_embd: 8,
        n_layer: 2,
        n_head: 2,
        initializer_range: 0.3,
        ..GptConfig::new(7)
    }
}

fn ids(batch: usize, length: usize) -> Tensor {
    Random::new(5).indices((batch, length), 7).unwrap()
}

#[test]
fn steps_give_the_logits_of_the_whole_sequence() {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let gpt = Gpt::new(&small(), store.builder()).unwrap();
    let ids = ids(3, 9);
    let whole = gpt.forward_t(&ids, false).unwrap();
    let mut cache = gpt.cache();
    let mut first = 0;
    for length in [4, 1, 1, 3] {
        let logits = gpt
            .step(&ids.narrow(1, first, length).unwrap(), &mut cache)
            .unwrap();
        let expected = whole.narrow(1, first, length).unwrap();
        let difference = (logits - expected).unwrap().abs().unwrap().flatten_all().unwrap();
        assert!(difference.max(0).unwrap().to_scalar::<f64>().unwrap() < 1e-13);
        first += length;
        assert_eq!(cache.len(), first);
    }
    let error = Error::from(gpt.step(&ids, &mut cache).unwrap_err()).to_string();
    assert!(
        error.contains("length at most 0, what n_positions = 9 leaves"),
        "{error}"
    );
    let error = Error::from(gpt.step(&ids, &mut KvCache::new(3)).unwrap_err()).to_string();
    assert!(
        error.contains("cache's layers is 3, expected 2, one a layer"),
        "{error}"
    );
}

#[test]
fn greedy_generation_is_the_argmax_of_the_whole_sequence_each_time() {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(2);
    let gpt = Gpt::new(&small(), store.builder()).unwrap();
    let step = |ids: &Tensor, cache: &mut KvCache| gpt.step(ids, cache);
    let prompt = ids(2, 3);
    let cfg = GenerateConfig::new(6);
    let with_cache = generate(&prompt, &cfg, &mut gpt.cache(), None, step).unwrap();
    let mut sequence = prompt.clone();
    for _ in 0..6 {
        let logits = gpt.forward_t(&sequence, false).unwrap();
        let last = logits.narrow(1, sequence.dim(1).unwrap() - 1, 1).unwrap();
        let next = last
            .argmax(candle_core::D::Minus1)
            .unwrap()
            .to_dtype(DType::I64)
            .unwrap();
        sequence = Tensor::cat(&[sequence, next], 1).unwrap();
    }
    let rows = |t: &Tensor| t.to_vec2::<i64>().unwrap();
    assert_eq!(rows(&with_cache), rows(&sequence));

    // The first row's second new token ends it; the rest of the row is that token.
    let eos = rows(&sequence)[0][4];
    let cfg = GenerateConfig {
        eos_token_id: Some(eos as u32),
        ..cfg
    };
    let ended = rows(&generate(&prompt, &cfg, &mut gpt.cache(), None, step).unwrap());
    let place = rows(&sequence)[0]
        .iter()
        .skip(3)
        .position(|id| *id == eos)
        .unwrap()
        + 3;
    assert_eq!(ended[0][..=place], rows(&sequence)[0][..=place]);
    assert!(ended[0][place..].iter().all(|id| *id == eos));
}

#[test]
fn sampled_generation_repeats_with_its_seed() {
    let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(2);
    let gpt = Gpt::new(&small(), store.builder()).unwrap();
    let cfg = GenerateConfig {
        sampling: Sampling::Random {
            temperature: 2.,
            top_k: None,
            top_p: None,
        },
        ..GenerateConfig::new(6)
    };
    let draw = |seed| {
        let step = |ids: &Tensor, cache: &mut KvCache| gpt.step(ids, cache);
        let ids = generate(
            &ids(3, 2),
            &cfg,
            &mut gpt.cache(),
            Some(&Generator::new(seed)),
            step,
        );
        ids.unwrap().to_vec2::<i64>().unwrap()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn a_cache_goes_on_with_chosen_rows() {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let gpt = Gpt::new(&small(), store.builder()).unwrap();
    let ids = ids(2, 4);
    let mut cache = gpt.cache();
    gpt.step(&ids.narrow(1, 0, 3).unwrap(), &mut cache).unwrap();
    let rows = Tensor::new(&[1u32, 1, 0], &Device::Cpu).unwrap();
    let mut chosen = cache.select(&rows).unwrap();
    let next = ids.index_select(&rows, 0).unwrap().narrow(1, 3, 1).unwrap();
    let ours = gpt.step(&next, &mut chosen).unwrap().to_vec3::<f64>().unwrap();
    let all = gpt
        .step(&ids.narrow(1, 3, 1).unwrap(), &mut cache)
        .unwrap()
        .to_vec3::<f64>()
        .unwrap();
    for (row, from) in [(0, 1), (1, 1), (2, 0)] {
        for (a, b) in ours[row][0].iter().zip(&all[from][0]) {
            assert!((a - b).abs() < 1e-13);
        }
    }
    let error = cache
        .select(&Tensor::new(&[0u32, 2], &Device::Cpu).unwrap())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "KvCache: rows[1] is 2, expected below the batch of 2"
    );
}

#[test]
fn gradients() {
    for tie_word_embeddings in [true, false] {
        let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
        let cfg = GptConfig {
            tie_word_embeddings,
            n_positions: 4,
            ..small()
        };
        let gpt = Gpt::new(&cfg, store.builder()).unwrap();
        let ids = ids(2, 4);
        let check = GradCheck {
            max_elements: 24,
            ..GradCheck::default()
        };
        use sconce_core::Parameters;
        check.assert(&[], &store.named_parameters(), |_: &[Tensor]| {
            gpt.forward_t(&ids, false)
        });
    }
}

#[test]
fn names_are_found_with_and_without_prefix() {
    let store = ParamStore::new(DType::F32, &Device::Cpu).seeded(1);
    let gpt = Gpt::new(&small(), store.builder()).unwrap();
    let summary = store.summary();
    for name in [
        "transformer.wte.weight",
        "transformer.h.1.attn.c_attn.weight",
        "transformer.ln_f.bias",
    ] {
        assert!(summary.contains(name), "{summary}");
    }
    assert!(!summary.contains("lm_head"));
    let bare = sconce_core::Parameters::named_tensors(&store)
        .into_iter()
        .map(|(name, var)| {
            (
                name.trim_start_matches("transformer.").to_owned(),
                var.as_tensor().clone(),
            )
        })
        .collect();
    let vb = VarBuilder::from_tensors(bare, DType::F32, &Device::Cpu);
    let other = Gpt::new(&small(), vb).unwrap();
    let ids = ids(1, 5);
    let values = |gpt: &Gpt| gpt.forward_t(&ids, false).unwrap().to_vec3::<f32>().unwrap();
    assert_eq!(values(&gpt), values(&other));
}

#[test]
fn what_does_not_fit_is_named() {
    let build = |cfg: GptConfig| {
        let store = ParamStore::new(DType::F32, &Device::Cpu);
        Gpt::new(&cfg, store.builder().pp("gpt"))
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let table = [
        (
            build(GptConfig { n_head: 3, ..small() }),
            "gpt (Gpt): n_embd is 8, expected a multiple of n_head = 3",
        ),
        (
            build(GptConfig {
                vocab_size: 0,
                ..small()
            }),
            "vocab_size is 0",
        ),
        (
            build(GptConfig {
                n_inner: Some(0),
                ..small()
            }),
            "n_inner is 0",
        ),
        (
            build(GptConfig {
                resid_pdrop: 2.,
                ..small()
            }),
            "resid_pdrop is 2",
        ),
    ];
    for (message, expected) in table {
        assert!(message.contains(expected), "{message}");
    }
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let gpt = Gpt::new(&small(), store.builder()).unwrap();
    let message = |ids: &Tensor| Error::from(gpt.forward_t(ids, false).unwrap_err()).to_string();
    assert!(
        message(&ids(1, 10))
            .contains("ids has shape [1, 10], expected [batch, length] with length at most 9")
    );
    assert!(message(&Tensor::new(&[[7i64]], &Device::Cpu).unwrap()).contains("ids[0] is 7, expected 0 to 6"));
    assert!(
        message(&Tensor::new(&[1i64], &Device::Cpu).unwrap()).contains("expected [batch ≥ 1, length ≥ 1]")
    );
    assert!(message(&Tensor::new(&[[1f32]], &Device::Cpu).unwrap()).contains("ids has dtype F32"));
}
