"""Upsampling in every mode, and padding of the last axes."""

import torch
import torch.nn.functional as F

from case_set import CaseSet, draw, leaf, normal

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
# sizes, size, scale, mode, align_corners, recompute_scale_factor
UPSAMPLE = [
    ([4], [8], None, "nearest", None, None),
    ([3, 5], None, [2.0, 2.0], "nearest", None, None),
    ([3, 5], [7, 4], None, "nearest", None, None),
    ([5, 7], None, [2.3, 0.6], "nearest", None, None),
    ([5, 7], None, [2.3, 0.6], "nearest", None, True),
    ([2, 3, 4], [5, 3, 7], None, "nearest", None, None),
    ([7], [3], None, "nearest-exact", None, None),
    ([3, 5], [7, 4], None, "nearest-exact", None, None),
    ([4, 3], None, [1.7, 2.5], "nearest-exact", None, None),
    ([5], [9], None, "linear", False, None),
    ([5], [9], None, "linear", True, None),
    ([4, 3], None, [2.0, 2.0], "linear", False, None),
    ([4, 3], None, [2.0, 2.0], "linear", True, None),
    ([4, 3], [7, 2], None, "linear", False, None),
    ([4, 3], [1, 5], None, "linear", True, None),
    ([5, 4], None, [1.7, 0.8], "linear", False, None),
    ([5, 4], None, [1.7, 0.8], "linear", False, True),
    ([5, 4], [5, 4], None, "linear", False, None),
    ([2, 3, 4], [5, 3, 7], None, "linear", False, None),
    ([2, 3, 4], None, [2.0, 1.5, 0.5], "linear", True, None),
    ([1, 1], [3, 2], None, "linear", False, None),
    ([4, 5], None, [2.0, 2.0], "bicubic", False, None),
    ([4, 5], [7, 3], None, "bicubic", False, None),
    ([4, 5], [7, 3], None, "bicubic", True, None),
    ([2, 1], None, [2.6, 3.0], "bicubic", False, None),
    ([6, 5], None, [0.7, 1.9], "bicubic", False, True),
]
# sizes, [before, after] of the last axes in their order, mode, value
PAD = [
    ([4], [[2, 1]], "constant", 0.0),
    ([3, 4], [[1, 0], [2, 3]], "constant", 1.5),
    ([3, 4], [[-1, 2], [1, -2]], "constant", -2.0),
    ([5], [[4, 2]], "reflect", 0.0),
    ([3, 4], [[2, 1], [0, 3]], "reflect", 0.0),
    ([3, 2, 4], [[1, 2], [1, 0], [3, 3]], "reflect", 0.0),
    ([4], [[3, 6]], "replicate", 0.0),
    ([3, 4], [[0, 4], [2, 1]], "replicate", 0.0),
    ([2, 3, 2], [[1, 1], [0, 2], [3, 0]], "replicate", 0.0),
    ([4], [[4, 1]], "circular", 0.0),
    ([3, 4], [[2, 3], [4, 0]], "circular", 0.0),
    ([2, 3, 2], [[1, 1], [0, 2], [2, 0]], "circular", 0.0),
]


def generate():
    cases = CaseSet("resample")
    for sizes, size, scale, mode, align_corners, recompute in UPSAMPLE:
        rng = cases.generator()
        config = {"kind": "upsample", "size": size, "scale": scale, "mode": mode}
        config |= {"align_corners": bool(align_corners), "recompute_scale_factor": bool(recompute)}
        options = {"mode": LINEAR[len(sizes)] if mode == "linear" else mode, "align_corners": align_corners}
        options |= {"size": size, "scale_factor": scale, "recompute_scale_factor": recompute}
        x = leaf(normal(rng, draw(rng, 1, 2), draw(rng, 1, 3), *sizes))
        cases.run(config, lambda t: F.interpolate(t["x"], **options), {"x": x}, rng=rng)
    for sizes, amounts, mode, value in PAD:
        rng = cases.generator()
        config = {"kind": "pad", "before": [a for a, _ in amounts], "after": [b for _, b in amounts]}
        config |= {"mode": mode, "value": value}
        backwards = [amount for pair in reversed(amounts) for amount in pair]
        x = leaf(normal(rng, draw(rng, 1, 2), draw(rng, 1, 3), *sizes))
        cases.run(config, lambda t: F.pad(t["x"], backwards, mode, value), {"x": x}, rng=rng)
    return cases
