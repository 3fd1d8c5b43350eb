"""Encoder and decoder layers, their stacks, and the whole transformer, over options and masks."""

import torch

from attn import finish, mask_of
from case_set import CaseSet, draw, leaf, normal, randomise

KINDS = ["encoder_layer", "decoder_layer", "encoder", "decoder", "transformer"]
OPTIONS = [
    # d, heads, ff, act, norm_first, batch_first, bias, eps
    (4, 2, 5, "relu", False, False, True, 1e-5),
    (4, 1, 6, "gelu", True, True, True, 1e-5),
    (3, 3, 4, "relu", True, False, False, 1e-3),
    (4, 4, 7, "gelu", False, True, False, 1e-5),
]
MASKS = [
    # src_mask, src_key_padding_mask, tgt_mask, tgt_key_padding_mask, memory_mask, memory_key_padding_mask
    (None, None, "causal", None, None, None),
    ("bool2", "bool", "causal", "bool", "bool2", "bool"),
    ("float2", "float", "float2", None, "float2", "float"),
    ("bool3", None, "bool3", "bool", None, "bool"),
]
NAMES = ["src_mask", "src_key_padding_mask", "tgt_mask", "tgt_key_padding_mask", "memory_mask", "memory_key_padding_mask"]


def build(kind, options, enc, dec):
    d, heads, ff, act, norm_first, batch_first, bias, eps = options
    layer = {"dropout": 0.0, "activation": act, "layer_norm_eps": eps, "batch_first": batch_first}
    layer |= {"norm_first": norm_first, "bias": bias}
    if kind == "transformer":
        return torch.nn.Transformer(d, heads, enc, dec, ff, **layer)
    final = torch.nn.LayerNorm(d, eps=eps, bias=bias) if norm_first else None
    if kind.startswith("encoder"):
        one = torch.nn.TransformerEncoderLayer(d, heads, ff, **layer)
        return one if kind == "encoder_layer" else torch.nn.TransformerEncoder(one, enc, final, False)
    one = torch.nn.TransformerDecoderLayer(d, heads, ff, **layer)
    return one if kind == "decoder_layer" else torch.nn.TransformerDecoder(one, dec, final)


def case(cases, kind, options, mask_kinds, plain):
    rng = cases.generator()
    d, heads, ff, act, norm_first, batch_first, bias, eps = options
    enc, dec = draw(rng, 1, 2), draw(rng, 1, 2)
    config = {"d": d, "heads": heads, "enc": enc, "dec": dec, "ff": ff, "act": act, "norm_first": norm_first}
    if not plain:
        config |= {"kind": kind, "batch_first": batch_first, "bias": bias, "eps": eps}
    net = randomise(rng, build(kind, options, enc, dec))
    batch, length, target = draw(rng, 1, 3), draw(rng, 2, 4), draw(rng, 2, 4)
    shape = lambda n: (batch, n, d) if batch_first else (n, batch, d)
    inputs, masks = {}, {}
    if kind != "decoder_layer" and kind != "decoder":
        inputs["src"] = leaf(normal(rng, *shape(length)))
    if not kind.startswith("encoder"):
        inputs["tgt"] = leaf(normal(rng, *shape(target)))
        if kind != "transformer":
            inputs["memory"] = leaf(normal(rng, *shape(length)))
    sizes = [(length, length), length, (target, target), target, (target, length), length]
    for name, mask_kind, size in zip(NAMES, mask_kinds, sizes):
        is_used = kind == "transformer" or name.startswith("src") == kind.startswith("encoder")
        if mask_kind is None or not is_used:
            continue
        if isinstance(size, int):
            masks[name] = mask_of(rng, mask_kind, batch, size)
        else:
            per_head = (batch * heads,) if mask_kind.endswith("3") else ()
            masks[name] = mask_of(rng, mask_kind, *per_head, *size)

    def run(t):
        m = dict(masks)
        if kind == "transformer":
            return net(t["src"], t["tgt"], **m)
        if kind == "encoder_layer":
            return net(t["src"], **m)
        if kind == "encoder":
            mask = m.pop("src_mask", None)
            return net(t["src"], mask, **m)
        return net(t["tgt"], t["memory"], **m)

    if plain:
        # The mask is understood.
        cases.run(config, run, inputs, net, rng=rng)
    else:
        finish(cases, config, run, inputs, net, masks, rng)


def generate():
    cases = CaseSet("transformer")
    for i, kind in enumerate(KINDS):
        for j, options in enumerate(OPTIONS):
            case(cases, kind, options, MASKS[j], False)
            if kind.endswith("layer"):
                case(cases, kind, options, MASKS[(j + 1) % 4], False)
    for options in [OPTIONS[1], (4, 2, 6, "relu", False, True, True, 1e-5)]:
        case(cases, "transformer", options, MASKS[0], True)
    return cases
