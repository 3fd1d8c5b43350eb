"""Activations, softmax, embedding and linear layers."""

import torch
import torch.nn.functional as F

from case_set import CaseSet, draw, indices, leaf, normal, randomise

# A function's options, and where its branches meet: there the slope is PyTorch's choice.
ACTIVATIONS = [
    ({"kind": "relu"}, []),
    ({"kind": "leaky_relu", "negative_slope": 0.01}, []),
    ({"kind": "leaky_relu", "negative_slope": 0.2}, []),
    ({"kind": "elu", "alpha": 1.0}, []),
    ({"kind": "elu", "alpha": 0.7}, []),
    ({"kind": "gelu", "approximate": "none"}, []),
    ({"kind": "gelu", "approximate": "tanh"}, []),
    ({"kind": "silu"}, []),
    ({"kind": "softplus", "beta": 1.0, "threshold": 20.0}, []),
    ({"kind": "softplus", "beta": 2.0, "threshold": 5.0}, []),
    ({"kind": "tanh"}, []),
    ({"kind": "sigmoid"}, []),
    ({"kind": "celu", "alpha": 1.0}, []),
    # PyTorch rounds alpha to f32 in the gradient alone, also in f64; this one is exact in f32.
    ({"kind": "celu", "alpha": 0.75}, []),
    ({"kind": "selu"}, []),
    ({"kind": "mish"}, []),
    ({"kind": "hardswish"}, [-3.0, 3.0]),
    ({"kind": "hardsigmoid"}, [-3.0, 3.0]),
    ({"kind": "hardtanh", "min_val": -1.0, "max_val": 1.0}, [-1.0, 1.0]),
    ({"kind": "hardtanh", "min_val": -0.5, "max_val": 2.0}, [-0.5, 2.0]),
    ({"kind": "relu6"}, [6.0]),
    ({"kind": "hardshrink", "lambd": 0.5}, [-0.5, 0.5]),
    ({"kind": "hardshrink", "lambd": 1.25}, [-1.25, 1.25]),
    ({"kind": "softshrink", "lambd": 0.5}, [-0.5, 0.5]),
    ({"kind": "softshrink", "lambd": 0.0}, []),
    ({"kind": "softsign"}, []),
    ({"kind": "tanhshrink"}, []),
    ({"kind": "logsigmoid"}, []),
    ({"kind": "threshold", "threshold": 0.25, "value": 20.0}, [0.25]),
    ({"kind": "rrelu", "lower": 0.125, "upper": 1 / 3}, []),
]
SOFTMAX = [((3, 5, 4), 0), ((3, 5, 4), 1), ((3, 5, 4), -1), ((2, 77), 1), ((7,), 0), ((2, 3, 2, 5), -3), ((4, 1), -1)]
GLU = [((3, 6), -1), ((4, 3, 5), 0), ((2, 6, 3), 1), ((2, 3, 2, 8), -1), ((2, 2), 1), ((10,), 0)]
# number of parameters, shape
PRELU = [(1, (3, 5)), (1, (7,)), (4, (3, 4)), (3, (2, 3, 5)), (5, (2, 5, 2, 3)), (1, (2, 3, 2, 2, 2))]
# padding_idx and shape of ids, then max_norm, norm_type, scale_grad_by_freq
EMBEDDING = [
    (7, 3, 2, (3, 5), None, 2.0, False),
    (7, 3, None, (3, 5), None, 2.0, False),
    (2, 5, 0, (9,), None, 2.0, False),
    (11, 1, None, (2, 2, 3), None, 2.0, False),
    (5, 33, 4, (8,), None, 2.0, False),
    (7, 3, None, (3, 5), 1.0, 2.0, False),
    (7, 3, 2, (3, 5), 1.5, 1.0, False),
    (9, 4, None, (6,), 0.75, float("inf"), False),
    (9, 4, None, (6,), 2.0, 3.0, True),
    (5, 3, None, (4, 4), None, 2.0, True),
    (5, 3, 1, (4, 4), None, 2.0, True),
]
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
# Random ones agree where nothing is random: in evaluation, and where nothing or everything is dropped.
DROPOUT = [("dropout", 3), ("dropout1d", 3), ("dropout2d", 4), ("dropout3d", 5), ("alpha_dropout", 2), ("feature_alpha_dropout", 3)]


def generate():
    cases = CaseSet("act")
    for config, kinks in ACTIVATIONS:
        options = {name: value for name, value in config.items() if name != "kind"}
        # Ordinary values with zeros among them; more than a vector's width; far out on both sides.
        for shape, scale in [((3, 5, 4), 1.0), ((7, 19), 3.0), ((2, 9), 30.0)]:
            rng = cases.generator()
            x = scale * normal(rng, *shape)
            if scale == 1.0:
                x[0, 0] = 0.0
                x[0, 1, : len(kinks)] = torch.tensor(kinks)
            cases.run(config, lambda t: getattr(F, config["kind"])(t["x"], **options), {"x": leaf(x)}, rng=rng)
    for kind in ["softmax", "log_softmax", "softmin"]:
        for k, (shape, dim) in enumerate(SOFTMAX):
            rng = cases.generator()
            x = normal(rng, *shape) * (1.0 if k % 2 == 0 else 100.0)
            config = {"kind": kind, "dim": dim}
            cases.run(config, lambda t: getattr(F, kind)(t["x"], dim), {"x": leaf(x)}, rng=rng)
    for shape in [(2, 3, 4, 5), (3, 4, 5)]:
        rng = cases.generator()
        cases.run({"kind": "softmax2d"}, lambda t: torch.nn.Softmax2d()(t["x"]), {"x": leaf(normal(rng, *shape))}, rng=rng)
    for shape, dim in GLU:
        rng = cases.generator()
        config = {"kind": "glu", "dim": dim}
        cases.run(config, lambda t: F.glu(t["x"], dim), {"x": leaf(3 * normal(rng, *shape))}, rng=rng)
    for num, shape in PRELU:
        rng = cases.generator()
        layer = randomise(rng, torch.nn.PReLU(num))
        x = normal(rng, *shape)
        x.view(-1)[0] = 0.0
        cases.run({"kind": "prelu", "num_parameters": num}, lambda t: layer(t["x"]), {"x": leaf(x)}, layer, rng=rng)
    for num, dim, padding, shape, max_norm, norm_type, by_freq in EMBEDDING:
        rng = cases.generator()
        config = {"kind": "embedding", "num": num, "dim": dim, "padding_idx": padding}
        before = None
        layer = randomise(rng, torch.nn.Embedding(num, dim, padding, max_norm, norm_type, by_freq))
        if max_norm is not None or by_freq:
            # JSON has no infinity.
            norm = norm_type if norm_type != float("inf") else "inf"
            config |= {"max_norm": max_norm, "norm_type": norm, "scale_grad_by_freq": by_freq}
            before = {"weight": layer.weight.detach().clone()}
        cases.run(config, lambda t: layer(t["ids"]), {"ids": indices(rng, num, *shape)}, layer, before, rng)
    for shape, cin, cout, bias in LINEAR:
        rng = cases.generator()
        config = {"kind": "linear", "cin": cin, "cout": cout, "bias": bias}
        layer = randomise(rng, torch.nn.Linear(cin, cout, bias))
        cases.run(config, lambda t: layer(t["x"]), {"x": leaf(normal(rng, *shape, cin))}, layer, rng=rng)
    for kind, rank in DROPOUT:
        for p, train in [(0.3, False), (0.0, True), (1.0, True)]:
            rng = cases.generator()
            config = {"kind": kind, "p": p, "train": train}
            x = leaf(normal(rng, *(2, 3, 2, 2, 2)[:rank]))
            cases.run(config, lambda t: getattr(F, kind)(t["x"], p, train), {"x": x}, rng=rng)
    return cases
