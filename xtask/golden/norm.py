"""Normalisation: batch, instance, group, layer and root mean square norms."""

import torch

from case_set import CaseSet, draw, leaf, normal, randomise

BATCH_NORMS = [torch.nn.BatchNorm1d, torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d]
INSTANCE_NORMS = [None, torch.nn.InstanceNorm1d, torch.nn.InstanceNorm2d, torch.nn.InstanceNorm3d]
# affine, train, momentum, track_running_stats
MODES = [
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
GROUP = [
    # shape, groups, eps, affine
    ((3, 4, 5), 2, 1e-5, True),
    ((3, 4, 5), 1, 1e-5, True),
    ((3, 4, 5), 4, 1e-3, False),
    ((3, 6), 2, 1e-5, True),
    ((2, 6, 3, 5), 3, 1e-5, True),
    ((2, 6, 3, 5), 3, 1e-3, False),
    ((2, 4, 2, 3, 2), 2, 1e-5, True),
    ((1, 8, 5, 5), 4, 1e-5, True),
    ((2, 3), 3, 1e-5, True),
]
RMS = [
    # shape, how many axes from the last are normalised, eps, affine
    ((3, 4, 5), 1, None, True),
    ((3, 4, 5), 1, 1e-3, True),
    ((3, 4, 5), 2, 1e-5, False),
    ((2, 4, 3, 5), 3, None, True),
    ((5, 7), 1, 1e-6, True),
    ((7,), 1, 1e-6, True),
    ((5, 1), 1, 1e-5, True),
    ((2, 3, 77), 1, None, True),
]


def generate():
    cases = CaseSet("norm")
    for nd, eps in [(0, 1e-5), (1, 1e-3), (2, 1e-5), (3, 1e-4)]:
        for mode in MODES:
            channel_norm(cases, "batch_norm", BATCH_NORMS[nd], nd, eps, *mode)
    for nd, eps in [(1, 1e-3), (2, 1e-5), (3, 1e-4)]:
        for mode in MODES:
            channel_norm(cases, "instance_norm", INSTANCE_NORMS[nd], nd, eps, *mode)
        channel_norm(cases, "instance_norm", INSTANCE_NORMS[nd], nd, eps, True, True, 0.1, True, batched=False)
    for shape, axes, eps, affine, bias in LAYER:
        rng = cases.generator()
        normalized = list(shape[-axes:])
        config = {"kind": "layer_norm", "nd": len(shape) - 2, "channels": shape[1], "eps": eps, "affine": affine}
        config |= {"train": True, "normalized_shape": normalized, "bias": bias}
        row_norm(cases, config, rng, torch.nn.LayerNorm(normalized, eps, affine, bias), shape)
    for shape, groups, eps, affine in GROUP:
        rng = cases.generator()
        config = {"kind": "group_norm", "nd": len(shape) - 2, "channels": shape[1], "eps": eps, "affine": affine}
        config |= {"train": True, "groups": groups}
        row_norm(cases, config, rng, torch.nn.GroupNorm(groups, shape[1], eps, affine), shape)
    for shape, axes, eps, affine in RMS:
        rng = cases.generator()
        normalized = list(shape[-axes:])
        config = {"kind": "rms_norm", "nd": max(len(shape) - 2, 0), "channels": shape[-1], "eps": eps, "affine": affine}
        config |= {"train": True, "normalized_shape": normalized}
        row_norm(cases, config, rng, torch.nn.RMSNorm(normalized, eps, affine), shape)
    return cases


def channel_norm(cases, kind, make, nd, eps, affine, train, momentum, track, batched=True):
    """A norm that may keep running statistics."""
    rng = cases.generator()
    channels = draw(rng, 2, 6)
    config = {"kind": kind, "nd": nd, "channels": channels, "eps": eps, "affine": affine, "train": train}
    config |= {"momentum": momentum, "track_running_stats": track}
    layer = randomise(rng, make(channels, eps, momentum, affine, track)).train(train)
    before = {}
    if track:
        before = {"running_mean": normal(rng, channels), "running_var": normal(rng, channels).abs() + 0.5}
        layer.running_mean.copy_(before["running_mean"])
        layer.running_var.copy_(before["running_var"])
    samples = (draw(rng, 3, 5),) if batched else ()
    shape = (*samples, channels, *(draw(rng, 2, 3 if nd == 3 else 5) for _ in range(nd)))
    inputs = {"x": leaf(2 * normal(rng, *shape) + 1)}
    cases.run(config, lambda t: layer(t["x"]), inputs, layer, before, rng)


def row_norm(cases, config, rng, layer, shape):
    """A norm without state."""
    inputs = {"x": leaf(2 * normal(rng, *shape) + 1)}
    layer = randomise(rng, layer)
    cases.run(config, lambda t: layer(t["x"]), inputs, layer, rng=rng)
