"""Cross-entropy with class numbers, class weights, ignored rows and label smoothing; mean squared error."""

import torch.nn.functional as F

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
]


def generate():
    cases = CaseSet("losses")
    for reduction in ["none", "mean", "sum"]:
        for shape, scale, weighted, ignore, smoothing in CROSS_ENTROPY:
            rng = cases.generator()
            config = {"kind": "cross_entropy", "reduction": reduction, "ignore_index": ignore, "label_smoothing": smoothing}
            target = indices(rng, shape[1], shape[0], *shape[2:])
            if ignore == -1:
                target.view(-1)[::2] = ignore
            inputs = {"x": leaf(scale * normal(rng, *shape)), "target": target}
            if weighted:
                inputs["weight"] = normal(rng, shape[1]).abs() + 0.1

            def loss(t):
                return F.cross_entropy(
                    t["x"], t["target"], t.get("weight"), ignore_index=ignore, label_smoothing=smoothing, reduction=reduction
                )

            cases.run(config, loss, inputs, rng=rng)
        for shape in [(3, 4), (5,), (2, 3, 1, 5)]:
            rng = cases.generator()
            config = {"kind": "mse", "reduction": reduction}
            inputs = {"x": leaf(normal(rng, *shape)), "target": normal(rng, *shape)}
            cases.run(config, lambda t: F.mse_loss(t["x"], t["target"], reduction=reduction), inputs, rng=rng)
    return cases
