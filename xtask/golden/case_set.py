"""The format of golden sets: `<family>.json` lists configurations, `<family>.safetensors` holds case i's tensors under `i/NAME`."""

import json
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file


class CaseSet:
    """Collects one family's cases. Each case draws from a generator of its own, so that adding one changes no other."""

    def __init__(self, family):
        self.family = family
        self.configs = []
        self.tensors = {}

    def generator(self):
        """The next case's generator. numpy's streams don't change between versions; torch's may."""
        return np.random.Generator(np.random.PCG64([zlib.crc32(self.family.encode()), len(self.configs)]))

    def add(self, config, **tensors):
        """Adds a case whose tensors have the given names as they are."""
        index = len(self.configs)
        self.configs.append(config)
        for name, tensor in tensors.items():
            self.tensors[f"{index}/{name}"] = tensor.detach().clone().contiguous()

    def run(self, config, function, inputs, module=None, before=None, rng=None):
        """Runs `function(inputs)`, then backward with random weights, and adds inputs, parameters, outputs and gradients.

        inputs: by name; those of floating point whose `requires_grad` is set get their gradient.
        module: its state_dict after the run is stored, and its parameters' gradients.
        """
        outputs = function(inputs)
        outputs = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
        cots = [normal(rng, *out.shape) for out in outputs]
        sum((out * cot).sum() for out, cot in zip(outputs, cots)).backward()
        tensors = {f"in.{name}": x for name, x in inputs.items()}
        tensors |= {f"out.{k}": out for k, out in enumerate(outputs)}
        tensors |= {f"cot.{k}": cot for k, cot in enumerate(cots)}
        tensors |= {f"before.{name}": x for name, x in (before or {}).items()}
        tensors |= {f"grad.in.{name}": x.grad for name, x in inputs.items() if x.grad is not None}
        if module is not None:
            tensors |= {f"param.{name}": x for name, x in module.state_dict().items()}
            tensors |= {f"grad.param.{name}": p.grad for name, p in module.named_parameters()}
        self.add(config, **tensors)

    def save(self, folder):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        lines = ",\n".join(json.dumps(config) for config in self.configs)
        (folder / f"{self.family}.json").write_text(f"[\n{lines}\n]\n")
        save_file(self.tensors, folder / f"{self.family}.safetensors")
        size = (folder / f"{self.family}.safetensors").stat().st_size
        print(f"{self.family}: {len(self.configs)} cases, {size / 1024:.0f} KiB, {folder}")


def normal(rng, *shape):
    """f64 values from the standard normal distribution."""
    return torch.from_numpy(np.asarray(rng.standard_normal(shape)))


def leaf(x):
    """An input that takes a gradient."""
    return x.clone().requires_grad_()


def indices(rng, high, *shape):
    """i64 values in 0..high."""
    return torch.from_numpy(np.asarray(rng.integers(0, high, shape)))


def draw(rng, low, high):
    """One whole number in low..=high."""
    return int(rng.integers(low, high + 1))


def randomise(rng, module):
    """Gives every parameter random values: defaults such as ones and zeros would hide mistakes."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(normal(rng, *parameter.shape))
    return module.double()
