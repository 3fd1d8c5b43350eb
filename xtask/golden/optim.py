"""Update rules on three objectives: the parameters after each of 50 steps, and for some how far a last digit of the start carries.

Beside them stands what the rule remembered after the first 20 steps, as `before.NAME`: a run can be taken up from there.

Lion isn't PyTorch's, and PyTorch's Muon iterates in bf16: both are written out here in f64.
"""

from functools import partial

import torch
from torch.optim import _muon

from case_set import CaseSet, normal

STEPS = 50

# The state is saved after so many of them.
TAKEN = 20

# Where a step's sums or products depend on their order, or the next direction on all digits of the last.
CARRIED = ("Adafactor", "Muon", "LBFGS")

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
    {"kind": "Lion", "lr": 0.01},
    {"kind": "Lion", "lr": 0.01, "betas": [0.8, 0.9], "weight_decay": 0.3},
    {"kind": "Lion", "lr": 0.002, "maximize": True},
    {"kind": "Adafactor", "lr": 0.05},
    {"kind": "Adafactor", "lr": 0.1, "beta2_decay": -0.5, "eps": [1e-3, 1e-2], "d": 2.0, "weight_decay": 0.1},
    {"kind": "Adafactor", "lr": 0.01, "maximize": True},
    {"kind": "Muon", "lr": 0.05},
    {"kind": "Muon", "lr": 0.05, "momentum": 0.8, "nesterov": False, "weight_decay": 0.0, "ns_steps": 3},
    {"kind": "Muon", "lr": 0.05, "adjust_lr_fn": "match_rms_adamw", "ns_coefficients": [2.0, -1.5, 0.5]},
    {"kind": "Muon", "lr": 0.05, "adjust_lr_fn": "spectral_unclamped"},
    {"kind": "LBFGS", "lr": 0.1, "max_iter": 2},
    {"kind": "LBFGS", "lr": 0.5, "max_iter": 1, "history_size": 3},
    {"kind": "LBFGS", "max_iter": 1, "max_eval": 9, "line_search_fn": "strong_wolfe"},
    {"kind": "LBFGS", "max_iter": 3, "history_size": 2, "line_search_fn": "strong_wolfe"},
    {"kind": "LBFGS", "max_iter": 4, "max_eval": 5, "tolerance_change": 1e-4, "line_search_fn": "strong_wolfe"},
]


# What came later, on the quadratic alone, so that the others' numbers stay.
MORE = [
    {"kind": "Adafactor", "lr": 0.5},
]


class Lion(torch.optim.Optimizer):
    """Program 1 of Chen et al., 2023."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0, maximize=False):
        super().__init__(params, {"lr": lr, "betas": betas, "decay": weight_decay, "sign": -1.0 if maximize else 1.0})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                g = p.grad * group["sign"]
                direction = (beta1 * m + (1 - beta1) * g).sign()
                p.mul_(1 - group["lr"] * group["decay"]).sub_(direction, alpha=group["lr"])
                m.mul_(beta2).add_(g, alpha=1 - beta2)


def newton_schulz(grad, coefficients, steps, eps):
    """What PyTorch's does, in f64."""
    a, b, c = coefficients
    x = grad.T if grad.shape[0] > grad.shape[1] else grad
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if grad.shape[0] > grad.shape[1] else x


def quadratic(rng):
    """((A·w + c − b)²).mean() + (w⁴).mean()"""
    start = {"w": normal(rng, 4, 3), "c": normal(rng, 3)}
    data = {"A": normal(rng, 6, 4), "b": normal(rng, 6, 3)}

    def loss(w, c=0.0):
        return ((data["A"] @ w + c - data["b"]) ** 2).mean() + (w**4).mean()

    return start, data, loss


def rosenbrock(rng):
    """Rosenbrock's valley over 200, for each of three rows of w: ((1 − x)² + 100(y − x²)²) / 200"""
    start = {"w": 0.5 * normal(rng, 3, 2)}

    def loss(w):
        x, y = w[:, 0], w[:, 1]
        return (((1 - x) ** 2 + 100 * (y - x**2) ** 2) / 200).sum()

    return start, {}, loss


def network(rng):
    """((tanh(A·w + c)·v − b)²).mean()"""
    start = {"w": normal(rng, 4, 3), "c": normal(rng, 3), "v": normal(rng, 3, 2)}
    data = {"A": normal(rng, 6, 4), "b": normal(rng, 6, 2)}

    def loss(w, v, c=0.0):
        return ((torch.tanh(data["A"] @ w + c) @ v - data["b"]) ** 2).mean()

    return start, data, loss


OBJECTIVES = {"quadratic": quadratic, "rosenbrock": rosenbrock, "network": network}


def saved(rule, names):
    """What a user would save of `rule.state_dict()`: each tensor under its parameter's name and its own."""
    states = rule.state_dict()["state"]
    if isinstance(rule, torch.optim.LBFGS):
        # One state for all parameters; `al` is working memory.
        number = partial(torch.as_tensor, dtype=torch.float64)
        empty = {"old_dirs": states[0]["d"][None][:0], "old_stps": states[0]["d"][None][:0], "ro": torch.zeros(0)}
        return {
            key: number(value) if not isinstance(value, list) else torch.stack(value) if value else empty[key]
            for key, value in states[0].items()
            if key != "al"
        }
    return {f"{names[i]}.{key}": value for i, state in states.items() for key, value in state.items()}


def run(config, start, loss):
    """The parameters after each step, and the state after some of them."""
    parameters = {name: value.clone().requires_grad_() for name, value in start.items()}
    kind = config["kind"]
    options = {name: value for name, value in config.items() if name not in ("kind", "objective")}
    rule = (Lion if kind == "Lion" else getattr(torch.optim, kind))(list(parameters.values()), **options)

    def closure():
        rule.zero_grad()
        value = loss(**parameters)
        value.backward()
        return value

    trajectory, state = [], {}
    for step in range(STEPS):
        if kind == "LBFGS":
            rule.step(closure)
        else:
            closure()
            rule.step()
        trajectory.append(torch.cat([p.detach().flatten() for p in parameters.values()]))
        if step + 1 == TAKEN:
            state = {f"before.{key}": value.clone() for key, value in saved(rule, list(parameters)).items()}
    return torch.stack(trajectory), state


def check_bf16(config, start, loss, ours):
    """PyTorch's own Muon takes the first step where ours does, to within bf16's digits after five iterations."""
    theirs = run(config, start, loss)[0][0]
    before = torch.cat([x.flatten() for x in start.values()])
    error = (theirs - ours[0]).norm() / (ours[0] - before).norm()
    if error > 0.06:
        raise SystemExit(f"optim: {config} is {error:.3f} away from PyTorch's")


def generate():
    # As it is for its users: NAdam and ASGD keep numbers in the default type, whatever that of the parameters.
    torch.set_default_dtype(torch.float32)
    cases = CaseSet("optim")
    theirs = _muon._zeropower_via_newtonschulz
    pairs = [(objective, config) for objective in OBJECTIVES for config in CONFIGS]
    for objective, config in pairs + [("quadratic", config) for config in MORE]:
        config = config | {"objective": objective}
        start, data, loss = OBJECTIVES[objective](cases.generator())
        if config["kind"] == "Muon":
            start.pop("c", None)  # it is for matrices alone
        _muon._zeropower_via_newtonschulz = newton_schulz
        trajectory, state = run(config, start, loss)
        nudged = {name: torch.nextafter(value, value + 1) for name, value in start.items()}
        sensitivity = (run(config, nudged, loss)[0] - trajectory).abs().amax(1).cummax(0).values
        _muon._zeropower_via_newtonschulz = theirs
        if config["kind"] == "Muon":
            check_bf16(config, start, loss, trajectory)
        if not trajectory.isfinite().all():
            raise SystemExit(f"optim: {config} diverges; choose a smaller lr")
        starts = {f"{name}0": value for name, value in start.items()}
        if config["kind"] in CARRIED:
            # No further than PyTorch is sure of its own way.
            steps = int((sensitivity < 1e-8).sum())
            carried = {"sensitivity": sensitivity[:steps].clamp(min=1e-16)}
            state = state if steps > TAKEN else {}
            cases.add(config, **starts, **data, **state, trajectory=trajectory[:steps], **carried)
        else:
            cases.add(config, **starts, **data, **state, trajectory=trajectory)
    torch.set_default_dtype(torch.float64)
    return cases
