"""Averaged models: a batch norm before a linear layer, its averages after each of eight updates, and the statistics that
`update_bn` gathers for the last. `before.NAME` [8, *] are the model's tensors at each update."""

import torch
from torch.optim import swa_utils

from case_set import CaseSet, normal

CONFIGS = [
    {"kind": "EMA", "decay": 0.9},
    {"kind": "EMA", "decay": 0.3, "use_buffers": True},
    {"kind": "EMA", "decay": 1.0},
    {"kind": "EMA", "decay": 0.0},
    {"kind": "SWA"},
    {"kind": "SWA", "use_buffers": True},
    {"kind": "SWA", "update_bn": 3},
    {"kind": "SWA", "update_bn": 1},
]
UPDATES = 8
BUFFERS = ("running_mean", "running_var")


def generate():
    cases = CaseSet("average")
    for config in CONFIGS:
        rng = cases.generator()
        model = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2))
        ema = config["kind"] == "EMA"
        averaged = swa_utils.AveragedModel(
            model,
            multi_avg_fn=swa_utils.get_ema_multi_avg_fn(config["decay"]) if ema else None,
            # Whole numbers, such as num_batches_tracked, have no average.
            use_buffers=False,
        )
        average = swa_utils.get_ema_avg_fn(config["decay"]) if ema else swa_utils.get_swa_avg_fn()
        buffers = {}
        before, after = {}, {}
        for n in range(UPDATES):
            with torch.no_grad():
                for name, tensor in model.state_dict().items():
                    if tensor.is_floating_point():
                        tensor.copy_(normal(rng, *tensor.shape).abs() + 0.1)
                model[0].num_batches_tracked.fill_(n + 1)
            averaged.update_parameters(model)
            for name, tensor in model.state_dict().items():
                before.setdefault(name, []).append(tensor.clone())
                value = averaged.module.state_dict()[name].clone()
                if config.get("use_buffers") and name.endswith(BUFFERS):
                    value = average(buffers[name], tensor, n) if n else tensor.clone()
                    buffers[name] = value
                after.setdefault(name, []).append(value)
        tensors = {f"before.{name}": torch.stack(values) for name, values in before.items()}
        tensors |= {f"average.{name}": torch.stack(values) for name, values in after.items()}
        if "update_bn" in config:
            batches = [normal(rng, 5 + i, 3) * 2 + 1 for i in range(config["update_bn"])]
            tensors |= {f"in.batch{i}": batch for i, batch in enumerate(batches)}
            swa_utils.update_bn(batches, averaged)
            state = averaged.module.state_dict()
            tensors |= {f"gathered.{name}": state[f"0.{name}"] for name in (*BUFFERS, "num_batches_tracked")}
        cases.add(config, **tensors)
    return cases
