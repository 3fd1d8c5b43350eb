"""Learning-rate schedules: the rates, and the momenta where a schedule cycles them, of the first 100 steps.

`lr` is [steps, groups], `momentum` likewise; a plateau's metric is `in.metric`. A function is given by its name in FUNCTIONS.
"""

import math

import torch
from torch.optim import lr_scheduler, swa_utils

from case_set import CaseSet, normal

FUNCTIONS = {
    "reciprocal": lambda step: 1 / (step + 1),
    "power": lambda step: 0.95**step,
    "halves": lambda step: 0.5 if step % 10 == 9 else 1.0,
    "wave": lambda step: 1 + 0.05 * math.sin(step),
}

ONE, TWO = [0.1], [0.3, 0.02]

CONFIGS = [
    {"kind": "ConstantLR"},
    {"kind": "ConstantLR", "factor": 0.1, "total_iters": 30},
    {"kind": "ConstantLR", "factor": 1.0, "total_iters": 0},
    {"kind": "LinearLR"},
    {"kind": "LinearLR", "start_factor": 0.01, "total_iters": 40, "lr": TWO},
    {"kind": "LinearLR", "start_factor": 1.0, "end_factor": 0.0, "total_iters": 50},
    {"kind": "LinearLR", "start_factor": 0.7, "end_factor": 0.3, "total_iters": 99},
    {"kind": "ExponentialLR", "gamma": 0.9},
    {"kind": "ExponentialLR", "gamma": 0.99, "lr": TWO},
    {"kind": "StepLR", "step_size": 30},
    {"kind": "StepLR", "step_size": 1, "gamma": 0.97, "lr": TWO},
    {"kind": "MultiStepLR", "milestones": [30, 80]},
    {"kind": "MultiStepLR", "milestones": [50, 5, 5, 70], "gamma": 0.3, "lr": TWO},
    {"kind": "MultiStepLR", "milestones": [0, 10], "gamma": 0.5},
    {"kind": "LambdaLR", "lr_lambda": "reciprocal"},
    {"kind": "LambdaLR", "lr_lambda": ["power", "wave"], "lr": TWO},
    {"kind": "MultiplicativeLR", "lr_lambda": "halves"},
    {"kind": "MultiplicativeLR", "lr_lambda": ["wave", "halves"], "lr": TWO},
    {"kind": "PolynomialLR"},
    {"kind": "PolynomialLR", "total_iters": 70, "power": 0.5, "lr": TWO},
    {"kind": "PolynomialLR", "total_iters": 120, "power": 2.0},
    {"kind": "CosineAnnealingLR", "T_max": 100},
    {"kind": "CosineAnnealingLR", "T_max": 17, "eta_min": 0.001, "lr": TWO},
    {"kind": "CosineAnnealingLR", "T_max": 1},
    {"kind": "CosineAnnealingLR", "T_max": 33, "eta_min": 0.5},
    {"kind": "CosineAnnealingWarmRestarts", "T_0": 10},
    {"kind": "CosineAnnealingWarmRestarts", "T_0": 7, "T_mult": 2, "eta_min": 0.01, "lr": TWO},
    {"kind": "CosineAnnealingWarmRestarts", "T_0": 1, "T_mult": 3},
    {"kind": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1},
    {"kind": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": 10},
    {"kind": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": 9, "step_size_down": 4, "optimizer": "Adam"},
    {"kind": "CyclicLR", "base_lr": 0.0, "max_lr": 1.0, "step_size_up": 7, "mode": "triangular2"},
    {
        "kind": "CyclicLR",
        "base_lr": [0.01, 0.02],
        "max_lr": [0.1, 0.3],
        "step_size_up": 12,
        "mode": "exp_range",
        "gamma": 0.98,
        "base_momentum": 0.7,
        "max_momentum": 0.95,
        "lr": TWO,
    },
    {"kind": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": 11, "cycle_momentum": False, "optimizer": "Adagrad"},
    {"kind": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": 6, "scale_fn": "reciprocal"},
    {"kind": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": 8, "scale_fn": "power", "scale_mode": "iterations"},
    {"kind": "OneCycleLR", "max_lr": 0.1, "total_steps": 100},
    {"kind": "OneCycleLR", "max_lr": 0.1, "total_steps": 101, "anneal_strategy": "linear", "optimizer": "Adam"},
    {"kind": "OneCycleLR", "max_lr": 0.1, "total_steps": 100, "three_phase": True},
    {"kind": "OneCycleLR", "max_lr": [0.1, 0.4], "total_steps": 137, "pct_start": 0.45, "lr": TWO, "optimizer": "Adam"},
    {
        "kind": "OneCycleLR",
        "max_lr": 1.0,
        "total_steps": 120,
        "pct_start": 0.2,
        "div_factor": 10.0,
        "final_div_factor": 100.0,
        "three_phase": True,
        "anneal_strategy": "linear",
        "base_momentum": 0.6,
        "max_momentum": 0.9,
    },
    {"kind": "OneCycleLR", "max_lr": 0.1, "total_steps": 100, "cycle_momentum": False, "optimizer": "Adagrad"},
    {"kind": "OneCycleLR", "max_lr": 0.1, "total_steps": 100, "pct_start": 0.0},
    {"kind": "SWALR", "swa_lr": 0.05},
    {"kind": "SWALR", "swa_lr": [0.05, 0.5], "anneal_epochs": 40, "anneal_strategy": "linear", "lr": TWO},
    {"kind": "SWALR", "swa_lr": 0.01, "anneal_epochs": 0},
    {"kind": "NoamLR", "d_model": 512, "warmup_steps": 40, "lr": [1.0]},
    {"kind": "NoamLR", "d_model": 64, "warmup_steps": 400, "lr": TWO},
    {
        "kind": "SequentialLR",
        "schedulers": [{"kind": "LinearLR", "start_factor": 0.1, "total_iters": 20}, {"kind": "CosineAnnealingLR", "T_max": 80}],
        "milestones": [20],
    },
    {
        "kind": "SequentialLR",
        "schedulers": [
            {"kind": "ConstantLR", "factor": 0.5, "total_iters": 100},
            {"kind": "ExponentialLR", "gamma": 0.95},
            {"kind": "StepLR", "step_size": 5, "gamma": 0.5},
            {"kind": "PolynomialLR", "total_iters": 30, "power": 1.5},
        ],
        "milestones": [10, 35, 60],
        "lr": TWO,
    },
    {
        "kind": "SequentialLR",
        "schedulers": [
            {"kind": "LambdaLR", "lr_lambda": "power"},
            {"kind": "MultiplicativeLR", "lr_lambda": "wave"},
            {"kind": "MultiStepLR", "milestones": [0, 7, 7], "gamma": 0.5},
            {"kind": "CosineAnnealingWarmRestarts", "T_0": 6, "T_mult": 2},
        ],
        "milestones": [20, 40, 60],
    },
    {
        "kind": "SequentialLR",
        "schedulers": [
            {"kind": "LinearLR", "total_iters": 15},
            {"kind": "OneCycleLR", "max_lr": 0.2, "total_steps": 90},
            {"kind": "SWALR", "swa_lr": 0.05, "anneal_epochs": 6},
        ],
        "milestones": [15, 70],
    },
    {
        "kind": "SequentialLR",
        "schedulers": [
            {"kind": "CyclicLR", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": 8},
            {"kind": "CosineAnnealingLR", "T_max": 40},
            {"kind": "LinearLR", "total_iters": 10},
        ],
        "milestones": [32, 72],
    },
    {
        "kind": "SequentialLR",
        "schedulers": [{"kind": "ExponentialLR", "gamma": 0.9}, {"kind": "StepLR", "step_size": 4}, {"kind": "LinearLR"}],
        "milestones": [0, 50],
    },
    {
        "kind": "ChainedScheduler",
        "schedulers": [{"kind": "ConstantLR", "factor": 0.1, "total_iters": 20}, {"kind": "ExponentialLR", "gamma": 0.97}],
    },
    {
        "kind": "ChainedScheduler",
        "schedulers": [
            {"kind": "LinearLR", "start_factor": 0.2, "total_iters": 30},
            {"kind": "CosineAnnealingLR", "T_max": 100},
            {"kind": "StepLR", "step_size": 40, "gamma": 0.5},
        ],
        "lr": TWO,
    },
    {"kind": "ReduceLROnPlateau"},
    {"kind": "ReduceLROnPlateau", "patience": 2, "cooldown": 3, "factor": 0.5, "lr": TWO},
    {"kind": "ReduceLROnPlateau", "mode": "max", "patience": 1, "factor": 0.7, "threshold": 0.2, "min_lr": 0.002},
    {"kind": "ReduceLROnPlateau", "threshold_mode": "abs", "threshold": 0.3, "patience": 0, "factor": 0.9, "eps": 0.004},
    {
        "kind": "ReduceLROnPlateau",
        "mode": "max",
        "threshold_mode": "abs",
        "patience": 3,
        "min_lr": [0.05, 0.001],
        "factor": 0.4,
        "lr": TWO,
    },
    {
        "kind": "ChainedScheduler",
        "schedulers": [
            {"kind": "OneCycleLR", "max_lr": 0.5, "total_steps": 120},
            {"kind": "LambdaLR", "lr_lambda": "power"},
        ],
        "lr": TWO,
    },
]


def function(name):
    return [FUNCTIONS[one] for one in name] if isinstance(name, list) else FUNCTIONS[name]


def scheduler(config, rule):
    options = {name: value for name, value in config.items() if name not in ("kind", "lr", "optimizer")}
    kind = config["kind"]
    if "lr_lambda" in options:
        options["lr_lambda"] = function(options["lr_lambda"])
    if "scale_fn" in options:
        options["scale_fn"] = function(options["scale_fn"])
    if "schedulers" in options:
        options["schedulers"] = [scheduler(one, rule) for one in options["schedulers"]]
    if kind == "NoamLR":
        width, rise = options["d_model"], options["warmup_steps"]
        noam = lambda step: width**-0.5 * min((step + 1) ** -0.5, (step + 1) * rise**-1.5)
        return lr_scheduler.LambdaLR(rule, noam)
    if kind == "ChainedScheduler":
        return lr_scheduler.ChainedScheduler(options["schedulers"], rule)
    return getattr(swa_utils if kind == "SWALR" else lr_scheduler, kind)(rule, **options)


def momentum(group):
    return group["betas"][0] if "betas" in group else group.get("momentum")


def generate():
    cases = CaseSet("schedule")
    for config in CONFIGS:
        rng = cases.generator()
        groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in config.get("lr", ONE)]
        kind = config.get("optimizer", "SGD")
        rule = getattr(torch.optim, kind)(groups, **({"momentum": 0.5} if kind == "SGD" else {}))
        schedule = scheduler(config, rule)
        plateau = config["kind"] == "ReduceLROnPlateau"
        falling = normal(rng, 100) * 0.3 + torch.linspace(3, 1, 100)
        metric = 5 - falling if config.get("mode") == "max" else falling
        metric[17] = torch.nan
        lrs, momenta = [], []
        for step in range(100):
            rule.step()
            lrs.append([group["lr"] for group in rule.param_groups])
            momenta.append([momentum(group) for group in rule.param_groups])
            if step < 99:
                schedule.step(metric[step].item()) if plateau else schedule.step()
        tensors = {"lr": torch.tensor(lrs)}
        if momenta[0][0] is not None:
            tensors["momentum"] = torch.tensor(momenta)
        if plateau:
            tensors["in.metric"] = metric
        cases.add(config, **tensors)
    return cases
