"""Batch normalisation of zero to two spatial axes and layer normalisation of one or several axes."""

import torch

from case_set import CaseSet, draw, leaf, normal, randomise

BATCH = [
    # nd, eps, affine, train, momentum, track_running_stats
    (nd, eps, affine, train, momentum, track)
    for nd, eps in [(0, 1e-5), (1, 1e-3), (2, 1e-5)]
    for affine, train, momentum, track in [
        (True, True, 0.1, True),
        (True, False, 0.1, True),
        (True, True, None, True),
        (True, False, None, True),
        (False, True, 0.3, True),
        (False, False, 0.3, True),
        (True, True, 0.1, False),
        (True, False, 0.1, False),
        (False, True, 0.0, True),
    ]
]
LAYER = [
    # shape, how many axes from the last are normalised, eps, affine, bias
    ((3, 4, 5), 1, 1e-5, True, True),
    ((3, 4, 5), 1, 1e-5, True, False),
    ((3, 4, 5), 1, 1e-3, False, True),
    ((3, 4, 5), 2, 1e-5, True, True),
    ((2, 4, 3, 5), 3, 1e-3, True, True),
    ((2, 4, 3, 5), 2, 1e-5, True, False),
    ((2, 4, 3, 5), 2, 1e-5, False, False),
    ((5, 7), 1, 1e-5, True, True),
    ((5, 1), 1, 1e-5, True, True),
    ((2, 3, 77), 1, 1e-5, True, True),
    ((3, 257), 1, 1e-12, True, True),
]


def generate():
    cases = CaseSet("norm")
    for nd, eps, affine, train, momentum, track in BATCH:
        rng = cases.generator()
        channels = draw(rng, 2, 6)
        config = {"kind": "batch_norm", "nd": nd, "channels": channels, "eps": eps, "affine": affine, "train": train}
        config |= {"momentum": momentum, "track_running_stats": track}
        make = torch.nn.BatchNorm2d if nd == 2 else torch.nn.BatchNorm1d
        layer = randomise(rng, make(channels, eps, momentum, affine, track)).train(train)
        before = {}
        if track:
            before = {"running_mean": normal(rng, channels), "running_var": normal(rng, channels).abs() + 0.5}
            layer.running_mean.copy_(before["running_mean"])
            layer.running_var.copy_(before["running_var"])
        shape = (draw(rng, 3, 5), channels, *(draw(rng, 2, 5) for _ in range(nd)))
        inputs = {"x": leaf(2 * normal(rng, *shape) + 1)}
        cases.run(config, lambda t: layer(t["x"]), inputs, layer, before, rng)
    for shape, axes, eps, affine, bias in LAYER:
        rng = cases.generator()
        normalized = list(shape[-axes:])
        config = {"kind": "layer_norm", "nd": len(shape) - 2, "channels": shape[1], "eps": eps, "affine": affine}
        config |= {"train": True, "normalized_shape": normalized, "bias": bias}
        layer = randomise(rng, torch.nn.LayerNorm(normalized, eps, affine, bias))
        inputs = {"x": leaf(2 * normal(rng, *shape) + 1)}
        cases.run(config, lambda t: layer(t["x"]), inputs, layer, rng=rng)
    return cases
