"""Clipping: gradients before, the norm, gradients after; in a pass that clips and in one that need not."""

import torch

from case_set import CaseSet, normal

SHAPES = [[(4, 3), (3,), (1,)], [(7, 11, 2), (), (5, 1), (64,)]]
CONFIGS = [
    {"kind": "clip_grad_norm", "max_norm": max_norm, "norm_type": norm_type}
    for max_norm in (0.5, 1e3)
    for norm_type in (2.0, 1.0, 3.0, 0.5, "inf")
]
CONFIGS += [{"kind": "clip_grad_norm", "max_norm": 0.0}, {"kind": "clip_grad_norm", "max_norm": 1.0, "bad": "inf"}]
CONFIGS += [{"kind": "clip_grad_value", "clip_value": value} for value in (0.0, 0.3, 1.0, 100.0)]


def generate():
    cases = CaseSet("clip")
    for config in CONFIGS:
        for shapes in SHAPES:
            rng = cases.generator()
            tensors, parameters = {}, []
            for i, shape in enumerate(shapes):
                gradient = normal(rng, *shape) * 2
                if i == 0 and "bad" in config:
                    gradient.flatten()[1] = float(config["bad"])
                tensors[f"in.g{i}"] = gradient
                parameter = torch.zeros(shape, requires_grad=True)
                parameter.grad = gradient.clone()
                parameters.append(parameter)
            if config["kind"] == "clip_grad_value":
                torch.nn.utils.clip_grad_value_(parameters, config["clip_value"])
            else:
                p = float(config.get("norm_type", 2.0))
                tensors["norm"] = torch.nn.utils.clip_grad_norm_(parameters, config["max_norm"], p)
            if "bad" not in config:
                tensors |= {f"out.{i}": parameter.grad for i, parameter in enumerate(parameters)}
            cases.add({**config, "count": len(shapes)}, **tensors)
    return cases
