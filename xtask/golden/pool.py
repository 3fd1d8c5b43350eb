"""Pooling over one to three axes: any kernel, stride, padding, dilation, rounding, divisor; to a given size."""

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


# kind, sizes, out, values
ADAPTIVE = [
    ("adaptive_avg", [7, 7], [1, 1], "normal"),  # ResNet's
    ("adaptive_avg", [5, 3], [7, 3], "normal"),  # larger than the input
    ("adaptive_max", [5, 3], [7, 2], "ties"),
    ("adaptive_max", [6, 7], [4, 3], "nan"),
    ("adaptive_avg", [6, 7], [4, 3], "nan"),
    ("adaptive_max", [4, 5, 3], [3, 2, 2], "nan"),
    ("adaptive_avg", [1], [1], "normal"),
    ("adaptive_max", [9], [4], "ties"),
]
# kind, sizes, kernel, stride, padding, dilation, ceil, count_include_pad, divisor, values
OTHERS = [
    ("avg", [5, 7], [2, 3], [2, 2], [1, 1], [1, 1], True, True, 5, "normal"),
    ("avg", [4, 5, 6], [2, 3, 2], [2, 2, 1], [1, 1, 0], [1, 1, 1], True, False, 7, "normal"),
    ("avg", [6], [3], [2], [1], [1], True, True, None, "normal"),
    ("avg", [6], [3], [2], [1], [1], True, False, None, "normal"),
    ("avg", [5, 4, 6], [3, 2, 3], [2, 2, 2], [1, 1, 1], [1, 1, 1], True, False, None, "normal"),
    ("avg", [5, 4, 6], [3, 2, 3], [2, 2, 2], [1, 1, 1], [1, 1, 1], True, True, None, "normal"),
    ("max", [9], [3], [2], [1], [2], True, True, None, "ties"),
    ("max", [9], [3], [2], [1], [1], False, True, None, "nan"),
    ("max", [4, 4, 5], [2, 2, 2], [2, 2, 2], [0, 0, 0], [1, 1, 1], False, True, None, "ties"),
    ("max", [4, 4, 5], [3, 2, 3], [1, 2, 2], [1, 1, 1], [1, 1, 1], True, True, None, "nan"),
    ("max", [5, 4, 5], [2, 2, 3], [2, 1, 1], [1, 0, 1], [2, 3, 1], True, True, None, "ties"),
    ("avg", [2, 6], [3, 3], [3, 3], [0, 0], [1, 1], True, True, None, "normal"),  # a single window that stands out
    ("avg", [1], [4], [3], [1], [1], True, False, None, "normal"),
    ("max", [2, 1, 6], [3, 2, 3], [2, 3, 3], [0, 0, 1], [1, 1, 1], True, True, None, "ties"),
]


def random_other(rng, k):
    """Windows of one and three axes."""
    kind, nd = ["max", "avg"][k % 2], [1, 3, 1, 3][k // 2 % 4]
    kernel = [draw(rng, 1, 3) for _ in range(nd)]
    dilation = [draw(rng, 1, 2) if kind == "max" else 1 for _ in range(nd)]
    padding = [draw(rng, 0, n // 2) for n in kernel]
    sizes = [d * (n - 1) + 1 + draw(rng, 0, 4 if nd == 3 else 8) for n, d in zip(kernel, dilation)]
    stride = [draw(rng, 1, 3) for _ in range(nd)]
    ceil, count = bool(draw(rng, 0, 1)), bool(draw(rng, 0, 1))
    return kind, sizes, kernel, stride, padding, dilation, ceil, count, None, ["normal", "ties"][k // 4 % 2]


def random_adaptive(rng, k):
    kind, nd = ["adaptive_avg", "adaptive_max"][k % 2], 1 + k // 2 % 3
    largest = 6 if nd == 3 else 9
    sizes, out = ([draw(rng, 1, largest) for _ in range(nd)] for _ in "io")
    return kind, sizes, out, ["normal", "ties"][k // 6 % 2]


def values(rng, what, *shape):
    x = normal(rng, *shape)
    if what == "ties":
        x = x.round()
    if what == "nan":
        x.view(-1)[x.numel() // 2] = torch.nan
    return x


def pool(config, x):
    """What a configuration says, of x."""
    kind, nd = config["kind"], config["nd"]
    if "adaptive" in kind:
        return getattr(F, f"{kind}_pool{nd}d")(x, config["out"])
    sizes = config["kernel"], config["stride"], config["padding"]
    if kind == "max":
        return getattr(F, f"max_pool{nd}d")(x, *sizes, config["dilation"], config["ceil"])
    divisor = {"divisor_override": config["divisor_override"]} if "divisor_override" in config else {}
    return getattr(F, f"avg_pool{nd}d")(x, *sizes, config["ceil"], config["count_include_pad"], **divisor)


def add(cases, rng, kind, sizes, kernel, stride, padding, dilation, ceil, count, divisor, what, out=None):
    nd = len(sizes)
    config = {"kind": kind, "nd": nd, "kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    config |= {"ceil": ceil, "count_include_pad": count, "out": out or [1] * nd}
    if divisor is not None:
        config["divisor_override"] = divisor
    x = values(rng, what, draw(rng, 1, 3 if nd < 3 else 2), draw(rng, 1, 3), *sizes)
    cases.run(config, lambda t: pool(config, t["x"]), {"x": leaf(x)}, rng=rng)


def add_adaptive(cases, rng, kind, sizes, out, what):
    ones, zeros = [1] * len(sizes), [0] * len(sizes)
    add(cases, rng, kind, sizes, ones, ones, zeros, ones, False, True, None, what, out)


def generate():
    cases = CaseSet("pool")
    for k in range(len(FIXED) + 50):
        rng = cases.generator()
        kind, height, width, *options, what = FIXED[k] if k < len(FIXED) else random(rng, k)
        add(cases, rng, kind, [height, width], *options, None, what)
    for options in OTHERS:
        add(cases, cases.generator(), *options)
    for k in range(32):
        rng = cases.generator()
        add(cases, rng, *random_other(rng, k))
    for options in ADAPTIVE:
        add_adaptive(cases, cases.generator(), *options)
    for k in range(24):
        rng = cases.generator()
        add_adaptive(cases, rng, *random_adaptive(rng, k))
    return cases
