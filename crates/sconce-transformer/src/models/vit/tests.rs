use super::*;
use candle_core::Device;
use sconce_core::{ParamStore, Parameters};
use sconce_testkit::{GradCheck, Random};

fn small() -> VitConfig {
    VitConfig {
        hidden_size: 6,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        intermediate_size: 5,
        initializer_range: 0.5,
        layer_norm_eps: 1e-2,
        image_size: [5, 6],
        patch_size: [2, 3],
        num_channels: 2,
        num_labels: 3,
        ..VitConfig::default()
    }
}

fn pixels() -> Tensor {
    Random::new(1).normal((2, 2, 5, 6), DType::F64).unwrap()
}

#[test]
fn gradients() {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let vit = VitForImageClassification::new(&small(), store.builder()).unwrap();
    let check = GradCheck {
        max_elements: 20,
        may_be_zero: &[
            "vit.encoder.layer.0.attention.attention.key.bias",
            "vit.encoder.layer.1.attention.attention.key.bias",
        ],
        ..GradCheck::default()
    };
    check.assert(
        &[("pixels", &pixels())],
        &store.named_parameters(),
        |x: &[Tensor]| vit.forward_t(&x[0], true),
    );
}

#[test]
fn names_of_the_newer_module_are_found() {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let vit = VitForImageClassification::new(&small(), store.builder()).unwrap();
    let newer = |name: &str| {
        name.replace("encoder.layer.", "layers.")
            .replace("attention.attention.query", "attention.q_proj")
            .replace("attention.attention.key", "attention.k_proj")
            .replace("attention.attention.value", "attention.v_proj")
            .replace("attention.output.dense", "attention.o_proj")
            .replace("intermediate.dense", "mlp.fc1")
            .replace("output.dense", "mlp.fc2")
    };
    let named = store.named_tensors();
    let map = named
        .into_iter()
        .map(|(name, var)| (newer(&name), var.as_tensor().clone()))
        .collect();
    let vb = VarBuilder::from_tensors(map, DType::F64, &Device::Cpu);
    assert!(vb.contains_tensor("vit.layers.1.mlp.fc2.bias"));
    let other = VitForImageClassification::new(&small(), vb).unwrap();
    let values =
        |vit: &VitForImageClassification| vit.forward_t(&pixels(), false).unwrap().to_vec2::<f64>().unwrap();
    assert_eq!(values(&vit), values(&other));
}

#[test]
fn what_does_not_fit_is_named() {
    let build = |cfg: VitConfig| {
        let store = ParamStore::new(DType::F32, &Device::Cpu);
        VitForImageClassification::new(&cfg, store.builder().pp("m"))
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let table = [
        (
            build(VitConfig {
                num_attention_heads: 4,
                ..small()
            }),
            "m.vit (Vit): hidden_size is 6, expected a multiple of num_attention_heads = 4",
        ),
        (
            build(VitConfig {
                patch_size: [6, 3],
                ..small()
            }),
            "patch_size is [6, 3], expected at most image_size = [5, 6]",
        ),
        (
            build(VitConfig {
                patch_size: [0, 3],
                ..small()
            }),
            "patch_size is 0",
        ),
        (
            build(VitConfig {
                num_labels: 0,
                ..small()
            }),
            "num_labels is 0",
        ),
        (
            build(VitConfig {
                hidden_dropout_prob: -1.,
                ..small()
            }),
            "hidden_dropout_prob is -1",
        ),
    ];
    for (message, expected) in table {
        assert!(message.contains(expected), "{message}");
    }
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let vit = Vit::new(&small(), store.builder()).unwrap();
    let message = |x: &Tensor| Error::from(vit.forward_t(x, false).unwrap_err()).to_string();
    let x = Tensor::zeros((2, 2, 5, 5), DType::F32, &Device::Cpu).unwrap();
    assert!(message(&x).contains(
        "pixels has shape [2, 2, 5, 5], expected [batch ≥ 1, channels = 2, height = 5, width = 6]"
    ));
    assert!(message(&pixels()).contains("pixels has dtype F64, expected F32"));
}
