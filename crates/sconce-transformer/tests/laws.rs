//! What holds for every encoder and decoder: causality, steps, seeds, and an error instead of a panic.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Tensor};
use proptest::prelude::*;
use sconce_core::{ParamStore, manual_seed};
use sconce_nn::Activation;
use sconce_testkit::Random;
use sconce_transformer::*;

fn normal(seed: u64, shape: &[usize]) -> Tensor {
    Random::new(seed).normal(shape, DType::F64).unwrap()
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.dims(), b.dims());
    let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
    difference.max(0).unwrap().to_scalar().unwrap()
}

fn layer(norm_first: bool, batch_first: bool) -> TransformerEncoderLayerConfig {
    TransformerEncoderLayerConfig {
        dim_feedforward: 10,
        norm_first,
        batch_first,
        ..TransformerEncoderLayerConfig::new(8, 2)
    }
}

fn transformer(layer: TransformerEncoderLayerConfig) -> Transformer {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let cfg = TransformerConfig {
        num_encoder_layers: 1,
        num_decoder_layers: 2,
        layer,
    };
    Transformer::new(&cfg, store.builder()).unwrap()
}

#[test]
fn steps_of_a_decoder_give_what_the_whole_target_gives() {
    for norm_first in [false, true] {
        for batch_first in [false, true] {
            let net = transformer(layer(norm_first, batch_first));
            let axis = usize::from(batch_first);
            let of = |seed, length| {
                normal(
                    seed,
                    &if batch_first {
                        [3, length, 8]
                    } else {
                        [length, 3, 8]
                    },
                )
            };
            let (memory, tgt) = (of(1, 4), of(2, 7));
            let padding = Tensor::new(&[[0u8, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]], &Device::Cpu).unwrap();
            let masks = DecoderMasks {
                memory_key_padding_mask: Some(&padding),
                tgt_is_causal: true,
                ..DecoderMasks::default()
            };
            let whole = net.decoder().forward_t(&tgt, &memory, &masks, false).unwrap();
            let mut cache = net.decoder().cache();
            let mut first = 0;
            for length in [2, 1, 3, 1] {
                let part = tgt.narrow(axis, first, length).unwrap();
                let y = net
                    .decoder()
                    .step(&part, &memory, Some(&padding), &mut cache)
                    .unwrap();
                assert!(largest_difference(&y, &whole.narrow(axis, first, length).unwrap()) < 1e-13);
                first += length;
                assert_eq!(cache.len(), first);
            }
            let short = memory.narrow(axis, 0, 3).unwrap();
            let error = net.decoder().step(&tgt, &short, None, &mut cache).unwrap_err();
            assert!(error.to_string().contains("as the first step had"), "{error}");
        }
    }
}

#[test]
fn attention_to_the_memory_is_shared_out_among_what_is_seen() {
    let net = transformer(layer(false, false));
    let (memory, tgt) = (normal(1, &[4, 2, 8]), normal(2, &[3, 2, 8]));
    let padding = Tensor::new(&[[0u8, 0, 0, 1], [0, 0, 0, 0]], &Device::Cpu).unwrap();
    let masks = DecoderMasks {
        memory_key_padding_mask: Some(&padding),
        ..DecoderMasks::default()
    };
    let layers = net.decoder().attention_to_memory(&tgt, &memory, &masks).unwrap();
    assert_eq!(layers.len(), 2);
    for weights in layers {
        assert_eq!(weights.dims(), [2, 2, 3, 4]);
        let ones = Tensor::ones((2, 2, 3), DType::F64, &Device::Cpu).unwrap();
        assert!(largest_difference(&weights.sum(3).unwrap(), &ones) < 1e-14);
        let hidden = weights.get(0).unwrap().narrow(2, 3, 1).unwrap();
        assert_eq!(
            hidden
                .abs()
                .unwrap()
                .sum_all()
                .unwrap()
                .to_scalar::<f64>()
                .unwrap(),
            0.
        );
    }
}

#[test]
fn later_positions_change_nothing_earlier() {
    let net = transformer(layer(true, true));
    let src = normal(1, &[1, 4, 8]);
    let tgt = normal(2, &[1, 5, 8]);
    let changed = Tensor::cat(&[&tgt.narrow(1, 0, 3).unwrap(), &normal(3, &[1, 2, 8])], 1).unwrap();
    let masks = TransformerMasks {
        tgt_is_causal: true,
        ..TransformerMasks::default()
    };
    let [a, b] = [&tgt, &changed].map(|tgt| net.forward_t(&src, tgt, &masks, false).unwrap());
    let part = |y: &Tensor, first, length| y.narrow(1, first, length).unwrap();
    assert_eq!(largest_difference(&part(&a, 0, 3), &part(&b, 0, 3)), 0.);
    assert!(largest_difference(&part(&a, 3, 2), &part(&b, 3, 2)) > 1e-3);
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let run = || {
        manual_seed(7);
        let store = ParamStore::new(DType::F32, &Device::Cpu);
        let cfg = TransformerConfig {
            num_encoder_layers: 1,
            num_decoder_layers: 1,
            layer: layer(false, true),
        };
        let net = Transformer::new(&cfg, store.builder()).unwrap();
        let x = normal(1, &[2, 5, 8]).to_dtype(DType::F32).unwrap();
        net.forward_t(&x, &x, &TransformerMasks::default(), true).unwrap()
    };
    let bits = |y: Tensor| -> Vec<u32> {
        y.flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap()
            .into_iter()
            .map(f32::to_bits)
            .collect()
    };
    assert_eq!(bits(run()), bits(run()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_options_and_shapes_give_a_value_or_an_error(
        (d_model, nhead, dim_feedforward) in (0usize..7, 0usize..4, 0usize..4),
        dropout in prop::sample::select(vec![0., 0.5, 1., 2.]),
        layer_norm_eps in prop::sample::select(vec![1e-5, 0., -1.]),
        [batch_first, norm_first, bias, causal, train, fits] in prop::array::uniform6(any::<bool>()),
        layers in (0usize..3, 0usize..3),
        shapes in prop::array::uniform2(prop::collection::vec(0usize..5, 0..4)),
        (batch, length, target) in (0usize..3, 0usize..4, 0usize..4),
        mask in prop::option::of(prop::collection::vec(0usize..4, 0..4)),
    ) {
        let layer = TransformerEncoderLayerConfig {
            d_model, nhead, dim_feedforward, dropout, activation: Activation::Relu, layer_norm_eps, batch_first, norm_first, bias,
        };
        let cfg = TransformerConfig { num_encoder_layers: layers.0, num_decoder_layers: layers.1, layer };
        let store = ParamStore::new(DType::F64, &Device::Cpu);
        let Ok(net) = Transformer::new(&cfg, store.builder()) else { return Ok(()) };
        let [src, tgt] = if fits {
            [length, target].map(|n| if batch_first { vec![batch, n, d_model] } else { vec![n, batch, d_model] })
        } else {
            shapes
        };
        let (src, tgt) = (normal(1, &src), normal(2, &tgt));
        let mask = mask.map(|dims| normal(3, &dims));
        let masks = TransformerMasks {
            src_mask: mask.as_ref(),
            memory_key_padding_mask: mask.as_ref(),
            tgt_is_causal: causal,
            src_is_causal: causal,
            ..TransformerMasks::default()
        };
        let result = net.forward_t(&src, &tgt, &masks, train);
        let must_work = fits && mask.is_none() && length > 0 && target > 0;
        prop_assert!(result.is_ok() || !must_work, "{:?}", result.err());
        if let Ok(y) = result {
            prop_assert_eq!(y.dims(), tgt.dims());
        }
        let mut cache = net.decoder().cache();
        if let Ok(y) = net.decoder().step(&tgt, &src, mask.as_ref(), &mut cache) {
            prop_assert_eq!(y.dims(), tgt.dims());
        }
    }

    #[test]
    fn any_model_gives_a_value_or_an_error(
        sizes in prop::array::uniform8(0usize..5),
        dims in prop::collection::vec(0usize..5, 0..5),
        other in prop::collection::vec(0usize..5, 0..4),
        fits in any::<bool>(),
        p in prop::sample::select(vec![0., 0.5, -1.]),
    ) {
        use sconce_transformer::candle_core::ModuleT;
        use sconce_transformer::models::*;
        let [a, b, c, d, e, f, g, h] = sizes;
        let store = || ParamStore::new(DType::F64, &Device::Cpu).builder();
        let ids = |dims: &[usize]| Random::new(1).indices(dims, 4).unwrap();
        let shape = if fits { vec![g, h] } else { dims.clone() };
        let bert = BertConfig {
            hidden_size: 2 * a, num_hidden_layers: b, num_attention_heads: c, intermediate_size: d, hidden_dropout_prob: p,
            max_position_embeddings: e, type_vocab_size: f, num_labels: g, pad_token_id: Some(h), ..BertConfig::new(a + c)
        };
        let mask = ids(if fits { &shape } else { &other });
        let inputs = BertInputs { attention_mask: Some(&mask), token_type_ids: None, position_ids: Some(&mask) };
        if let Ok(model) = BertForMaskedLm::new(&bert, store()) {
            let _ = model.forward_t(&ids(&shape), &inputs, true);
        }
        if let Ok(model) = BertForSequenceClassification::new(&bert, store())
            && let Ok(logits) = model.forward_t(&ids(&shape), &inputs, true)
        {
            prop_assert_eq!(logits.dims(), [shape[0], g]);
        }
        let gpt = GptConfig {
            n_positions: e, n_embd: 2 * a, n_layer: b, n_head: c, n_inner: Some(d), attn_pdrop: p, ..GptConfig::new(f)
        };
        if let Ok(model) = Gpt::new(&gpt, store()) {
            let _ = model.forward_t(&ids(&shape), true);
            let _ = model.step(&ids(&shape), &mut model.cache());
        }
        let vit = VitConfig {
            hidden_size: 2 * a, num_hidden_layers: b, num_attention_heads: c, intermediate_size: d, hidden_dropout_prob: p,
            image_size: [2 * e, 2 * f], patch_size: [e, g], num_channels: h, num_labels: a, ..VitConfig::default()
        };
        if let Ok(model) = VitForImageClassification::new(&vit, store()) {
            let shape = if fits { vec![g, h, 2 * e, 2 * f] } else { dims };
            if let Ok(logits) = model.forward_t(&normal(1, &shape), true) {
                prop_assert_eq!(logits.dims(), [shape[0], a]);
            }
        }
        let positions = PositionalEncodingConfig { d_model: a, dropout: p, max_len: b, batch_first: fits };
        if let Ok(layer) = PositionalEncoding::new(&positions) {
            let _ = layer.forward_from(&normal(1, &other), c, true);
        }
    }
}
