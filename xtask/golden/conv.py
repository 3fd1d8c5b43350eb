"""conv2d: stride, padding, dilation, groups, bias and padding modes on odd and non-square sizes."""

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


def random(rng, k):
    groups = [1, 1, 2, 3][draw(rng, 0, 3)]
    kernel, dilation = [draw(rng, 1, 4) for _ in "hw"], [draw(rng, 1, 3) for _ in "hw"]
    sizes = [d * (n - 1) + 1 + draw(rng, 0, 5) for n, d in zip(kernel, dilation)]
    padding = [min(draw(rng, 0, 2), size - 1) for size in sizes]
    stride = [draw(rng, 1, 4) for _ in "hw"]
    channels = groups * draw(rng, 1, 3), groups * draw(rng, 1, 3)
    return (draw(rng, 1, 3), *sizes, *channels, kernel, stride, padding, dilation, groups, bool(draw(rng, 0, 2)), MODES[k % 4])


def generate():
    cases = CaseSet("conv")
    for k in range(len(FIXED) + 60):
        rng = cases.generator()
        options = FIXED[k] if k < len(FIXED) else random(rng, k)
        batch, height, width, cin, cout, kernel, stride, padding, dilation, groups, bias, mode = options
        layer = torch.nn.Conv2d(
            cin, cout, tuple(kernel), tuple(stride), tuple(padding), tuple(dilation), groups, bias, padding_mode=mode
        )
        config = {"kind": "conv2d", "cin": cin, "cout": cout, "kernel": kernel, "stride": stride, "padding": padding}
        config |= {"dilation": dilation, "output_padding": None, "groups": groups, "bias": bias, "mode": mode}
        layer = randomise(rng, layer)
        inputs = {"x": leaf(normal(rng, batch, cin, height, width))}
        cases.run(config, lambda t: layer(t["x"]), inputs, layer, rng=rng)
    return cases
