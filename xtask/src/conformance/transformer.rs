//! Encoder and decoder layers, their stacks, and the whole transformer.

use sconce::core::candle_core::{DType, Device};
use sconce::nn::{Activation, LayerNormConfig};
use sconce::transformer::{
    DecoderMasks, EncoderMasks, Transformer, TransformerConfig, TransformerDecoder, TransformerDecoderConfig,
    TransformerDecoderLayer, TransformerEncoder, TransformerEncoderConfig, TransformerEncoderLayer,
    TransformerEncoderLayerConfig, TransformerMasks, generate_square_subsequent_mask,
};

use super::attn::{Mask, variables};
use super::{Results, Setting, Stop};

pub(super) fn run(setting: &Setting<'_>) -> Result<Results, Stop> {
    let layer = TransformerEncoderLayerConfig {
        dim_feedforward: setting.size("ff")?,
        dropout: 0.0,
        activation: setting.text("act")?.parse::<Activation>()?,
        layer_norm_eps: setting.optional_number("eps")?.unwrap_or(1e-5),
        batch_first: setting.flag_or("batch_first", true)?,
        norm_first: setting.flag("norm_first")?,
        bias: setting.flag_or("bias", true)?,
        ..TransformerEncoderLayerConfig::new(setting.size("d")?, setting.size("heads")?)
    };
    let (enc, dec) = (setting.size("enc")?, setting.size("dec")?);
    match setting.kind() {
        "" | "transformer" => whole(setting, layer, enc, dec),
        "encoder_layer" | "encoder" => encoder(setting, layer, enc),
        "decoder_layer" | "decoder" => decoder(setting, layer, dec),
        _ => Err(Stop::kind(setting)),
    }
}

/// The golden stacks end in a normalisation where their layers begin with one.
fn final_norm(layer: &TransformerEncoderLayerConfig) -> Option<LayerNormConfig> {
    layer.norm_first.then(|| LayerNormConfig {
        eps: layer.layer_norm_eps,
        bias: layer.bias,
        ..LayerNormConfig::new([layer.d_model])
    })
}

fn whole(
    setting: &Setting<'_>,
    layer: TransformerEncoderLayerConfig,
    enc: usize,
    dec: usize,
) -> Result<Results, Stop> {
    let store = setting.store();
    let cfg = TransformerConfig {
        num_encoder_layers: enc,
        num_decoder_layers: dec,
        layer,
    };
    let net = Transformer::new(&cfg, store.builder())?;
    setting.load(&store)?;
    let (src, tgt) = (setting.variable("src")?, setting.variable("tgt")?);
    let names = [
        "src_mask",
        "src_key_padding_mask",
        "tgt_mask",
        "tgt_key_padding_mask",
        "memory_mask",
        "memory_key_padding_mask",
    ];
    let read = |name: &str| Mask::read(setting, name);
    let [a, b, c, d, e, f] = names.map(read);
    let (a, b, c, d, e, f) = (a?, b?, c?, d?, e?, f?);
    let causal = match (setting.kind(), cfg.layer.batch_first, tgt.dims()) {
        ("", true, &[_, length, _]) => {
            let mask = generate_square_subsequent_mask(length, DType::F64, &Device::Cpu)?;
            Some(mask.to_dtype(tgt.dtype())?)
        }
        _ => None,
    };
    let masks = TransformerMasks {
        src_mask: a.as_ref().map(Mask::tensor),
        src_key_padding_mask: b.as_ref().map(Mask::tensor),
        tgt_mask: c.as_ref().map(Mask::tensor).or(causal.as_ref()),
        tgt_key_padding_mask: d.as_ref().map(Mask::tensor),
        memory_mask: e.as_ref().map(Mask::tensor),
        memory_key_padding_mask: f.as_ref().map(Mask::tensor),
        ..TransformerMasks::default()
    };
    let y = net.forward_t(&src, &tgt, &masks, true)?;
    let [na, nb, nc, nd, ne, nf] = names;
    let named = [(na, &a), (nb, &b), (nc, &c), (nd, &d), (ne, &e), (nf, &f)];
    Results::of(
        setting,
        &[y],
        &variables(&[("src", &src), ("tgt", &tgt)], &named),
        &store,
    )
}

fn encoder(
    setting: &Setting<'_>,
    layer: TransformerEncoderLayerConfig,
    num_layers: usize,
) -> Result<Results, Stop> {
    let store = setting.store();
    let src = setting.variable("src")?;
    let mask = Mask::read(setting, "src_mask")?;
    let padding = Mask::read(setting, "src_key_padding_mask")?;
    let masks = EncoderMasks {
        src_mask: mask.as_ref().map(Mask::tensor),
        src_key_padding_mask: padding.as_ref().map(Mask::tensor),
        is_causal: false,
    };
    let y = if setting.kind() == "encoder_layer" {
        let one = TransformerEncoderLayer::new(&layer, store.builder())?;
        setting.load(&store)?;
        one.forward_t(&src, &masks, true)?
    } else {
        let cfg = TransformerEncoderConfig {
            norm: final_norm(&layer),
            ..TransformerEncoderConfig::new(layer, num_layers)
        };
        let stack = TransformerEncoder::new(&cfg, store.builder())?;
        setting.load(&store)?;
        stack.forward_t(&src, &masks, true)?
    };
    let named = [("src_mask", &mask), ("src_key_padding_mask", &padding)];
    Results::of(setting, &[y], &variables(&[("src", &src)], &named), &store)
}

fn decoder(
    setting: &Setting<'_>,
    layer: TransformerEncoderLayerConfig,
    num_layers: usize,
) -> Result<Results, Stop> {
    let store = setting.store();
    let (tgt, memory) = (setting.variable("tgt")?, setting.variable("memory")?);
    let names = [
        "tgt_mask",
        "tgt_key_padding_mask",
        "memory_mask",
        "memory_key_padding_mask",
    ];
    let [a, b, c, d] = names.map(|name| Mask::read(setting, name));
    let (a, b, c, d) = (a?, b?, c?, d?);
    let masks = DecoderMasks {
        tgt_mask: a.as_ref().map(Mask::tensor),
        tgt_key_padding_mask: b.as_ref().map(Mask::tensor),
        memory_mask: c.as_ref().map(Mask::tensor),
        memory_key_padding_mask: d.as_ref().map(Mask::tensor),
        ..DecoderMasks::default()
    };
    let y = if setting.kind() == "decoder_layer" {
        let one = TransformerDecoderLayer::new(&layer, store.builder())?;
        setting.load(&store)?;
        one.forward_t(&tgt, &memory, &masks, true)?
    } else {
        let cfg = TransformerDecoderConfig {
            norm: final_norm(&layer),
            ..TransformerDecoderConfig::new(layer, num_layers)
        };
        let stack = TransformerDecoder::new(&cfg, store.builder())?;
        setting.load(&store)?;
        stack.forward_t(&tgt, &memory, &masks, true)?
    };
    let [na, nb, nc, nd] = names;
    let named = [(na, &a), (nb, &b), (nc, &c), (nd, &d)];
    let inputs = [("tgt", &tgt), ("memory", &memory)];
    Results::of(setting, &[y], &variables(&inputs, &named), &store)
}
