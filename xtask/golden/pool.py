"""max and average pooling in two dimensions: any kernel, stride, padding, dilation, rounding."""

import torch
import torch.nn.functional as F

from case_set import CaseSet, draw, leaf, normal

# kind, height, width, kernel, stride, padding, dilation, ceil, count_include_pad, values
FIXED = [
    ("max", 28, 28, [2, 2], [2, 2], [0, 0], [1, 1], False, True, "normal"),  # LeNet's
    ("avg", 28, 28, [2, 2], [2, 2], [0, 0], [1, 1], False, True, "normal"),
    ("max", 15, 13, [3, 3], [2, 2], [1, 1], [1, 1], False, True, "normal"),  # ResNet's stem
    ("max", 9, 7, [3, 3], [2, 2], [1, 1], [1, 1], False, True, "ties"),
    ("max", 6, 5, [2, 2], [2, 2], [0, 0], [1, 1], True, True, "ties"),
    ("max", 6, 5, [3, 2], [1, 1], [1, 1], [1, 1], False, True, "nan"),
    ("max", 7, 6, [2, 3], [3, 4], [0, 1], [2, 1], True, True, "normal"),
    ("max", 3, 4, [3, 4], [1, 1], [0, 0], [1, 1], False, True, "normal"),  # one window
    ("avg", 6, 6, [3, 3], [2, 2], [1, 1], [1, 1], True, True, "normal"),  # the last window hangs over
    ("avg", 6, 6, [3, 3], [2, 2], [1, 1], [1, 1], True, False, "normal"),
    ("avg", 5, 7, [2, 4], [3, 3], [1, 2], [1, 1], True, True, "normal"),  # a window that starts in the padding is dropped
    ("avg", 5, 7, [1, 1], [3, 2], [0, 0], [1, 1], False, True, "normal"),  # stride > kernel
    ("avg", 4, 9, [4, 3], [2, 2], [2, 0], [1, 1], True, True, "normal"),
]


def random(rng, k):
    kind = ["max", "avg"][k % 2]
    kernel = [draw(rng, 1, 4) for _ in "hw"]
    dilation = [draw(rng, 1, 3) if kind == "max" else 1 for _ in "hw"]
    padding = [draw(rng, 0, n // 2) for n in kernel]
    sizes = [d * (n - 1) + 1 + draw(rng, 0, 6) for n, d in zip(kernel, dilation)]
    stride = [draw(rng, 1, 4) for _ in "hw"]
    ceil, count = bool(draw(rng, 0, 1)), bool(draw(rng, 0, 1))
    return kind, *sizes, kernel, stride, padding, dilation, ceil, count, ["normal", "ties"][k // 2 % 2]


def values(rng, what, *shape):
    x = normal(rng, *shape)
    if what == "ties":
        x = x.round()
    if what == "nan":
        x.view(-1)[x.numel() // 2] = torch.nan
    return x


def generate():
    cases = CaseSet("pool")
    for k in range(len(FIXED) + 50):
        rng = cases.generator()
        options = FIXED[k] if k < len(FIXED) else random(rng, k)
        kind, height, width, kernel, stride, padding, dilation, ceil, count, what = options
        config = {"kind": kind, "nd": 2, "kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
        config |= {"ceil": ceil, "count_include_pad": count, "out": [1, 1]}

        def pool(t):
            if kind == "max":
                return F.max_pool2d(t["x"], kernel, stride, padding, dilation, ceil)
            return F.avg_pool2d(t["x"], kernel, stride, padding, ceil, count)

        x = values(rng, what, draw(rng, 1, 3), draw(rng, 1, 3), height, width)
        cases.run(config, pool, {"x": leaf(x)}, rng=rng)
    return cases
