"""Losses of margins, likelihoods, embeddings and regions over a grid of their options.

What PyTorch lacks is written in its operations, as the paper or the named package has it.
"""

import math

import torch
import torch.nn.functional as F
from torchvision.ops import sigmoid_focal_loss

from case_set import indices, leaf, normal

EXTREMES = [1e4, -1e4, 1e4, -1e4]


def generate(cases, reduction):
    for shape in [(3, 4), (2, 3, 1, 5)]:
        log_cosh(cases, reduction, shape)
        for q in [0.5, 0.1, 0.75]:
            quantile(cases, reduction, shape, q)
    for shape, log_input, full, eps in [
        ((3, 4), True, False, 1e-8),
        ((2, 3, 2), True, True, 1e-8),
        ((3, 4), False, False, 1e-8),
        ((5,), False, True, 0.3),
    ]:
        poisson_nll(cases, reduction, shape, log_input, full, eps)
    for shape, var, full, eps in [
        ((3, 4), (3, 4), False, 1e-6),
        ((3, 4), (3,), True, 1e-6),
        ((2, 3, 4), (2, 1, 4), False, 0.5),
        ((5,), (5,), True, 0.2),
    ]:
        gaussian_nll(cases, reduction, shape, var, full, eps)
    for log_target in [False, True]:
        for shape in [(3, 4), (2, 3, 2)]:
            for mean in {"mean": ["mean", "batchmean"]}.get(reduction, [reduction]):
                kl_div(cases, mean, shape, log_target)
    for shape, alpha, gamma, soft in [
        ((3, 4), 0.25, 2.0, False),
        ((2, 3, 2), 0.25, 2.0, True),
        ((3, 4), -1, 2.0, False),
        ((3, 4), 0.6, 0.0, False),
        ((3, 4), 0.6, 0.5, True),
        ((5,), 1.0, 3.0, False),
    ]:
        sigmoid_focal(cases, reduction, shape, alpha, gamma, soft)
    for shape, gamma, weighted, ignore in [
        ((5, 4), 2.0, False, -100),
        ((5, 4), 0.5, True, -100),
        ((6, 3), 0.0, True, 1),
        ((4,), 2.0, True, -100),
        ((2, 4, 3), 3.0, False, -1),
    ]:
        softmax_focal(cases, reduction, shape, gamma, weighted, ignore)
    for shape in [(3, 4), (2, 3, 1, 5)]:
        hinge(cases, reduction, shape)
        soft_margin(cases, reduction, shape)
        for margin in [1.0, 0.3]:
            hinge_embedding(cases, reduction, shape, margin)
    for shape, p, margin, weighted, values in [
        ((5, 4), 1, 1.0, False, []),
        ((5, 4), 2, 0.5, True, []),
        ((4,), 1, 1.0, True, []),
        ((3, 4), 1, 1.0, False, EXTREMES),
        ((2, 3), 1, 1.0, False, [math.inf, -math.inf, 0.0]),
        ((1, 2), 2, 2.0, False, []),
    ]:
        multi_margin(cases, reduction, shape, p, margin, weighted, values)
    for shape, values in [((4, 5), []), ((5,), []), ((2, 4), EXTREMES)]:
        multilabel_margin(cases, reduction, shape, values)
    for shape, weight, values in [((3, 4), None, []), ((3, 4), (4,), EXTREMES), ((2, 3, 4), (3, 4), []), ((4,), None, [])]:
        multilabel_soft_margin(cases, reduction, shape, weight, values)
    for shape, margin in [((3,), 0.0), ((3, 4), 0.3), ((), 1.0)]:
        margin_ranking(cases, reduction, shape, margin)
    for shape, margin in [((5, 4), 0.0), ((5, 4), 0.3), ((4,), -0.2)]:
        cosine_embedding(cases, reduction, shape, margin)
    for shape, p, swap, margin, eps in [
        ((5, 4), 2.0, False, 1.0, 1e-6),
        ((5, 4), 2.0, True, 1.0, 1e-6),
        ((5, 4), 1.0, True, 0.5, 1e-6),
        ((2, 3, 4), 3.0, False, 1.0, 0.1),
        ((5, 4), 1.5, True, 2.0, 1e-6),
        ((5, 4), math.inf, True, 1.0, 1e-6),
        # Distances of order one half are large; a margin of their size leaves their difference its digits.
        ((4,), 0.5, False, 20.0, 0.0),
    ]:
        triplet(cases, reduction, shape, p, swap, margin, eps)
    for swap in [False, True]:
        triplet_with_distance(cases, reduction, swap)
    for temperature, negatives in [(0.1, None), (0.5, None), (0.3, (5, 4)), (0.3, (3, 5, 4))]:
        info_nce(cases, reduction, temperature, negatives)
    for batch, temperature in [(3, 0.5), (1, 1.0), (4, 0.1)]:
        nt_xent(cases, reduction, batch, temperature)
    for shape, smooth, batch in [((2, 3, 4), 1e-5, False), ((2, 3, 2, 3), 1.0, True), ((3, 2), 0.5, False)]:
        for squared in [False, True]:
            overlap(cases, reduction, shape, smooth, batch, "dice", squared=squared)
        overlap(cases, reduction, shape, smooth, batch, "iou")


def reduce(losses, reduction):
    return {"none": lambda: losses, "mean": losses.mean, "sum": losses.sum}[reduction]()


def put(x, values):
    """The first values of a tensor replaced by these."""
    x.view(-1)[: len(values)] = torch.tensor(values, dtype=x.dtype)
    return x


def signs(rng, *shape):
    return torch.where(normal(rng, *shape) > 0, 1.0, -1.0)


def of_two(cases, kind, reduction, function, x, target, rng, **options):
    cases.run(
        {"kind": kind, "reduction": reduction, **options},
        lambda t: function(t["x"], t["target"]),
        {"x": leaf(x), "target": target},
        rng=rng,
    )


def log_cosh(cases, reduction, shape):
    rng = cases.generator()
    x, y = normal(rng, *shape), normal(rng, *shape)
    x.view(-1)[0] = y.view(-1)[0]

    def function(x, y):
        d = (x - y).abs()
        return reduce(d + F.softplus(-2 * d) - math.log(2), reduction)

    of_two(cases, "log_cosh", reduction, function, put(x, EXTREMES[:2]), leaf(y), rng)


def quantile(cases, reduction, shape, q):
    rng = cases.generator()
    x, y = normal(rng, *shape), normal(rng, *shape)
    x.view(-1)[0] = y.view(-1)[0]

    def function(x, y):
        return reduce(torch.maximum(q * (y - x), (q - 1) * (y - x)), reduction)

    of_two(cases, "quantile", reduction, function, x, leaf(y), rng, q=q)


def poisson_nll(cases, reduction, shape, log_input, full, eps):
    rng = cases.generator()
    x = normal(rng, *shape)
    target = (3 * normal(rng, *shape).abs()).round()
    if log_input and not full:
        x, target = put(x, EXTREMES[:2]), put(target, [0.0, 3.0])
    x = x if log_input else x.abs()
    options = {"log_input": log_input, "full": full, "eps": eps}
    # Stirling's term has no slope in PyTorch where a count is 0.
    of_two(
        cases,
        "poisson_nll",
        reduction,
        lambda x, t: F.poisson_nll_loss(x, t, reduction=reduction, **options),
        x,
        target + 0.25 if full else target,
        rng,
        **options,
    )


def gaussian_nll(cases, reduction, shape, var, full, eps):
    rng = cases.generator()
    inputs = {"x": leaf(normal(rng, *shape)), "target": leaf(normal(rng, *shape))}
    inputs["var"] = leaf(put(normal(rng, *var).abs(), [0.1]))
    cases.run(
        {"kind": "gaussian_nll", "reduction": reduction, "full": full, "eps": eps},
        lambda t: F.gaussian_nll_loss(t["x"], t["target"], t["var"], full=full, eps=eps, reduction=reduction),
        inputs,
        rng=rng,
    )


def kl_div(cases, reduction, shape, log_target):
    rng = cases.generator()
    x = (3 * normal(rng, *shape)).log_softmax(-1)
    target = normal(rng, *shape).log_softmax(-1)
    if not log_target:
        target = target.exp()
        # A target of 0 contributes nothing; PyTorch has no slope by it.
        target.view(-1)[0] = 0.0
    of_two(
        cases,
        "kl_div",
        reduction,
        lambda x, t: F.kl_div(x, t, reduction=reduction, log_target=log_target),
        put(x, [-1e4]) if log_target else x,
        leaf(target) if log_target else target,
        rng,
        log_target=log_target,
    )


def sigmoid_focal(cases, reduction, shape, alpha, gamma, soft):
    rng = cases.generator()
    x = 4 * normal(rng, *shape)
    target = normal(rng, *shape).sigmoid() if soft else (normal(rng, *shape) > 0).double()
    if not soft:
        x, target = put(x, EXTREMES), put(target, [0.0, 1.0, 1.0, 0.0])
    of_two(
        cases,
        "sigmoid_focal",
        reduction,
        lambda x, t: sigmoid_focal_loss(x, t, alpha, gamma, reduction),
        x,
        leaf(target) if soft else target,
        rng,
        alpha=alpha,
        gamma=gamma,
    )


def softmax_focal(cases, reduction, shape, gamma, weighted, ignore):
    rng = cases.generator()
    axis = 1 if len(shape) > 1 else 0
    target = indices(rng, shape[axis], *shape[:axis], *shape[axis + 1 :])
    x = 3 * normal(rng, *shape)
    if gamma == 2.0:
        x = put(x, EXTREMES[:2])
    if ignore == -1:
        target.view(-1)[::2] = ignore
    inputs = {"x": leaf(x), "target": target}
    if weighted:
        inputs["weight"] = normal(rng, shape[axis]).abs() + 0.1

    def function(t):
        keep = t["target"] != ignore
        some = torch.where(keep, t["target"], 0)
        weight = t.get("weight", torch.ones(shape[axis]))[some] * keep
        log = t["x"].log_softmax(axis).gather(axis, some.unsqueeze(axis)).squeeze(axis)
        losses = -weight * (1 - log.exp()) ** gamma * log
        return losses.sum() / weight.sum() if reduction == "mean" else reduce(losses, reduction)

    config = {"kind": "softmax_focal", "reduction": reduction, "gamma": gamma, "ignore_index": ignore}
    cases.run(config, function, inputs, rng=rng)


def hinge(cases, reduction, shape):
    rng = cases.generator()
    function = lambda x, t: reduce((1 - t * x).clamp_min(0), reduction)
    of_two(cases, "hinge", reduction, function, put(normal(rng, *shape), EXTREMES), signs(rng, *shape), rng)


def soft_margin(cases, reduction, shape):
    rng = cases.generator()
    # A sure mistake overflows in PyTorch.
    x, target = put(30 * normal(rng, *shape), EXTREMES[:2]), put(signs(rng, *shape), [1.0, -1.0])
    function = lambda x, t: F.soft_margin_loss(x, t, reduction=reduction)
    of_two(cases, "soft_margin", reduction, function, x, target, rng)


def hinge_embedding(cases, reduction, shape, margin):
    rng = cases.generator()
    # Distances are never negative, and two huge terms of opposite sign would leave nothing in single precision.
    x, target = put(normal(rng, *shape), [1e4, 1e4, margin]), signs(rng, *shape)
    function = lambda x, t: F.hinge_embedding_loss(x, t, margin, reduction=reduction)
    of_two(cases, "hinge_embedding", reduction, function, x, target, rng, margin=margin)


def multi_margin(cases, reduction, shape, p, margin, weighted, values):
    rng = cases.generator()
    target = indices(rng, shape[-1], *shape[:-1])
    inputs = {"x": leaf(put(normal(rng, *shape), values)), "target": target}
    if weighted:
        inputs["weight"] = normal(rng, shape[-1]).abs() + 0.1
    cases.run(
        {"kind": "multi_margin", "reduction": reduction, "p": p, "margin": margin},
        lambda t: F.multi_margin_loss(t["x"], t["target"], p, margin, t.get("weight"), reduction=reduction),
        inputs,
        rng=rng,
    )


def multilabel_margin(cases, reduction, shape, values):
    rng = cases.generator()
    x = put(normal(rng, *shape), values)
    target = torch.stack([torch.from_numpy(rng.permutation(shape[-1])) for _ in range(x.numel() // shape[-1])])
    for row, labels in enumerate(target):
        labels[row % shape[-1] + (1 if len(shape) == 1 else 0)] = -1
    function = lambda x, t: F.multilabel_margin_loss(x, t, reduction=reduction)
    of_two(cases, "multilabel_margin", reduction, function, x, target.reshape(shape), rng)


def multilabel_soft_margin(cases, reduction, shape, weight, values):
    rng = cases.generator()
    x, target = put(4 * normal(rng, *shape), values), (normal(rng, *shape) > 0).double()
    inputs = {"x": leaf(x), "target": target if values else leaf(normal(rng, *shape).sigmoid())}
    if weight is not None:
        inputs["weight"] = normal(rng, *weight).abs() + 0.1
    cases.run(
        {"kind": "multilabel_soft_margin", "reduction": reduction},
        lambda t: F.multilabel_soft_margin_loss(t["x"], t["target"], t.get("weight"), reduction=reduction),
        inputs,
        rng=rng,
    )


def of_vectors(cases, config, function, names, tensors, rng, **more):
    inputs = {name: leaf(x) for name, x in zip(names, tensors)} | more
    cases.run(config, function, inputs, rng=rng)


def margin_ranking(cases, reduction, shape, margin):
    rng = cases.generator()
    a, b = normal(rng, *shape), normal(rng, *shape)
    if len(shape) == 2:
        a = put(a, EXTREMES[:2])
    of_vectors(
        cases,
        {"kind": "margin_ranking", "reduction": reduction, "margin": margin},
        lambda t: F.margin_ranking_loss(t["a"], t["b"], t["target"], margin, reduction=reduction),
        "ab",
        [a, b],
        rng,
        target=signs(rng, *shape),
    )


def cosine_embedding(cases, reduction, shape, margin):
    rng = cases.generator()
    a, b = normal(rng, *shape), normal(rng, *shape)
    if len(shape) == 2:
        a[0] = 0.0
        a[1] *= 1e4
        b[2] = -a[2]
    of_vectors(
        cases,
        {"kind": "cosine_embedding", "reduction": reduction, "margin": margin},
        lambda t: F.cosine_embedding_loss(t["a"], t["b"], t["target"], margin, reduction=reduction),
        "ab",
        [a, b],
        rng,
        target=signs(rng, *shape[:-1]),
    )


def triplet(cases, reduction, shape, p, swap, margin, eps):
    rng = cases.generator()
    a, positive, negative = (normal(rng, *shape) for _ in range(3))
    config = {"kind": "triplet", "reduction": reduction, "p": "inf" if p == math.inf else p}
    config |= {"swap": swap, "margin": margin, "eps": eps}
    of_vectors(
        cases,
        config,
        lambda t: F.triplet_margin_loss(t["a"], t["p"], t["n"], margin, p, eps, swap, reduction=reduction),
        "apn",
        [a, positive, negative],
        rng,
    )


def triplet_with_distance(cases, reduction, swap):
    rng = cases.generator()
    of_vectors(
        cases,
        {"kind": "triplet_with_distance", "reduction": reduction, "swap": swap, "margin": 0.5},
        lambda t: F.triplet_margin_with_distance_loss(
            t["a"],
            t["p"],
            t["n"],
            distance_function=lambda x, y: (x - y).square().sum(-1),
            margin=0.5,
            swap=swap,
            reduction=reduction,
        ),
        "apn",
        [normal(rng, 5, 3) for _ in range(3)],
        rng,
    )


def info_nce(cases, reduction, temperature, negatives):
    rng = cases.generator()
    tensors = [normal(rng, 3, 4) for _ in range(2)]
    if negatives is not None:
        tensors.append(normal(rng, *negatives))

    def function(t):
        query, positive = F.normalize(t["a"], dim=-1), F.normalize(t["b"], dim=-1)
        if negatives is None:
            return F.cross_entropy(query @ positive.T / temperature, torch.arange(3), reduction=reduction)
        others = F.normalize(t["negatives"], dim=-1)
        others = query @ others.T if len(negatives) == 2 else torch.einsum("nd,nmd->nm", query, others)
        logits = torch.cat([(query * positive).sum(-1, keepdim=True), others], 1)
        return F.cross_entropy(logits / temperature, torch.zeros(3, dtype=torch.long), reduction=reduction)

    config = {"kind": "info_nce", "reduction": reduction, "temperature": temperature}
    of_vectors(cases, config, function, ["a", "b", "negatives"], tensors, rng)


def nt_xent(cases, reduction, batch, temperature):
    rng = cases.generator()
    a, b = normal(rng, batch, 4), normal(rng, batch, 4)
    if batch == 4:
        a[0] = 0.0

    def function(t):
        z = F.normalize(torch.cat([t["a"], t["b"]]), dim=-1)
        logits = (z @ z.T / temperature).masked_fill(torch.eye(2 * batch, dtype=torch.bool), -math.inf)
        return F.cross_entropy(logits, torch.arange(2 * batch).roll(batch), reduction=reduction)

    config = {"kind": "nt_xent", "reduction": reduction, "temperature": temperature}
    of_vectors(cases, config, function, "ab", [a, b], rng)


def overlap(cases, reduction, shape, smooth, batch, kind, **options):
    rng = cases.generator()
    axes = [*([0] if batch else []), *range(2, len(shape))]

    def function(x, t):
        total = lambda x: x.sum(axes) if axes else x
        power = 2 if options.get("squared") else 1
        both, sizes = total(x * t), total(x**power) + total(t**power)
        if kind == "dice":
            return reduce(1 - (2 * both + smooth) / (sizes + smooth), reduction)
        return reduce(1 - (both + smooth) / (sizes - both + smooth), reduction)

    x, target = normal(rng, *shape).sigmoid(), (normal(rng, *shape) > 0).double()
    # A class that isn't there.
    target[0, 0] = 0.0
    of_two(cases, kind, reduction, function, x, target, rng, smooth=smooth, batch=batch, **options)
