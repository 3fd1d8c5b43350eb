"""Losses over a grid of their options: of classes, yes and no, numbers and unaligned labels here, all others in `more_losses`."""

import torch
import torch.nn.functional as F

import more_losses
from case_set import CaseSet, indices, leaf, normal

# shape of x, its scale, whether classes are weighted, ignore_index, label_smoothing
CROSS_ENTROPY = [
    ((5, 4), 1.0, False, -100, 0.0),
    ((3, 10), 40.0, False, -100, 0.0),  # probabilities that underflow
    ((1, 2), 1.0, False, -100, 0.0),
    ((4, 1), 1.0, False, -100, 0.0),
    ((7, 65), 2.0, False, -100, 0.0),
    ((2, 4, 3), 1.0, False, -100, 0.0),
    ((2, 3, 3, 2), 1.0, True, -100, 0.0),
    ((6, 3), 1.0, True, 1, 0.0),
    ((6, 3), 1.0, True, -1, 0.0),
    ((5, 4), 1.0, False, -100, 0.1),
    ((9, 3), 1.0, True, 0, 0.3),
    ((2, 4, 3), 1.0, True, 2, 1.0),
    ((4,), 1.0, False, -100, 0.0),
    ((4,), 1.0, True, -100, 0.2),
    ((2, 3, 2, 1, 2), 1.0, True, -1, 0.1),
]

# shape of x, whether classes are weighted, label_smoothing
CROSS_ENTROPY_SOFT = [
    ((5, 4), False, 0.0),
    ((5, 4), True, 0.0),
    ((4,), True, 0.1),
    ((2, 4, 3), False, 0.1),
    ((2, 3, 3, 2), True, 0.3),
    ((3, 4), False, 1.0),
]

# shape of x, whether classes are weighted, ignore_index
NLL = [
    ((4, 3), False, -100),
    ((4, 3), True, -100),
    ((6, 3), True, 1),
    ((4,), True, -100),
    ((2, 4, 3), False, -1),
    ((2, 3, 3, 2), True, -1),
]

# shape of x, of weight, of pos_weight
BCE_WITH_LOGITS = [
    ((3, 4), None, None),
    ((3, 4), None, (4,)),
    ((3, 4), (3, 1), None),
    ((2, 3, 4), (3, 4), (3, 1)),
    ((5,), (5,), (1,)),
]

# shape of x, of weight
BCE = [((3, 4), None), ((3, 4), (3, 1)), ((5,), (5,)), ((2, 3, 2), (2,))]

# logit, target: where PyTorch defines the loss and its slope, however far out
EXTREME_LOGITS = [
    (1e4, 1.0), (1e4, 0.0), (-1e4, 1.0), (-1e4, 0.0), (1e4, 0.3), (-1e4, 0.3), (90.0, 1.0), (-90.0, 1.0), (0.0, 0.5),
]  # fmt: skip

# frames, classes, each row's length and labels, longest row of the padded targets (None: one after the other), blank,
# zero_infinity
CTC = [
    (8, 5, [(8, [1, 2, 3]), (6, [4]), (8, [2, 2, 1, 4])], 4, 0, False),
    (8, 5, [(8, [1, 2, 3]), (6, [4]), (8, [2, 2, 1, 4])], None, 0, False),
    (7, 4, [(7, [0, 1, 0]), (5, [])], 3, 3, False),
    (6, 3, [(6, [1, 1, 1]), (4, [2, 2])], 5, 0, True),
    (4, 3, [(4, [1, 1, 1]), (4, [1, 2, 1]), (3, [2, 2, 2])], 3, 0, True),  # frames for one of three
    (5, 4, [(0, []), (5, [1, 3]), (0, [2])], 2, 0, True),
    (1, 2, [(1, [1]), (1, [])], 1, 0, False),
    (30, 9, [(30, [1, 2, 2, 8, 4, 4, 4, 3, 7, 1, 5, 6]), (23, [8, 8, 8, 1])], 12, 0, False),
    (6, 4, [(6, [1, 3, 2])], "unbatched", 0, False),
]

# kind, function, options; each with two shapes
ELEMENTWISE = [
    ("mse", F.mse_loss, {}),
    ("l1", F.l1_loss, {}),
    ("smooth_l1", F.smooth_l1_loss, {"beta": 1.0}),
    ("smooth_l1", F.smooth_l1_loss, {"beta": 0.3}),
    ("smooth_l1", F.smooth_l1_loss, {"beta": 0.0}),
    ("huber", F.huber_loss, {"delta": 1.0}),
    ("huber", F.huber_loss, {"delta": 0.4}),
]

# the same with weights of the elements
WEIGHTED = [
    ("mse", F.mse_loss, {}),
    ("l1", F.l1_loss, {}),
    ("huber", F.huber_loss, {"delta": 1.0}),
    ("huber", F.huber_loss, {"delta": 0.4}),
]


def generate():
    cases = CaseSet("losses")
    for reduction in ["none", "mean", "sum"]:
        for options in CROSS_ENTROPY:
            cross_entropy(cases, reduction, *options)
        for options in CROSS_ENTROPY_SOFT:
            cross_entropy_soft(cases, reduction, *options)
        for options in NLL:
            nll(cases, reduction, *options)
        for options in BCE_WITH_LOGITS:
            bce_with_logits(cases, reduction, *options)
        for options in BCE:
            bce(cases, reduction, *options)
        for kind, function, options in ELEMENTWISE:
            for shape in [(3, 4), (2, 3, 1, 5)]:
                elementwise(cases, reduction, kind, function, options, shape)
        extreme_logits(cases, reduction)
        for options in CTC:
            ctc(cases, reduction, *options)
    for reduction in ["none", "mean", "sum"]:
        more_losses.generate(cases, reduction)
    for reduction in ["none", "mean", "sum"]:
        for kind, function, options in WEIGHTED:
            for shape in [(3, 4), (2, 3, 1, 5)]:
                weighted(cases, reduction, kind, function, options, shape)
    return cases


def cross_entropy(cases, reduction, shape, scale, weighted, ignore, smoothing):
    rng = cases.generator()
    config = {"kind": "cross_entropy", "reduction": reduction, "ignore_index": ignore, "label_smoothing": smoothing}
    target = class_numbers(rng, shape, ignore)
    inputs = {"x": leaf(scale * normal(rng, *shape)), "target": target}
    add_class_weights(rng, inputs, weighted)
    cases.run(
        config,
        lambda t: F.cross_entropy(
            t["x"], t["target"], t.get("weight"), ignore_index=ignore, label_smoothing=smoothing, reduction=reduction
        ),
        inputs,
        rng=rng,
    )


def cross_entropy_soft(cases, reduction, shape, weighted, smoothing):
    rng = cases.generator()
    config = {"kind": "cross_entropy_soft", "reduction": reduction, "label_smoothing": smoothing}
    target = normal(rng, *shape).softmax(class_axis(shape))
    inputs = {"x": leaf(normal(rng, *shape)), "target": leaf(target)}
    add_class_weights(rng, inputs, weighted)
    cases.run(
        config,
        lambda t: F.cross_entropy(
            t["x"], t["target"], t.get("weight"), label_smoothing=smoothing, reduction=reduction
        ),
        inputs,
        rng=rng,
    )


def nll(cases, reduction, shape, weighted, ignore):
    rng = cases.generator()
    config = {"kind": "nll", "reduction": reduction, "ignore_index": ignore}
    target = class_numbers(rng, shape, ignore)
    inputs = {"x": leaf(normal(rng, *shape).log_softmax(class_axis(shape))), "target": target}
    add_class_weights(rng, inputs, weighted)
    cases.run(
        config,
        lambda t: F.nll_loss(t["x"], t["target"], t.get("weight"), ignore_index=ignore, reduction=reduction),
        inputs,
        rng=rng,
    )


def bce_with_logits(cases, reduction, shape, weight, pos_weight):
    rng = cases.generator()
    inputs = {"x": leaf(4.0 * normal(rng, *shape)), "target": leaf(normal(rng, *shape).sigmoid())}
    add_positive(rng, inputs, weight=weight, pos_weight=pos_weight)
    cases.run(
        {"kind": "bce_with_logits", "reduction": reduction},
        lambda t: F.binary_cross_entropy_with_logits(
            t["x"], t["target"], t.get("weight"), pos_weight=t.get("pos_weight"), reduction=reduction
        ),
        inputs,
        rng=rng,
    )


def extreme_logits(cases, reduction):
    rng = cases.generator()
    x, target = torch.tensor(EXTREME_LOGITS).T
    inputs = {"x": leaf(x), "target": leaf(target)}
    cases.run(
        {"kind": "bce_with_logits", "reduction": reduction},
        lambda t: F.binary_cross_entropy_with_logits(t["x"], t["target"], reduction=reduction),
        inputs,
        rng=rng,
    )


def ctc(cases, reduction, frames, classes, rows, longest, blank, zero_infinity):
    """x is what goes into the log-softmax: PyTorch's gradient is right for nothing else."""
    rng = cases.generator()
    labels = [torch.tensor(labels, dtype=torch.long) for _, labels in rows]
    if longest is None or longest == "unbatched":
        target = torch.cat(labels)
    else:
        # What fills a row up is never read.
        target = torch.full((len(rows), longest), blank)
        for row, own in zip(target, labels):
            row[: len(own)] = own
    batch = () if longest == "unbatched" else (len(rows),)
    inputs = {
        "x": leaf(2.0 * normal(rng, frames, *batch, classes)),
        "target": target,
        "input_lengths": torch.tensor([length for length, _ in rows]),
        "target_lengths": torch.tensor([len(own) for own in labels]),
    }
    cases.run(
        {"kind": "ctc", "reduction": reduction, "blank": blank, "zero_infinity": zero_infinity},
        lambda t: F.ctc_loss(
            t["x"].log_softmax(-1),
            t["target"],
            t["input_lengths"],
            t["target_lengths"],
            blank=blank,
            reduction=reduction,
            zero_infinity=zero_infinity,
        ),
        inputs,
        rng=rng,
    )


def bce(cases, reduction, shape, weight):
    rng = cases.generator()
    x = normal(rng, *shape).sigmoid()
    target = (normal(rng, *shape) > 0).double()
    if weight is not None:
        # Surely right, and surely wrong: the logarithms' bound.
        x.view(-1)[:2] = target.view(-1)[:2] = 1.0
        target.view(-1)[1] = 0.0
    inputs = {"x": leaf(x), "target": target if weight else leaf(target)}
    add_positive(rng, inputs, weight=weight)
    cases.run(
        {"kind": "bce", "reduction": reduction},
        lambda t: F.binary_cross_entropy(t["x"], t["target"], t.get("weight"), reduction=reduction),
        inputs,
        rng=rng,
    )


def elementwise(cases, reduction, kind, function, options, shape):
    rng = cases.generator()
    target = normal(rng, *shape)
    x = normal(rng, *shape)
    # Where nothing is wrong, the slope is 0.
    x.view(-1)[0] = target.view(-1)[0]
    inputs = {"x": leaf(x), "target": leaf(target)}
    cases.run(
        {"kind": kind, "reduction": reduction, **options},
        lambda t: function(t["x"], t["target"], reduction=reduction, **options),
        inputs,
        rng=rng,
    )


def weighted(cases, reduction, kind, function, options, shape):
    rng = cases.generator()
    x, target = normal(rng, *shape), normal(rng, *shape)
    weight = normal(rng, *shape).abs()
    # Where nothing is wrong, and far out; what counts for nothing.
    x.view(-1)[0] = target.view(-1)[0]
    x.view(-1)[1] = 1e4
    weight.view(-1)[2] = 0.0
    cases.run(
        {"kind": kind, "reduction": reduction, **options},
        lambda t: function(t["x"], t["target"], reduction=reduction, weight=t["weight"], **options),
        {"x": leaf(x), "target": leaf(target), "weight": leaf(weight)},
        rng=rng,
    )


def class_axis(shape):
    return 1 if len(shape) > 1 else 0


def class_numbers(rng, shape, ignore):
    """One class for each row; where the ignored number is no class, every second row has it."""
    axis = class_axis(shape)
    target = indices(rng, shape[axis], *shape[:axis], *shape[axis + 1 :])
    if ignore == -1:
        target.view(-1)[::2] = ignore
    return target


def add_class_weights(rng, inputs, weighted):
    shape = inputs["x"].shape
    if weighted:
        add_positive(rng, inputs, weight=(shape[class_axis(shape)],))


def add_positive(rng, inputs, **shapes):
    for name, shape in shapes.items():
        if shape is not None:
            inputs[name] = normal(rng, *shape).abs() + 0.1
