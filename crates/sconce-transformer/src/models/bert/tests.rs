use super::*;
use candle_core::Device;
use sconce_core::{ParamStore, Parameters};
use sconce_testkit::GradCheck;

fn small() -> BertConfig {
    BertConfig {
        hidden_size: 6,
        num_hidden_layers: 2,
        num_attention_heads: 3,
        intermediate_size: 5,
        max_position_embeddings: 5,
        initializer_range: 0.5,
        hidden_dropout_prob: 0.,
        attention_probs_dropout_prob: 0.,
        num_labels: 3,
        // Away from the pole of 1/√variance, which differences can't follow.
        layer_norm_eps: 1e-2,
        ..BertConfig::new(9)
    }
}

fn ids() -> Tensor {
    Tensor::new(&[[3i64, 1, 8, 0, 4], [2, 7, 5, 6, 1]], &Device::Cpu).unwrap()
}

fn mask() -> Tensor {
    Tensor::new(&[[1i64, 1, 1, 0, 1], [1, 1, 1, 1, 1]], &Device::Cpu).unwrap()
}

#[test]
fn gradients_with_the_tied_head() {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let bert = BertForMaskedLm::new(&small(), store.builder()).unwrap();
    let (ids, mask) = (ids(), mask());
    let types = ids.gt(4i64).unwrap().to_dtype(DType::I64).unwrap();
    let inputs = BertInputs {
        attention_mask: Some(&mask),
        token_type_ids: Some(&types),
        position_ids: None,
    };
    // The padding token's row gets the head's gradient but not the table's: as in PyTorch, and not what differences show.
    let all = store.named_parameters();
    let others: Vec<_> = all
        .into_iter()
        .filter(|(name, _)| !name.contains("word_emb"))
        .collect();
    let check = GradCheck {
        max_elements: 16,
        may_be_zero: &[
            "bert.encoder.layer.0.attention.self.key.bias",
            "bert.encoder.layer.1.attention.self.key.bias",
        ],
        ..GradCheck::default()
    };
    check.assert(&[], &others, |_: &[Tensor]| bert.forward_t(&ids, &inputs, true));
    let without_padding = BertConfig {
        pad_token_id: None,
        ..small()
    };
    let bert = BertForMaskedLm::new(&without_padding, store.builder()).unwrap();
    let words: Vec<_> = store.named_parameters();
    let words: Vec<_> = words
        .into_iter()
        .filter(|(name, _)| name.contains("word_emb"))
        .collect();
    assert_eq!(words.len(), 1);
    GradCheck::default().assert(&[], &words, |_: &[Tensor]| bert.forward_t(&ids, &inputs, true));
}

#[test]
fn padding_is_not_seen() {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let bert = BertForSequenceClassification::new(&small(), store.builder()).unwrap();
    let mask = mask();
    let inputs = BertInputs {
        attention_mask: Some(&mask),
        ..BertInputs::default()
    };
    let logits = |ids: &Tensor| {
        bert.forward_t(ids, &inputs, false)
            .unwrap()
            .to_vec2::<f64>()
            .unwrap()
    };
    let other = Tensor::new(&[[3i64, 1, 8, 5, 4], [2, 7, 5, 6, 1]], &Device::Cpu).unwrap();
    assert_eq!(logits(&ids()), logits(&other));
}

#[test]
fn old_names_and_other_prefixes_are_found() {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
    let bert = BertForMaskedLm::new(&small(), store.builder()).unwrap();
    let hidden = |bert: &Bert| {
        let output = bert.forward_t(&ids(), &BertInputs::default(), false).unwrap();
        output.last_hidden_state.to_vec3::<f64>().unwrap()
    };
    let expected = hidden(bert.bert());
    let on = |rename: &dyn Fn(&str) -> String| {
        let named = store.named_tensors();
        let map = named
            .into_iter()
            .map(|(name, var)| (rename(&name), var.as_tensor().clone()))
            .collect();
        VarBuilder::from_tensors(map, DType::F64, &Device::Cpu)
    };
    let old = |name: &str| {
        name.replace("LayerNorm.weight", "LayerNorm.gamma")
            .replace("LayerNorm.bias", "LayerNorm.beta")
    };
    for (name, _) in store.named_tensors() {
        assert_eq!(Bert::current_name(&old(&name)), name);
        assert_eq!(Bert::current_name(&name), name);
    }
    let model = BertForMaskedLm::new(&small(), on(&old)).unwrap();
    assert_eq!(hidden(model.bert()), expected);
    let bare = on(&|name| name.trim_start_matches("bert.").to_owned());
    let model = BertForMaskedLm::new(&small(), bare).unwrap();
    assert_eq!(hidden(model.bert()), expected);
    let error = Bert::new(&small(), on(&str::to_owned)).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("bert.pooler.dense.weight"), "{error}");
}

#[test]
fn what_does_not_fit_is_named() {
    let build = |cfg: BertConfig| {
        let store = ParamStore::new(DType::F32, &Device::Cpu);
        let model = BertForSequenceClassification::new(&cfg, store.builder().pp("m"));
        model.map(|_| ()).unwrap_err().to_string()
    };
    let table = [
        (
            build(BertConfig {
                num_attention_heads: 4,
                ..small()
            }),
            "m.bert (Bert): hidden_size is 6, expected a multiple of num_attention_heads = 4",
        ),
        (
            build(BertConfig {
                type_vocab_size: 0,
                ..small()
            }),
            "type_vocab_size is 0",
        ),
        (
            build(BertConfig {
                num_labels: 0,
                ..small()
            }),
            "num_labels is 0",
        ),
        (
            build(BertConfig {
                classifier_dropout: Some(3.),
                ..small()
            }),
            "classifier_dropout is 3",
        ),
        (
            build(BertConfig {
                pad_token_id: Some(9),
                ..small()
            }),
            "padding_idx is 9",
        ),
    ];
    for (message, expected) in table {
        assert!(message.contains(expected), "{message}");
    }
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let bert = Bert::new(&small(), store.builder()).unwrap();
    let message = |ids: &Tensor, inputs: BertInputs<'_>| {
        Error::from(bert.forward_t(ids, &inputs, false).unwrap_err()).to_string()
    };
    let (good, long) = (ids(), Tensor::zeros((1, 6), DType::I64, &Device::Cpu).unwrap());
    let plain = BertInputs::default();
    assert!(message(&long, plain.clone()).contains("at most max_position_embeddings = 5"));
    let wrong = BertInputs {
        attention_mask: Some(&long),
        ..plain.clone()
    };
    assert!(
        message(&good, wrong).contains("attention_mask has shape [1, 6], expected [batch = 2, length = 5]")
    );
    let wrong = BertInputs {
        token_type_ids: Some(&good),
        ..plain
    };
    assert!(message(&good, wrong).contains("token_type_embeddings (Embedding): ids[0] is 3"));
}
