"""Activations, softmax, embedding and linear layers."""

import torch
import torch.nn.functional as F

from case_set import CaseSet, draw, indices, leaf, normal, randomise

ACTIVATIONS = [
    {"kind": "relu"},
    {"kind": "leaky_relu", "negative_slope": 0.01},
    {"kind": "leaky_relu", "negative_slope": 0.2},
    {"kind": "elu", "alpha": 1.0},
    {"kind": "elu", "alpha": 0.7},
    {"kind": "gelu", "approximate": "none"},
    {"kind": "gelu", "approximate": "tanh"},
    {"kind": "silu"},
    {"kind": "softplus", "beta": 1.0, "threshold": 20.0},
    {"kind": "softplus", "beta": 2.0, "threshold": 5.0},
    {"kind": "tanh"},
    {"kind": "sigmoid"},
]
SOFTMAX = [((3, 5, 4), 0), ((3, 5, 4), 1), ((3, 5, 4), -1), ((2, 77), 1), ((7,), 0), ((2, 3, 2, 5), -3), ((4, 1), -1)]
# shape of the input without its last axis, cin, cout, bias
LINEAR = [
    ((4,), 5, 3, True),
    ((4,), 5, 3, False),
    ((2, 3), 7, 5, True),
    ((2, 3, 2), 3, 4, False),
    ((), 5, 3, True),
    ((1,), 1, 1, True),
    ((17,), 33, 37, True),
    ((3,), 64, 10, True),
]


def generate():
    cases = CaseSet("act")
    for config in ACTIVATIONS:
        options = {name: value for name, value in config.items() if name != "kind"}
        # Ordinary values with zeros among them; more than a vector's width; far out on both sides.
        for shape, scale in [((3, 5, 4), 1.0), ((7, 19), 3.0), ((2, 9), 30.0)]:
            rng = cases.generator()
            x = scale * normal(rng, *shape)
            if scale == 1.0:
                x[0, 0] = 0.0
            cases.run(config, lambda t: getattr(F, config["kind"])(t["x"], **options), {"x": leaf(x)}, rng=rng)
    for kind in ["softmax", "log_softmax"]:
        for k, (shape, dim) in enumerate(SOFTMAX):
            rng = cases.generator()
            x = normal(rng, *shape) * (1.0 if k % 2 == 0 else 100.0)
            config = {"kind": kind, "dim": dim}
            cases.run(config, lambda t: getattr(F, kind)(t["x"], dim), {"x": leaf(x)}, rng=rng)
    for num, dim, padding, shape in [(7, 3, 2, (3, 5)), (7, 3, None, (3, 5)), (2, 5, 0, (9,)), (11, 1, None, (2, 2, 3)), (5, 33, 4, (8,))]:
        rng = cases.generator()
        config = {"kind": "embedding", "num": num, "dim": dim, "padding_idx": padding}
        layer = randomise(rng, torch.nn.Embedding(num, dim, padding))
        cases.run(config, lambda t: layer(t["ids"]), {"ids": indices(rng, num, *shape)}, layer, rng=rng)
    for shape, cin, cout, bias in LINEAR:
        rng = cases.generator()
        config = {"kind": "linear", "cin": cin, "cout": cout, "bias": bias}
        layer = randomise(rng, torch.nn.Linear(cin, cout, bias))
        cases.run(config, lambda t: layer(t["x"]), {"x": leaf(normal(rng, *shape, cin))}, layer, rng=rng)
    return cases
