use super::*;
use crate::KeyValues;
use candle_core::{DType, Device};
use proptest::prelude::*;
use sconce_core::{Error, ParamStore};
use sconce_testkit::Random;

fn normal(seed: u64, shape: &[usize]) -> Tensor {
    Random::new(seed).normal(shape, DType::F64).unwrap()
}

fn layer(cfg: &MultiheadAttentionConfig) -> (MultiheadAttention, ParamStore) {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(3);
    let layer = MultiheadAttention::new(cfg, store.builder().pp("attn")).unwrap();
    (layer, store)
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.dims(), b.dims());
    let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
    difference.max(0).unwrap().to_scalar().unwrap()
}

#[test]
fn parameters_start_as_pytorchs() {
    let cfg = MultiheadAttentionConfig {
        add_bias_kv: true,
        ..MultiheadAttentionConfig::new(64, 4)
    };
    let (_, store) = layer(&cfg);
    let largest = |name: &str| {
        let value = store.get(name).unwrap().abs().unwrap().flatten_all().unwrap();
        value.max(0).unwrap().to_scalar::<f64>().unwrap()
    };
    let xavier = (6f64 / (64. + 3. * 64.)).sqrt();
    let in_proj = largest("attn.in_proj_weight");
    assert!(in_proj <= xavier && in_proj > 0.99 * xavier, "{in_proj}");
    let out_proj = largest("attn.out_proj.weight");
    assert!(out_proj <= 0.125 && out_proj > 0.99 * 0.125, "{out_proj}");
    assert_eq!(
        (largest("attn.in_proj_bias"), largest("attn.out_proj.bias")),
        (0., 0.)
    );
    assert!(largest("attn.bias_k") > 0. && largest("attn.bias_v") > 0.);
}

#[test]
fn layouts_agree() {
    let first = MultiheadAttentionConfig {
        batch_first: true,
        ..MultiheadAttentionConfig::new(6, 2)
    };
    let (batch_first, store) = layer(&first);
    let cfg = MultiheadAttentionConfig {
        batch_first: false,
        ..first
    };
    let length_first = MultiheadAttention::new(&cfg, store.builder().pp("attn")).unwrap();
    let (q, k) = (normal(1, &[2, 3, 6]), normal(2, &[2, 5, 6]));
    let masks = AttentionMasks::default();
    let (y, weights) = batch_first.forward_t(&q, &k, &k, &masks, false).unwrap();
    let turned = |x: &Tensor| x.transpose(0, 1).unwrap();
    let (tq, tk) = (turned(&q), turned(&k));
    let (ty, tweights) = length_first.forward_t(&tq, &tk, &tk, &masks, false).unwrap();
    assert_eq!(largest_difference(&turned(&ty), &y), 0.);
    assert_eq!(
        largest_difference(&tweights.unwrap(), weights.as_ref().unwrap()),
        0.
    );
    // Without batch.
    let (q1, k1) = (q.get(1).unwrap(), k.get(1).unwrap());
    let (y1, weights1) = length_first.forward_t(&q1, &k1, &k1, &masks, false).unwrap();
    assert!(largest_difference(&y1, &y.get(1).unwrap()) < 1e-14);
    assert!(largest_difference(&weights1.unwrap(), &weights.unwrap().get(1).unwrap()) < 1e-14);
}

#[test]
fn causal_needs_no_mask() {
    let (layer, _) = layer(&MultiheadAttentionConfig::new(4, 2));
    let x = normal(1, &[5, 2, 4]);
    let causal = AttentionMasks {
        is_causal: true,
        ..AttentionMasks::default()
    };
    let mask = crate::generate_square_subsequent_mask(5, DType::F64, &Device::Cpu).unwrap();
    let masked = AttentionMasks {
        attn_mask: Some(&mask),
        ..AttentionMasks::default()
    };
    let [a, b] = [causal, masked].map(|masks| layer.forward_t(&x, &x, &x, &masks, false).unwrap().0);
    assert_eq!(largest_difference(&a, &b), 0.);
}

#[test]
fn steps_give_what_the_whole_sequence_gives() {
    for (add_bias_kv, add_zero_attn, batch_first) in
        [(false, false, true), (true, false, false), (true, true, true)]
    {
        let cfg = MultiheadAttentionConfig {
            add_bias_kv,
            add_zero_attn,
            batch_first,
            ..MultiheadAttentionConfig::new(6, 3)
        };
        let (layer, _) = layer(&cfg);
        let axis = usize::from(batch_first);
        let x = if batch_first {
            normal(1, &[2, 7, 6])
        } else {
            normal(1, &[7, 2, 6])
        };
        let causal = AttentionMasks {
            is_causal: true,
            ..AttentionMasks::default()
        };
        let (whole, _) = layer.forward_t(&x, &x, &x, &causal, false).unwrap();
        let mut past = KeyValues::default();
        let mut first = 0;
        for length in [3, 1, 2, 1] {
            let y = layer
                .step(&x.narrow(axis, first, length).unwrap(), &mut past)
                .unwrap();
            assert!(largest_difference(&y, &whole.narrow(axis, first, length).unwrap()) < 1e-14);
            first += length;
            assert_eq!(past.len(), first);
        }
    }
}

#[test]
fn a_query_without_keys_gives_the_bias_alone() {
    let (layer, store) = layer(&MultiheadAttentionConfig::new(4, 2));
    let bias = normal(9, &[4]);
    store.set("attn.out_proj.bias", &bias).unwrap();
    let x = normal(1, &[3, 2, 4]);
    let padding = Tensor::new(&[[1u8, 1, 1], [0, 0, 1]], &Device::Cpu).unwrap();
    let masks = AttentionMasks {
        key_padding_mask: Some(&padding),
        ..AttentionMasks::default()
    };
    let (y, weights) = layer.forward_t(&x, &x, &x, &masks, true).unwrap();
    let first = y.narrow(1, 0, 1).unwrap().squeeze(1).unwrap();
    assert_eq!(
        largest_difference(&first, &bias.broadcast_as((3, 4)).unwrap().contiguous().unwrap()),
        0.
    );
    let weights = weights.unwrap().to_vec3::<f64>().unwrap();
    assert_eq!(weights[0], vec![vec![0.; 3]; 3]);
    assert!((weights[1][0].iter().sum::<f64>() - 1.).abs() < 1e-14);
    let gradients = sconce_core::backward(&y.sqr().unwrap().sum_all().unwrap(), &store).unwrap();
    let gradient = gradients
        .get("attn.in_proj_weight")
        .unwrap()
        .flatten_all()
        .unwrap();
    assert!(gradient.to_vec1::<f64>().unwrap().iter().all(|g| g.is_finite()));
}

#[test]
fn dropout_acts_in_training_alone_and_repeats_with_its_seed() {
    let cfg = MultiheadAttentionConfig {
        dropout: 0.5,
        ..MultiheadAttentionConfig::new(4, 2)
    };
    let (layer, _) = layer(&cfg);
    let x = normal(1, &[5, 2, 4]);
    let weights = |train| {
        let masks = AttentionMasks::default();
        let weights = layer.forward_t(&x, &x, &x, &masks, train).unwrap().1.unwrap();
        weights.flatten_all().unwrap().to_vec1::<f64>().unwrap()
    };
    assert!(weights(false).iter().all(|w| *w > 0.));
    assert!(weights(true).contains(&0.));
}

#[test]
fn what_does_not_fit_is_named() {
    let build = |cfg: MultiheadAttentionConfig| {
        let store = ParamStore::new(DType::F64, &Device::Cpu);
        MultiheadAttention::new(&cfg, store.builder().pp("attn"))
            .unwrap_err()
            .to_string()
    };
    let cfg = MultiheadAttentionConfig::new(6, 2);
    let bad = [
        (
            build(MultiheadAttentionConfig::new(6, 4)),
            "attn (MultiheadAttention): embed_dim is 6, expected a multiple of num_heads = 4",
        ),
        (
            build(MultiheadAttentionConfig::new(6, 0)),
            "num_heads is 0, expected at least 1",
        ),
        (
            build(MultiheadAttentionConfig {
                kdim: Some(0),
                ..cfg.clone()
            }),
            "kdim is 0, expected at least 1",
        ),
        (
            build(MultiheadAttentionConfig {
                dropout: -1.,
                ..cfg.clone()
            }),
            "attn (MultiheadAttention): dropout is -1",
        ),
    ];
    for (message, expected) in bad {
        assert!(message.contains(expected), "{message}");
    }
    let (layer, _) = layer(&MultiheadAttentionConfig { kdim: Some(5), ..cfg });
    let x = |dims: &[usize]| Tensor::zeros(dims, DType::F64, &Device::Cpu).unwrap();
    let message = |q: &[usize], k: &[usize], v: &[usize], masks: AttentionMasks<'_>| {
        let result = layer.forward_t(&x(q), &x(k), &x(v), &masks, false);
        Error::from(result.unwrap_err()).to_string()
    };
    let plain = AttentionMasks::default;
    let (q, k, v) = (&[3, 2, 6][..], &[4, 2, 5][..], &[4, 2, 6][..]);
    let small = x(&[2, 3]);
    let bytes = small.to_dtype(DType::U32).unwrap();
    let messages = [
        (
            message(&[3, 2, 5], k, v, plain()),
            "query has shape [3, 2, 5], expected [queries, batch, embed_dim = 6] or [queries, embed_dim = 6]",
        ),
        (
            message(q, &[4, 1, 5], v, plain()),
            "key has shape [4, 1, 5], expected [keys ≥ 1, batch = 2, kdim = 5]",
        ),
        (
            message(q, k, &[3, 2, 6], plain()),
            "value has shape [3, 2, 6], expected [keys = 4, batch = 2, vdim = 6]",
        ),
        (
            message(
                q,
                k,
                v,
                AttentionMasks {
                    attn_mask: Some(&small),
                    ..plain()
                },
            ),
            "attn_mask has shape [2, 3], expected [queries = 3, keys = 4] or [batch · num_heads = 4, queries = 3, keys = 4]",
        ),
        (
            message(
                q,
                k,
                v,
                AttentionMasks {
                    key_padding_mask: Some(&small),
                    ..plain()
                },
            ),
            "key_padding_mask has shape [2, 3], expected [batch = 2, keys = 4]",
        ),
        (
            message(
                q,
                &[3, 2, 5],
                &[3, 2, 6],
                AttentionMasks {
                    key_padding_mask: Some(&bytes),
                    ..plain()
                },
            ),
            "key_padding_mask has dtype U32, expected U8 (boolean) or F64",
        ),
    ];
    for (message, expected) in messages {
        assert!(
            message.starts_with("attn (MultiheadAttention): ") && message.contains(expected),
            "{message}"
        );
    }
    let mut past = KeyValues::default();
    let (layer, _) = self::layer(&MultiheadAttentionConfig::new(6, 2));
    layer.step(&x(&[1, 2, 6]), &mut past).unwrap();
    let error = Error::from(layer.step(&x(&[1, 3, 6]), &mut past).unwrap_err()).to_string();
    assert!(
        error.contains("expected [batch = 2, heads = 2, positions, d = 3]"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_options_and_shapes_give_a_value_or_an_error(
        (embed_dim, num_heads) in (0usize..7, 0usize..4),
        widths in (prop::option::of(0usize..5), prop::option::of(0usize..5)),
        flags in prop::array::uniform7(any::<bool>()),
        shapes in prop::array::uniform3(prop::collection::vec(0usize..4, 0..4)),
        (batch, queries, keys) in (0usize..4, 0usize..4, 0usize..4),
        fits in any::<bool>(),
        masks in prop::array::uniform2(prop::option::of(prop::collection::vec(0usize..4, 0..4))),
    ) {
        let [bias, add_bias_kv, add_zero_attn, batch_first, is_causal, need_weights, average] = flags;
        let cfg = MultiheadAttentionConfig {
            embed_dim, num_heads, dropout: 0.3, bias, add_bias_kv, add_zero_attn, kdim: widths.0, vdim: widths.1, batch_first,
        };
        let store = ParamStore::new(DType::F64, &Device::Cpu);
        let Ok(layer) = MultiheadAttention::new(&cfg, store.builder()) else { return Ok(()) };
        let shape = |length, width| if batch_first { vec![batch, length, width] } else { vec![length, batch, width] };
        let [q, k, v] = if fits {
            let (kdim, vdim) = (widths.0.unwrap_or(embed_dim), widths.1.unwrap_or(embed_dim));
            [shape(queries, embed_dim), shape(keys, kdim), shape(keys, vdim)]
        } else {
            shapes
        };
        let [q, k, v] = [normal(1, &q), normal(2, &k), normal(3, &v)];
        let [padding, between] = if fits {
            [Some(vec![batch, keys]), Some(vec![queries, keys])]
        } else {
            masks
        };
        let [padding, between] = [padding, between].map(|m| m.map(|dims| normal(4, &dims).gt(0.).unwrap()));
        let masks = AttentionMasks {
            key_padding_mask: padding.as_ref(),
            attn_mask: between.as_ref(),
            is_causal,
            need_weights,
            average_attn_weights: average,
        };
        let result = layer.forward_t(&q, &k, &v, &masks, true);
        if fits && keys > 0 {
            let (y, weights) = result.unwrap();
            prop_assert_eq!(y.dims(), q.dims());
            prop_assert_eq!(weights.is_some(), need_weights);
        }
    }
}
