"""Multi-head attention over its options and kinds of masks, and scaled dot-product attention."""

import torch
from torch.nn.functional import scaled_dot_product_attention

from case_set import CaseSet, draw, leaf, normal, randomise

MULTIHEAD = [
    # embed, heads, kdim, vdim, bias, add_bias_kv, add_zero_attn, batch_first
    (4, 1, None, None, True, False, False, False),
    (8, 2, None, None, True, False, False, True),
    (6, 3, None, None, False, False, False, True),
    (8, 4, 5, None, True, False, False, False),
    (6, 2, None, 3, True, False, False, True),
    (4, 2, 7, 5, False, False, False, True),
    (8, 2, None, None, True, True, False, False),
    (4, 4, None, None, False, True, False, True),
    (6, 2, None, None, True, False, True, True),
    (4, 2, 3, None, True, False, True, False),
    (8, 4, None, None, True, True, True, True),
    (6, 3, 4, 5, False, True, True, False),
]
MASKS = [
    # attn_mask, key_padding_mask, average, need_weights, is_self
    (None, None, True, True, False),
    (None, None, False, True, True),
    ("bool2", None, False, True, False),
    ("bool3", "bool", True, True, False),
    ("float2", None, True, True, True),
    ("float3", "float", False, True, False),
    (None, "bool", False, True, False),
    ("bool2", "bool", True, False, False),
    ("causal", None, True, False, True),
    ("float2", "float", True, False, False),
]
DOT = [
    # batch axes of query, of key, queries, keys, d, dv, mask, is_causal, scale, enable_gqa
    ((2,), (2,), 3, 4, 5, 5, None, False, None, False),
    ((), (), 4, 4, 3, 2, None, True, None, False),
    ((2, 3), (2, 3), 3, 5, 2, 4, "bool", False, 0.7, False),
    ((2, 2), (2, 2), 5, 3, 4, 4, None, True, 1.5, False),
    ((2, 3), (2, 3), 2, 4, 4, 3, "float", False, None, False),
    ((1, 4), (1, 2), 3, 4, 2, 2, None, False, None, True),
    ((2, 6), (2, 2), 3, 3, 2, 3, None, True, None, True),
    ((2,), (2,), 3, 4, 3, 3, "empty row", False, None, False),
]


def mask_of(rng, kind, *shape):
    """A mask in which every query sees the first key."""
    if kind.startswith("float"):
        return leaf(normal(rng, *shape))
    if kind == "causal":
        return torch.triu(torch.ones(shape, dtype=torch.bool), 1)
    mask = normal(rng, *shape) > 0.3
    mask[..., 0] = False
    return mask


def as_bytes(mask):
    return mask.to(torch.uint8) if mask is not None and mask.dtype == torch.bool else mask


def multihead(cases, options, masks):
    rng = cases.generator()
    embed, heads, kdim, vdim, bias, add_bias_kv, add_zero_attn, batch_first = options
    attn_kind, padding_kind, average, need_weights, is_self = masks
    is_self = is_self and kdim is None and vdim is None
    config = {"embed": embed, "heads": heads, "kdim": kdim, "vdim": vdim, "bias": bias, "add_bias_kv": add_bias_kv}
    config |= {"add_zero_attn": add_zero_attn, "batch_first": batch_first, "average": average}
    config |= {"need_weights": need_weights, "is_self": is_self}
    make = torch.nn.MultiheadAttention
    layer = make(embed, heads, 0.0, bias, add_bias_kv, add_zero_attn, kdim, vdim, batch_first)
    layer = randomise(rng, layer)
    batch, queries, keys = draw(rng, 1, 3), draw(rng, 2, 4), draw(rng, 2, 5)
    keys = queries if is_self or attn_kind == "causal" else keys
    shape = lambda n, width: (batch, n, width) if batch_first else (n, batch, width)
    inputs = {"q": leaf(normal(rng, *shape(queries, embed)))}
    if not is_self:
        inputs["k"] = leaf(normal(rng, *shape(keys, kdim or embed)))
        inputs["v"] = leaf(normal(rng, *shape(keys, vdim or embed)))
    attn_mask = padding = None
    if attn_kind:
        between = (batch * heads, queries, keys) if attn_kind.endswith("3") else (queries, keys)
        attn_mask = mask_of(rng, attn_kind, *between)
    if padding_kind:
        padding = mask_of(rng, padding_kind, batch, keys)

    def run(t):
        q = t["q"]
        k, v = (q, q) if is_self else (t["k"], t["v"])
        out, weights = layer(q, k, v, padding, need_weights, attn_mask, average)
        return [out, weights] if need_weights else [out]

    finish(cases, config, run, inputs, layer, {"attn_mask": attn_mask, "key_padding_mask": padding}, rng)


def finish(cases, config, run, inputs, layer, masks, rng):
    """Runs the case; boolean masks are stored as bytes."""
    masks = {name: mask for name, mask in masks.items() if mask is not None}
    inputs |= {name: mask for name, mask in masks.items() if mask.dtype != torch.bool}
    index = len(cases.configs)
    cases.run(config, run, inputs, layer, rng=rng)
    for name, mask in masks.items():
        if mask.dtype == torch.bool:
            cases.tensors[f"{index}/in.{name}"] = as_bytes(mask)


def dot(cases, row):
    rng = cases.generator()
    batch, of_keys, queries, keys, d, dv, kind, is_causal, scale, gqa = row
    config = {"kind": "scaled_dot_product", "is_causal": is_causal, "scale": scale, "enable_gqa": gqa}
    inputs = {"q": leaf(normal(rng, *batch, queries, d)), "k": leaf(normal(rng, *of_keys, keys, d))}
    inputs["v"] = leaf(normal(rng, *of_keys, keys, dv))
    mask = None
    if kind == "float":
        mask = leaf(normal(rng, *batch, queries, keys))
    elif kind:
        mask = normal(rng, queries, keys) > -0.3
        mask[:, 0] = True
        if kind == "empty row":
            mask[1] = False
    run = lambda t: scaled_dot_product_attention(
        t["q"], t["k"], t["v"], mask, 0.0, is_causal, scale=scale, enable_gqa=gqa
    )
    finish(cases, config, run, inputs, None, {"attn_mask": mask}, rng)


def generate():
    cases = CaseSet("attn")
    for i, options in enumerate(MULTIHEAD):
        for j in range(3):
            multihead(cases, options, MASKS[(3 * i + j) % len(MASKS)])
    for row in DOT:
        dot(cases, row)
    return cases
