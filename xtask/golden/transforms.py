"""Transforms of images that draw nothing, and MixUp with a given share, as torchvision has them."""

import torch
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as F

from case_set import CaseSet, indices, normal

# image's shape, crop's height and width
CENTER_CROP = [
    ([2, 3, 6, 8], 4, 4),
    ([1, 7, 5], 4, 2),
    ([1, 5, 7], 2, 4),
    ([6, 3], 3, 2),
    ([2, 3, 4], 7, 7),
    ([2, 3, 4], 2, 9),
    ([1, 4, 4], 4, 4),
]
FLIP = [[2, 3, 4, 5], [3, 4], [1, 5, 1]]
# image's shape, degrees, fill; no angle by which a pixel falls halfway between two, where rounding errors decide
ROTATE = [
    ([2, 3, 5, 7], 33.0, None),
    ([2, 3, 5, 7], 33.0, 0.0),
    ([1, 7, 4], -17.5, 2.5),
    ([3, 8, 8], 123.0, None),
    ([3, 8, 8], 301.25, -1.0),
    ([6, 6], 90.0, 3.0),
    ([2, 6, 6], 270.0, None),
    ([2, 5, 4], 180.0, 1.0),
    ([1, 5, 4], -360.0, None),
    ([2, 5, 4], 90.5, None),
    ([1, 1, 6], 10.0, 1.0),
]
MIX_UP = [0.0, 0.3, 1.0]


def image(rng, shape, dtype):
    return indices(rng, 256, *shape).to(torch.uint8) if dtype == "u8" else normal(rng, *shape)


def generate():
    cases = CaseSet("transforms")
    for dtype in ("f64", "u8"):
        for shape, height, width in CENTER_CROP:
            x = image(cases.generator(), shape, dtype)
            config = {"kind": "center_crop", "dtype": dtype, "height": height, "width": width}
            cases.add(config, **{"in.x": x, "out.0": F.center_crop(x, [height, width])})
        for shape in FLIP:
            for kind, flip in (("horizontal_flip", F.horizontal_flip), ("vertical_flip", F.vertical_flip)):
                x = image(cases.generator(), shape, dtype)
                cases.add({"kind": kind, "dtype": dtype}, **{"in.x": x, "out.0": flip(x)})
        for shape, degrees, fill in ROTATE:
            fill = fill if dtype == "f64" or fill is None else abs(round(fill))
            for mode in ("nearest", "bilinear"):
                rng = cases.generator()
                # torchvision takes images with an axis of channels.
                x = image(rng, shape, dtype)
                batch = x if x.ndim > 2 else x[None]
                y = F.rotate(batch, degrees, InterpolationMode(mode), fill=fill).reshape(x.shape)
                config = {"kind": "rotate", "dtype": dtype, "degrees": degrees, "mode": mode, "fill": fill}
                cases.add(config, **{"in.x": x, "out.0": y})
    for share in MIX_UP:
        rng = cases.generator()
        x = normal(rng, 4, 2, 3, 3)
        labels = indices(rng, 5, 4)
        one_hot = torch.nn.functional.one_hot(labels, 5).double()
        mix = v2.MixUp()
        mix.make_params = lambda flat, share=share: {"lam": share}
        y, targets = mix(x, one_hot)
        tensors = {"in.x": x, "in.targets": one_hot, "in.labels": labels, "out.0": y, "out.1": targets}
        cases.add({"kind": "mix_up", "dtype": "f64", "share": share}, **tensors)
    return cases
