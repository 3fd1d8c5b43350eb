//! Models of Hugging Face: BERT, ViT, GPT-2.

use sconce::core::candle_core::{ModuleT, Tensor, Var};
use sconce::nn::Activation;
use sconce::transformer::models::{
    Bert, BertConfig, BertForMaskedLm, BertForSequenceClassification, BertInputs, Gpt, GptConfig, Vit,
    VitConfig, VitForImageClassification,
};

use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    match setting.kind() {
        "bert" | "bert_masked_lm" | "bert_sequence_classification" => bert(setting),
        "vit" | "vit_classification" => vit(setting),
        "gpt2" => gpt(setting),
        _ => Err(Stop::kind(setting)),
    }
}

fn activation(setting: &Setting<'_>, key: &str) -> Result<Activation, Stop> {
    Ok(match setting.text(key)? {
        "gelu_new" => Activation::GeluTanh,
        name => name.parse()?,
    })
}

fn bert(setting: &Setting<'_>) -> Result<Results, Stop> {
    let store = setting.store();
    let cfg = BertConfig {
        hidden_size: setting.size("hidden_size")?,
        num_hidden_layers: setting.size("num_hidden_layers")?,
        num_attention_heads: setting.size("num_attention_heads")?,
        intermediate_size: setting.size("intermediate_size")?,
        hidden_act: activation(setting, "hidden_act")?,
        max_position_embeddings: setting.size("max_position_embeddings")?,
        type_vocab_size: setting.size("type_vocab_size")?,
        layer_norm_eps: setting.number("layer_norm_eps")?,
        pad_token_id: setting.optional_size("pad_token_id")?,
        num_labels: setting.optional_size("num_labels")?.unwrap_or(2),
        ..BertConfig::new(setting.size("vocab_size")?)
    };
    let ids = setting.tensor("in.input_ids")?;
    let types = setting.optional_tensor("in.token_type_ids")?;
    let mask = setting.optional_tensor("in.attention_mask")?;
    let inputs = BertInputs {
        attention_mask: mask.as_ref(),
        token_type_ids: types.as_ref(),
        position_ids: None,
    };
    let vb = store.builder();
    let outputs: Vec<Tensor> = match setting.kind() {
        "bert" => {
            let model = Bert::new(&cfg, vb)?;
            setting.load(&store)?;
            let out = model.forward_t(&ids, &inputs, false)?;
            [out.last_hidden_state]
                .into_iter()
                .chain(out.pooler_output)
                .collect()
        }
        "bert_masked_lm" => {
            let model = BertForMaskedLm::new(&cfg, vb)?;
            setting.load(&store)?;
            vec![model.forward_t(&ids, &inputs, false)?]
        }
        _ => {
            let model = BertForSequenceClassification::new(&cfg, vb)?;
            setting.load(&store)?;
            vec![model.forward_t(&ids, &inputs, false)?]
        }
    };
    Results::of(setting, &outputs, &[], &store)
}

fn vit(setting: &Setting<'_>) -> Result<Results, Stop> {
    let store = setting.store();
    let cfg = VitConfig {
        hidden_size: setting.size("hidden_size")?,
        num_hidden_layers: setting.size("num_hidden_layers")?,
        num_attention_heads: setting.size("num_attention_heads")?,
        intermediate_size: setting.size("intermediate_size")?,
        hidden_act: activation(setting, "hidden_act")?,
        layer_norm_eps: setting.number("layer_norm_eps")?,
        image_size: setting.sizes_of("image_size")?,
        patch_size: setting.sizes_of("patch_size")?,
        num_channels: setting.size("num_channels")?,
        qkv_bias: setting.flag("qkv_bias")?,
        num_labels: setting.size("num_labels")?,
        ..VitConfig::default()
    };
    let pixels: Var = setting.variable("pixel_values")?;
    let outputs: Vec<Tensor> = if setting.kind() == "vit" {
        let model = Vit::new(&cfg, store.builder())?;
        setting.load(&store)?;
        let out = model.forward_t(&pixels, false)?;
        [out.last_hidden_state]
            .into_iter()
            .chain(out.pooler_output)
            .collect()
    } else {
        let model = VitForImageClassification::new(&cfg, store.builder())?;
        setting.load(&store)?;
        vec![model.forward_t(&pixels, false)?]
    };
    Results::of(setting, &outputs, &[("pixel_values", &pixels)], &store)
}

fn gpt(setting: &Setting<'_>) -> Result<Results, Stop> {
    let store = setting.store();
    let cfg = GptConfig {
        n_positions: setting.size("n_positions")?,
        n_embd: setting.size("n_embd")?,
        n_layer: setting.size("n_layer")?,
        n_head: setting.size("n_head")?,
        n_inner: setting.optional_size("n_inner")?,
        activation_function: activation(setting, "activation_function")?,
        layer_norm_epsilon: setting.number("layer_norm_epsilon")?,
        tie_word_embeddings: setting.flag("tie_word_embeddings")?,
        ..GptConfig::new(setting.size("vocab_size")?)
    };
    let model = Gpt::new(&cfg, store.builder())?;
    setting.load(&store)?;
    let ids = setting.tensor("in.input_ids")?;
    Results::of(setting, &[model.forward_t(&ids, false)?], &[], &store)
}
