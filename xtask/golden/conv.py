"""Convolution and transposed convolution of one to three axes: every option on odd and unequal sizes."""

import torch

from case_set import CaseSet, draw, leaf, normal, randomise

MODES = ["zeros", "reflect", "replicate", "circular"]
# batch, height, width, cin, cout, kernel, stride, padding, dilation, groups, bias, mode
FIXED = [
    (2, 28, 28, 1, 6, [5, 5], [1, 1], [2, 2], [1, 1], 1, True, "zeros"),  # LeNet's first
    (3, 14, 14, 6, 16, [5, 5], [1, 1], [0, 0], [1, 1], 1, True, "zeros"),  # LeNet's second
    (2, 9, 11, 5, 37, [3, 3], [1, 1], [1, 1], [1, 1], 1, True, "zeros"),  # more channels than a tile has columns
    (2, 9, 11, 33, 3, [3, 3], [2, 2], [1, 1], [1, 1], 1, False, "zeros"),
    (3, 7, 5, 19, 21, [1, 1], [1, 1], [0, 0], [1, 1], 1, True, "zeros"),  # a product, no window
    (2, 7, 6, 8, 8, [3, 3], [1, 1], [1, 1], [1, 1], 8, True, "zeros"),  # depthwise
    (2, 7, 6, 5, 15, [3, 2], [2, 1], [1, 0], [1, 2], 5, True, "zeros"),  # depthwise, three outputs a channel
    (1, 8, 8, 2, 3, [3, 3], [2, 2], [0, 0], [1, 1], 1, True, "zeros"),  # the last row and column are never read
    (2, 7, 8, 2, 3, [2, 2], [3, 4], [0, 0], [1, 1], 1, True, "zeros"),  # stride > kernel
    (2, 3, 2, 2, 3, [3, 2], [1, 1], [0, 0], [1, 1], 1, True, "zeros"),  # one output position
    (1, 1, 1, 1, 1, [1, 1], [1, 1], [0, 0], [1, 1], 1, False, "zeros"),
    (2, 4, 3, 2, 2, [2, 2], [1, 1], [3, 4], [1, 1], 1, True, "zeros"),  # windows that lie in the padding alone
    (2, 5, 4, 2, 3, [3, 3], [1, 2], [4, 3], [1, 1], 1, True, "reflect"),  # the widest padding that it allows
    (2, 5, 4, 2, 3, [3, 3], [1, 2], [5, 4], [1, 1], 1, True, "circular"),
    (2, 3, 2, 2, 3, [3, 3], [1, 1], [5, 4], [1, 1], 1, True, "replicate"),
]


# kind, batch, sizes, cin, cout, kernel, stride, padding, dilation, output_padding, groups, bias, mode; padding "same" or "valid"
OTHERS = [
    ("conv1d", 2, [9], 3, 4, [4], [1], "same", [1], None, 1, True, "zeros"),  # one more on the right
    ("conv1d", 2, [9], 4, 2, [4], [1], "same", [2], None, 2, True, "reflect"),
    ("conv1d", 2, [9], 3, 4, [3], [2], "valid", [2], None, 1, True, "zeros"),
    ("conv1d", 3, [40], 5, 7, [9], [3], [4], [1], None, 1, True, "circular"),
    ("conv1d", 1, [1], 1, 1, [1], [1], [0], [1], None, 1, False, "zeros"),
    ("conv2d", 2, [5, 6], 2, 3, [4, 3], [1, 1], "same", [1, 2], None, 1, True, "zeros"),
    ("conv2d", 2, [5, 6], 2, 2, [2, 4], [1, 1], "same", [1, 1], None, 2, True, "circular"),
    ("conv2d", 2, [5, 6], 2, 3, [3, 4], [1, 1], "same", [1, 1], None, 1, False, "replicate"),
    ("conv3d", 2, [3, 4, 5], 2, 3, [2, 3, 4], [1, 1, 1], "same", [2, 1, 1], None, 1, True, "zeros"),
    ("conv3d", 2, [3, 4, 3], 2, 2, [4, 2, 3], [1, 1, 1], "same", [1, 1, 1], None, 2, True, "reflect"),
    ("conv3d", 1, [4, 3, 5], 4, 4, [3, 3, 3], [1, 1, 1], [1, 1, 1], [1, 1, 1], None, 4, True, "zeros"),  # depthwise
    ("conv3d", 2, [4, 3, 5], 2, 3, [2, 2, 2], [3, 2, 4], [0, 0, 0], [1, 1, 1], None, 1, True, "zeros"),  # stride > kernel
    ("conv3d", 1, [2, 2, 2], 1, 1, [1, 1, 1], [1, 1, 1], [2, 1, 0], [1, 1, 1], None, 1, False, "zeros"),
    ("conv_transpose1d", 2, [5], 4, 3, [3], [2], [1], [1], [1], 1, True, "zeros"),
    ("conv_transpose1d", 2, [4], 3, 3, [2], [1], [0], [3], [2], 3, True, "zeros"),  # output padding above the stride
    ("conv_transpose1d", 1, [7], 2, 3, [1], [1], [2], [1], [0], 1, True, "zeros"),
    ("conv_transpose2d", 2, [4, 5], 8, 4, [2, 2], [2, 2], [0, 0], [1, 1], [0, 0], 1, True, "zeros"),  # U-Net's
    ("conv_transpose2d", 2, [5, 4], 3, 5, [4, 4], [2, 2], [1, 1], [1, 1], [0, 0], 1, False, "zeros"),  # DCGAN's
    ("conv_transpose2d", 2, [3, 4], 6, 6, [3, 2], [1, 3], [1, 0], [2, 1], [1, 2], 6, True, "zeros"),  # depthwise
    ("conv_transpose2d", 1, [1, 1], 2, 3, [3, 4], [1, 1], [0, 1], [1, 1], [0, 0], 1, True, "zeros"),
    ("conv_transpose2d", 17, [2, 3], 3, 9, [2, 3], [2, 1], [0, 1], [1, 1], [1, 0], 1, True, "zeros"),
    ("conv_transpose3d", 2, [2, 3, 2], 4, 2, [2, 3, 2], [2, 1, 3], [0, 1, 0], [1, 2, 1], [1, 1, 2], 2, True, "zeros"),
    ("conv_transpose3d", 1, [3, 2, 2], 2, 3, [3, 3, 3], [2, 2, 2], [1, 1, 1], [1, 1, 1], [1, 1, 1], 1, True, "zeros"),
]
RANDOM_OTHERS = ["conv1d", "conv_transpose1d", "conv3d", "conv_transpose2d", "conv_transpose3d"] * 12


def random_other(rng, kind, k):
    nd, transposed = int(kind[-2]), "transpose" in kind
    groups = [1, 1, 2, 3][draw(rng, 0, 3)]
    channels = groups * draw(rng, 1, 2), groups * draw(rng, 1, 2)
    largest, spare = (4, 5) if nd < 3 else (3, 2)
    kernel, dilation = [draw(rng, 1, largest) for _ in range(nd)], [draw(rng, 1, 2) for _ in range(nd)]
    stride = [draw(rng, 1, 3) for _ in range(nd)]
    batch, bias = draw(rng, 1, 2), bool(draw(rng, 0, 2))
    if not transposed:
        sizes = [d * (n - 1) + 1 + draw(rng, 0, spare) for n, d in zip(kernel, dilation)]
        padding = [min(draw(rng, 0, 2), size - 1) for size in sizes]
        return kind, batch, sizes, *channels, kernel, stride, padding, dilation, None, groups, bias, MODES[k // 5 % 4]
    extra = [draw(rng, 0, max(s, d) - 1) for s, d in zip(stride, dilation)]
    sizes = [draw(rng, 1, spare) for _ in range(nd)]
    padding = []
    for size, n, s, d, more in zip(sizes, kernel, stride, dilation, extra):
        whole = (size - 1) * s + d * (n - 1) + more + 1
        padding.append(draw(rng, 0, min(2, (whole - 1) // 2)))
    return kind, batch, sizes, *channels, kernel, stride, padding, dilation, extra, groups, bias, "zeros"


def random(rng, k):
    groups = [1, 1, 2, 3][draw(rng, 0, 3)]
    kernel, dilation = [draw(rng, 1, 4) for _ in "hw"], [draw(rng, 1, 3) for _ in "hw"]
    sizes = [d * (n - 1) + 1 + draw(rng, 0, 5) for n, d in zip(kernel, dilation)]
    padding = [min(draw(rng, 0, 2), size - 1) for size in sizes]
    stride = [draw(rng, 1, 4) for _ in "hw"]
    channels = groups * draw(rng, 1, 3), groups * draw(rng, 1, 3)
    return (draw(rng, 1, 3), *sizes, *channels, kernel, stride, padding, dilation, groups, bool(draw(rng, 0, 2)), MODES[k % 4])


def layer_of(options):
    kind, _, _, cin, cout, kernel, stride, padding, dilation, output_padding, groups, bias, mode = options
    padding = padding if isinstance(padding, str) else tuple(padding)
    name = kind.replace("conv_transpose", "ConvTranspose").replace("conv", "Conv")
    extra = () if output_padding is None else (tuple(output_padding),)
    if extra:
        return getattr(torch.nn, name)(
            cin, cout, tuple(kernel), tuple(stride), padding, *extra, groups, bias, tuple(dilation)
        )
    return getattr(torch.nn, name)(
        cin, cout, tuple(kernel), tuple(stride), padding, tuple(dilation), groups, bias, padding_mode=mode
    )


def add(cases, rng, options):
    kind, batch, sizes, cin, cout, kernel, stride, padding, dilation, output_padding, groups, bias, mode = options
    config = {"kind": kind, "cin": cin, "cout": cout, "kernel": kernel, "stride": stride, "padding": padding}
    config |= {"dilation": dilation, "output_padding": output_padding, "groups": groups, "bias": bias, "mode": mode}
    if isinstance(padding, str):
        config |= {"padding": [0] * len(kernel), "padding_name": padding}
    layer = randomise(rng, layer_of(options))
    inputs = {"x": leaf(normal(rng, batch, cin, *sizes))}
    cases.run(config, lambda t: layer(t["x"]), inputs, layer, rng=rng)


def generate():
    cases = CaseSet("conv")
    for k in range(len(FIXED) + 60):
        rng = cases.generator()
        batch, height, width, *rest = FIXED[k] if k < len(FIXED) else random(rng, k)
        cin, cout, kernel, stride, padding, dilation, *last = rest
        add(cases, rng, ("conv2d", batch, [height, width], cin, cout, kernel, stride, padding, dilation, None, *last))
    for options in OTHERS:
        add(cases, cases.generator(), options)
    for k, kind in enumerate(RANDOM_OTHERS):
        rng = cases.generator()
        add(cases, rng, random_other(rng, kind, k))
    return cases
