"""Update rules: 40 steps on ((A·w + c − b)²).mean() + (w⁴).mean(), the parameters after each."""

import torch

from case_set import CaseSet, normal

CONFIGS = [
    {"kind": "SGD", "lr": 0.1},
    {"kind": "SGD", "lr": 0.1, "weight_decay": 0.05},
    {"kind": "SGD", "lr": 0.1, "momentum": 0.9},
    {"kind": "SGD", "lr": 0.1, "momentum": 0.8, "dampening": 0.3},
    {"kind": "SGD", "lr": 0.1, "momentum": 0.8, "nesterov": True},
    {"kind": "SGD", "lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.05},
    {"kind": "SGD", "lr": 0.05, "momentum": 0.5, "dampening": 1.0, "weight_decay": 0.1},
    {"kind": "SGD", "lr": 0.002, "maximize": True},
    {"kind": "SGD", "lr": 0.001, "momentum": 0.5, "weight_decay": 0.1, "maximize": True},
    {"kind": "Adam", "lr": 0.03},
    {"kind": "Adam", "lr": 0.1, "betas": [0.8, 0.95]},
    {"kind": "Adam", "lr": 0.01, "betas": [0.0, 0.9]},
    {"kind": "Adam", "lr": 0.03, "eps": 1e-3},
    {"kind": "Adam", "lr": 0.03, "weight_decay": 0.1},
    {"kind": "Adam", "lr": 0.2, "amsgrad": True},
    {"kind": "Adam", "lr": 0.03, "amsgrad": True, "weight_decay": 0.1},
    {"kind": "Adam", "lr": 0.01, "maximize": True},
    {"kind": "Adam", "lr": 0.01, "amsgrad": True, "weight_decay": 0.01, "maximize": True},
    {"kind": "AdamW", "lr": 0.03},
    {"kind": "AdamW", "lr": 0.03, "betas": [0.8, 0.95], "weight_decay": 0.2},
    {"kind": "AdamW", "lr": 0.03, "amsgrad": True, "weight_decay": 0.0},
    {"kind": "Adagrad", "lr": 0.1},
    {"kind": "Adagrad", "lr": 0.1, "lr_decay": 0.05},
    {"kind": "Adagrad", "lr": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3},
    {"kind": "Adagrad", "lr": 0.1, "lr_decay": 0.01, "initial_accumulator_value": 0.1, "weight_decay": 0.1},
    {"kind": "Adagrad", "lr": 0.01, "weight_decay": 0.1, "maximize": True},
    {"kind": "RMSprop", "lr": 0.01},
    {"kind": "RMSprop", "lr": 0.01, "alpha": 0.9, "eps": 1e-3},
    {"kind": "RMSprop", "lr": 0.01, "weight_decay": 0.1},
    {"kind": "RMSprop", "lr": 0.01, "momentum": 0.5},
    {"kind": "RMSprop", "lr": 0.01, "centered": True},
    {"kind": "RMSprop", "lr": 0.01, "alpha": 0.9, "centered": True, "momentum": 0.8, "weight_decay": 0.05},
    {"kind": "RMSprop", "lr": 0.001, "alpha": 0.5, "centered": True, "maximize": True},
    {"kind": "Adadelta", "lr": 1.0},
    {"kind": "Adadelta", "lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1},
    {"kind": "Adadelta", "lr": 0.2, "maximize": True},
    {"kind": "Adamax", "lr": 0.03},
    {"kind": "Adamax", "lr": 0.1, "betas": [0.7, 0.9], "eps": 1e-3, "weight_decay": 0.1},
    {"kind": "Adamax", "lr": 0.01, "maximize": True},
    {"kind": "NAdam", "lr": 0.03},
    {"kind": "NAdam", "lr": 0.03, "betas": [0.7, 0.9], "momentum_decay": 0.3, "weight_decay": 0.01},
    {"kind": "NAdam", "lr": 0.03, "weight_decay": 0.2, "decoupled_weight_decay": True},
    {"kind": "NAdam", "lr": 0.01, "maximize": True},
    {"kind": "RAdam", "lr": 0.03},
    {"kind": "RAdam", "lr": 0.03, "betas": [0.7, 0.8], "weight_decay": 0.1},
    {"kind": "RAdam", "lr": 0.03, "weight_decay": 0.2, "decoupled_weight_decay": True},
    {"kind": "RAdam", "lr": 0.01, "maximize": True},
    {"kind": "Rprop", "lr": 0.01},
    {"kind": "Rprop", "lr": 0.1, "etas": [0.3, 1.5], "step_sizes": [1e-3, 0.2]},
    {"kind": "Rprop", "lr": 0.001, "step_sizes": [1e-6, 0.01], "maximize": True},
    {"kind": "ASGD", "lr": 0.05},
    {"kind": "ASGD", "lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 5.0, "weight_decay": 0.1},
    {"kind": "ASGD", "lr": 0.002, "maximize": True},
]


def generate():
    cases = CaseSet("optim")
    for config in CONFIGS:
        rng = cases.generator()
        start = {"A": normal(rng, 6, 4), "b": normal(rng, 6, 3), "w0": normal(rng, 4, 3), "c0": normal(rng, 3)}
        w, c = start["w0"].clone().requires_grad_(), start["c0"].clone().requires_grad_()
        options = {name: value for name, value in config.items() if name != "kind"}
        rule = getattr(torch.optim, config["kind"])([w, c], **options)
        trajectory = []
        for _ in range(40):
            rule.zero_grad()
            (((start["A"] @ w + c - start["b"]) ** 2).mean() + (w**4).mean()).backward()
            rule.step()
            trajectory.append(torch.cat([w.detach().flatten(), c.detach().flatten()]))
        trajectory = torch.stack(trajectory)
        if not trajectory.isfinite().all():
            raise SystemExit(f"optim: {config} diverges; choose a smaller lr")
        cases.add(config, **start, trajectory=trajectory)
    return cases
