//! Gradients of layers and stacks against finite differences, in f64, over their options and masks.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Tensor, Var};
use sconce_core::{ParamStore, Parameters};
use sconce_nn::Activation;
use sconce_testkit::{GradCheck, Random};
use sconce_transformer::*;

fn normal(seed: u64, shape: &[usize]) -> Tensor {
    Random::new(seed).normal(shape, DType::F64).unwrap()
}

/// A store whose layer is built by `build`, with every parameter drawn anew so that none is special.
fn built<L>(build: impl FnOnce(&ParamStore) -> L) -> (L, Vec<(String, Var)>) {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let layer = build(&store);
    let mut random = Random::new(2);
    for (name, var) in store.named_parameters() {
        store
            .set(&name, &random.normal(var.shape(), DType::F64).unwrap())
            .unwrap();
    }
    (layer, store.named_parameters())
}

fn check() -> GradCheck {
    GradCheck {
        max_elements: 40,
        ..GradCheck::default()
    }
}

#[test]
fn multihead_attention() {
    let plain = MultiheadAttentionConfig::new(6, 2);
    let configs = [
        plain.clone(),
        MultiheadAttentionConfig {
            kdim: Some(4),
            vdim: Some(3),
            batch_first: true,
            ..plain.clone()
        },
        MultiheadAttentionConfig {
            add_bias_kv: true,
            bias: false,
            ..plain.clone()
        },
        MultiheadAttentionConfig {
            add_zero_attn: true,
            add_bias_kv: true,
            batch_first: true,
            ..plain
        },
    ];
    for cfg in configs {
        let (layer, parameters) = built(|store| MultiheadAttention::new(&cfg, store.builder()).unwrap());
        let shape = |n, width| {
            if cfg.batch_first {
                vec![2, n, width]
            } else {
                vec![n, 2, width]
            }
        };
        let (q, k) = (
            normal(3, &shape(3, 6)),
            normal(4, &shape(5, cfg.kdim.unwrap_or(6))),
        );
        let v = normal(5, &shape(5, cfg.vdim.unwrap_or(6)));
        let padding = normal(6, &[2, 5]);
        let between = normal(7, &[4, 3, 5]).gt(0.5).unwrap();
        for average_attn_weights in [true, false] {
            check().assert(
                &[("q", &q), ("k", &k), ("v", &v), ("padding", &padding)],
                &parameters,
                |t: &[Tensor]| {
                    let masks = AttentionMasks {
                        key_padding_mask: Some(&t[3]),
                        attn_mask: Some(&between),
                        average_attn_weights,
                        ..AttentionMasks::default()
                    };
                    let (y, weights) = layer.forward_t(&t[0], &t[1], &t[2], &masks, true)?;
                    Ok([y, weights.unwrap()])
                },
            );
        }
    }
}

#[test]
fn self_attention_through_one_projection() {
    for batch_first in [true, false] {
        let cfg = MultiheadAttentionConfig {
            batch_first,
            ..MultiheadAttentionConfig::new(6, 3)
        };
        let (layer, parameters) = built(|store| MultiheadAttention::new(&cfg, store.builder()).unwrap());
        let x = normal(3, &[3, 4, 6]);
        let masks = AttentionMasks {
            is_causal: true,
            need_weights: false,
            ..AttentionMasks::default()
        };
        let check = GradCheck {
            may_be_zero: &["in_proj_bias"],
            ..check()
        };
        check.assert(&[("x", &x)], &parameters, |t: &[Tensor]| {
            Ok(layer.forward_t(&t[0], &t[0], &t[0], &masks, true)?.0)
        });
        // Without batch.
        let x = normal(3, &[4, 6]);
        check.assert(&[("x", &x)], &parameters, |t: &[Tensor]| {
            Ok(layer.forward_t(&t[0], &t[0], &t[0], &masks, true)?.0)
        });
    }
}

#[test]
fn a_step_passes_gradients_to_earlier_positions() {
    let cfg = MultiheadAttentionConfig::new(4, 2);
    let (layer, parameters) = built(|store| MultiheadAttention::new(&cfg, store.builder()).unwrap());
    let x = normal(3, &[5, 2, 4]);
    check().assert(&[("x", &x)], &parameters, |t: &[Tensor]| {
        let mut past = KeyValues::default();
        let first = layer.step(&t[0].narrow(0, 0, 3)?, &mut past)?;
        let second = layer.step(&t[0].narrow(0, 3, 2)?, &mut past)?;
        Ok([first, second])
    });
}

fn layers() -> Vec<TransformerEncoderLayerConfig> {
    let plain = TransformerEncoderLayerConfig {
        dim_feedforward: 5,
        dropout: 0.,
        activation: Activation::Gelu,
        layer_norm_eps: 1e-2,
        ..TransformerEncoderLayerConfig::new(4, 2)
    };
    vec![
        plain.clone(),
        TransformerEncoderLayerConfig {
            norm_first: true,
            batch_first: true,
            ..plain.clone()
        },
        TransformerEncoderLayerConfig {
            bias: false,
            activation: Activation::Relu,
            ..plain
        },
    ]
}

fn shape(cfg: &TransformerEncoderLayerConfig, length: usize) -> Vec<usize> {
    if cfg.batch_first {
        vec![2, length, 4]
    } else {
        vec![length, 2, 4]
    }
}

#[test]
fn encoder() {
    let padding = Tensor::new(&[[0u8, 0, 1], [0, 0, 0]], &Device::Cpu).unwrap();
    for layer in layers() {
        let x = normal(3, &shape(&layer, 3));
        let masks = EncoderMasks {
            src_key_padding_mask: Some(&padding),
            is_causal: true,
            ..EncoderMasks::default()
        };
        let (one, parameters) = built(|store| TransformerEncoderLayer::new(&layer, store.builder()).unwrap());
        check().assert(&[("x", &x)], &parameters, |t: &[Tensor]| {
            one.forward_t(&t[0], &masks, true)
        });
        let cfg = TransformerEncoderConfig::new(layer, 2);
        let (stack, parameters) = built(|store| TransformerEncoder::new(&cfg, store.builder()).unwrap());
        check().assert(&[("x", &x)], &parameters, |t: &[Tensor]| {
            stack.forward_t(&t[0], &masks, true)
        });
    }
}

#[test]
fn decoder() {
    let padding = Tensor::new(&[[0u8, 0, 1, 0], [0, 0, 0, 0]], &Device::Cpu).unwrap();
    for layer in layers() {
        let (tgt, memory) = (normal(3, &shape(&layer, 3)), normal(4, &shape(&layer, 4)));
        let masks = DecoderMasks {
            memory_key_padding_mask: Some(&padding),
            tgt_is_causal: true,
            ..DecoderMasks::default()
        };
        let (one, parameters) = built(|store| TransformerDecoderLayer::new(&layer, store.builder()).unwrap());
        check().assert(
            &[("tgt", &tgt), ("memory", &memory)],
            &parameters,
            |t: &[Tensor]| one.forward_t(&t[0], &t[1], &masks, true),
        );
    }
}

#[test]
fn transformer() {
    for layer in layers() {
        let (src, tgt) = (normal(3, &shape(&layer, 4)), normal(4, &shape(&layer, 3)));
        let cfg = TransformerConfig {
            num_encoder_layers: 1,
            num_decoder_layers: 2,
            layer,
        };
        let masks = TransformerMasks {
            tgt_is_causal: true,
            ..TransformerMasks::default()
        };
        let (net, parameters) = built(|store| Transformer::new(&cfg, store.builder()).unwrap());
        check().assert(&[("src", &src), ("tgt", &tgt)], &parameters, |t: &[Tensor]| {
            net.forward_t(&t[0], &t[1], &masks, true)
        });
    }
}
