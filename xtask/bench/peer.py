"""PyTorch's side of `cargo xtask bench`: peer.py ENTRY THREADS.

It speaks as our worker does (xtask/src/bench/rows/worker.rs): a line of JSON with what a step computes, then for every line
read, a number of steps, a line with the median time of a step in milliseconds. A class per row, called after it; PyTorch is
used as its users use it, eager, with its fastest optimisers.
"""

import json
import re
import sys
import time
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F


def series(count, seed):
    """The numbers of `inputs::value`, to the bit."""
    return ((torch.arange(count) * 7919 + seed * 104729) % 2003).double() / 2003 - 0.5


def values(shape, seed):
    return series(torch.Size(shape).numel(), seed).float().reshape(shape)


def summary(tensor):
    """Length of a result, and the cosine of its angle to a fixed vector."""
    x = tensor.detach().flatten().double()
    h = series(x.numel(), 99)
    norm, own = x.norm().item(), h.norm().item()
    return norm, (x @ h).item() / (norm * own) if norm * own > 0 else 0.0


class Layer:
    """Forward and backward of a function from a given gradient of its output."""

    def __init__(self, forward, parameters, input_shape, output_shape):
        self.forward = forward
        self.parameters = parameters
        with torch.no_grad():
            for i, parameter in enumerate(parameters.values()):
                parameter.copy_(values(parameter.shape, 10 + i))
        self.input = values(input_shape, 1).requires_grad_()
        self.gradient = values(output_shape, 2)

    def step(self):
        self.input.grad = None
        for parameter in self.parameters.values():
            parameter.grad = None
        output = self.forward(self.input)
        output.backward(self.gradient)
        return output

    def results(self):
        results = {"output": self.step(), "gradient of input": self.input.grad}
        for name, parameter in self.parameters.items():
            results[f"gradient of {name}"] = parameter.grad
        return results


def linear(shape):
    rows, inputs, outputs = shape
    layer = torch.nn.Linear(inputs, outputs)
    return Layer(layer, dict(layer.named_parameters()), (rows, inputs), (rows, outputs))


def layernorm(_):
    layer = torch.nn.LayerNorm(1024)
    return Layer(layer, dict(layer.named_parameters()), (4096, 1024), (4096, 1024))


def softmax(_):
    return Layer(lambda x: F.softmax(x, -1), {}, (4096, 1024), (4096, 1024))


class Loss:
    """Forward and backward of a scalar function; of the gradient at most two million elements are compared."""

    def __init__(self, forward, input_shape):
        self.forward = forward
        self.input = values(input_shape, 1).requires_grad_()

    def step(self):
        self.input.grad = None
        loss = self.forward(self.input)
        loss.backward()
        return loss

    def results(self):
        loss = self.step()
        gradient = self.input.grad
        rows = min(len(gradient), 2_000_000 // max(gradient[0].numel(), 1))
        return {"loss": loss, "gradient of input": gradient[:rows]}


def cross_entropy(_):
    targets = torch.arange(4096) * 7919 % 32_000
    return Loss(lambda x: F.cross_entropy(x, targets), (4096, 32_000))


def ctc(_):
    targets = (1 + torch.arange(32 * 40) * 7919 % 49).reshape(32, 40)
    input_lengths = torch.full((32,), 200)
    target_lengths = 20 + torch.arange(32) * 7 % 21
    return Loss(lambda x: F.ctc_loss(x, targets, input_lengths, target_lengths), (200, 32, 50))


def bce_with_logits(_):
    targets = values((10_000_000,), 2) + 0.5
    return Loss(lambda x: F.binary_cross_entropy_with_logits(x, targets), (10_000_000,))


class products:
    def __init__(self, shape):
        rows, inputs, outputs = shape
        self.input = values((rows, inputs), 1)
        self.weight = values((outputs, inputs), 2)

    def step(self):
        with torch.no_grad():
            return F.linear(self.input, self.weight)

    def results(self):
        return {"output": self.step()}


class LeNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 6, 5)
        self.conv2 = torch.nn.Conv2d(6, 16, 5)
        self.fc1 = torch.nn.Linear(256, 120)
        self.fc2 = torch.nn.Linear(120, 84)
        self.fc3 = torch.nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(torch.sigmoid(self.conv1(x)), 2)
        x = F.max_pool2d(torch.sigmoid(self.conv2(x)), 2)
        x = torch.sigmoid(self.fc1(x.flatten(1)))
        x = torch.sigmoid(self.fc2(x))
        return self.fc3(x)


class lenet:
    def __init__(self, _):
        self.net = LeNet()
        with torch.no_grad():
            for i, parameter in enumerate(self.net.parameters()):
                parameter.copy_(values(parameter.shape, 10 + i))
        self.rule = torch.optim.SGD(self.net.parameters(), lr=0.1, fused=True)
        self.images = values((64, 1, 28, 28), 1)
        self.labels = torch.arange(64) % 10

    def step(self):
        self.rule.zero_grad()
        loss = F.cross_entropy(self.net(self.images), self.labels)
        loss.backward()
        self.rule.step()
        return loss

    def results(self):
        results = {"loss": self.step()}
        for name, parameter in self.net.named_parameters():
            results[f"{name} after a step"] = parameter
        return results


class Update:
    """A rule's step, in PyTorch's fastest setting: fused where there is that, else foreach."""

    def __init__(self, rule, shape, _):
        count, *dims = shape
        self.parameters = [torch.nn.Parameter(values(dims, 10 + i)) for i in range(count)]
        for i, parameter in enumerate(self.parameters):
            parameter.grad = values(dims, 5 + i)
        self.rule = rule(self.parameters)

    def step(self):
        self.rule.step()

    def results(self):
        self.step()
        last = len(self.parameters) - 1
        return {f"tensor {i} after a step": self.parameters[i] for i in (0, last)}


class Lion(torch.optim.Optimizer):
    """PyTorch has none: the paper's program, by PyTorch's calls over all tensors at once."""

    def __init__(self, params):
        super().__init__(params, {"lr": 1e-4})
        self.averages = [torch.zeros_like(p) for p in params]

    @torch.no_grad()
    def step(self):
        params = self.param_groups[0]["params"]
        grads = [p.grad for p in params]
        directions = torch._foreach_lerp(self.averages, grads, 1 - 0.9)
        torch._foreach_sign_(directions)
        torch._foreach_add_(params, directions, alpha=-self.param_groups[0]["lr"])
        torch._foreach_lerp_(self.averages, grads, 1 - 0.99)


FEW, MANY, MATRICES = (10, 1_000_000), (2000, 5000), (10, 1000, 1000)

RULES = {
    "adam": lambda p: torch.optim.Adam(p, fused=True),
    "adamw": lambda p: torch.optim.AdamW(p, fused=True),
    "sgd": lambda p: torch.optim.SGD(p, momentum=0.9, fused=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, foreach=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, fused=True),
    "adadelta": lambda p: torch.optim.Adadelta(p, foreach=True),
    "adamax": lambda p: torch.optim.Adamax(p, foreach=True),
    "nadam": lambda p: torch.optim.NAdam(p, foreach=True),
    "radam": lambda p: torch.optim.RAdam(p, foreach=True),
    "rprop": lambda p: torch.optim.Rprop(p, foreach=True),
    "asgd": lambda p: torch.optim.ASGD(p, foreach=True),
    "lion": Lion,
    "adafactor": lambda p: torch.optim.Adafactor(p, foreach=True),
    "muon": torch.optim.Muon,
}


class Lbfgs:
    """Every step begins anew, so that each has the same iterations to do."""

    def __init__(self, shape):
        self.start = values(shape, 1)
        self.weights = values(shape, 2) + 0.6
        self.x = torch.nn.Parameter(self.start.clone())

    def closure(self):
        self.x.grad = None
        loss = F.mse_loss(self.x * self.weights, self.weights, reduction="sum")
        loss.backward()
        return loss

    def step(self):
        with torch.no_grad():
            self.x.copy_(self.start)
        rule = torch.optim.LBFGS(
            [self.x],
            max_iter=10,
            tolerance_grad=0,
            tolerance_change=0,
            line_search_fn="strong_wolfe",
        )
        rule.step(self.closure)

    def results(self):
        self.step()
        return {"parameter after ten iterations": self.x}


class Clip:
    """The bound goes down with every step, so that each has something to clip."""

    def __init__(self, count, size):
        self.parameters = [torch.nn.Parameter(values((size,), 10 + i)) for i in range(count)]
        for i, parameter in enumerate(self.parameters):
            parameter.grad = values((size,), 5 + i)
        self.max_norm = 500.0

    def clip(self):
        return torch.nn.utils.clip_grad_norm_(self.parameters, self.max_norm, foreach=True)

    def step(self):
        self.max_norm *= 0.999
        self.clip()

    def results(self):
        results = {"norm before": self.clip().reshape(1)}
        for i in (0, len(self.parameters) - 1):
            results[f"gradient {i} after"] = self.parameters[i].grad
        return results


ROWS = {
    "lenet": lenet,
    "linear": linear,
    "layernorm": layernorm,
    "softmax": softmax,
    "cross-entropy": cross_entropy,
    "ctc": ctc,
    "bce-with-logits": bce_with_logits,
    **{name: partial(Update, rule, FEW) for name, rule in RULES.items()},
    **{f"{name}-small": partial(Update, RULES[name], MANY) for name in ("adam", "adamw", "sgd", "rmsprop")},
    **{name: partial(Update, RULES[name], MATRICES) for name in ("adafactor", "muon")},
    "lbfgs": lambda _: Lbfgs((1_000_000,)),
    "clip": lambda _: Clip(10, 1_000_000),
    "products": products,
}


def median_ms(work, steps):
    for _ in range((steps + 9) // 10):
        work.step()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        work.step()
        times.append(time.perf_counter() - start)
    return sorted(times)[steps // 2] * 1e3


def restart_peak():
    """Has this process's peak of memory count from now on, and says how many megabytes it holds, where the system can."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    return int(re.search(r"^VmRSS:\s*(\d+) kB$", status, re.M)[1]) * 1024 / 1e6


def main(entry, threads):
    torch.set_num_threads(int(threads))
    row, _, shape = entry.partition("/")
    work = ROWS[row]([int(size) for size in shape.split("x") if size])
    start_mb = restart_peak()
    results = [[name, *summary(tensor)] for name, tensor in work.results().items()]
    print(json.dumps({"results": results, "start_mb": start_mb}), flush=True)
    for line in sys.stdin:
        print(median_ms(work, int(line)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
