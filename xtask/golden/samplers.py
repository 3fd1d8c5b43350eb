"""What data loading shares with PyTorch and scikit-learn: the order of each rank, `out` [world, samples of a rank]; the sizes
of a stratified split's parts, `out` [2, classes], the drawn part last; padded sequences, `in.K` of each length and `out`."""

import numpy as np
import torch
from sklearn.model_selection import StratifiedShuffleSplit
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DistributedSampler

from case_set import CaseSet

CONFIGS = [
    {"kind": "DistributedSampler", "samples": samples, "world": world, "drop_last": drop_last}
    for samples, world in [(10, 3), (11, 4), (2, 5), (12, 4), (1, 3), (7, 1), (64, 7)]
    for drop_last in (False, True)
    if not (drop_last and samples < world)
]
# Without equal remainders, which scikit-learn's generator would decide; the loop below sees to it.
CONFIGS += [
    {"kind": "StratifiedShuffleSplit", "classes": classes, "fraction": fraction}
    for classes, fraction in [
        ([50, 30, 20], 0.2),
        ([7, 11, 13], 0.3),
        ([97, 3, 41], 0.15),
        ([1000, 10, 100], 0.05),
        ([2, 900], 0.9),
        ([12, 5, 31, 8, 2, 19], 0.35),
    ]
]
CONFIGS += [
    {"kind": "pad_sequence", "lengths": [3, 1, 4], "rest": [], "dtype": "int64", "value": -100.0},
    {"kind": "pad_sequence", "lengths": [2, 5, 0, 5], "rest": [3], "dtype": "float32", "value": 0.5},
    {"kind": "pad_sequence", "lengths": [4], "rest": [2, 2], "dtype": "float64", "value": 0.0},
]
SEEDS = 30


def ranks(config):
    class Set:
        def __len__(self):
            return config["samples"]

    world = config["world"]
    of_rank = lambda rank: list(DistributedSampler(Set(), world, rank, shuffle=False, drop_last=config["drop_last"]))
    return {"out": torch.tensor([of_rank(rank) for rank in range(world)])}


def sizes(config):
    classes = np.repeat(np.arange(len(config["classes"])), config["classes"])
    split = StratifiedShuffleSplit(SEEDS, test_size=config["fraction"], random_state=0)
    count = lambda part: np.bincount(classes[part], minlength=len(config["classes"]))
    parts = [np.stack([count(train), count(test)]) for train, test in split.split(classes, classes)]
    assert all((part == parts[0]).all() for part in parts), f"{config} has equal remainders"
    return {"out": torch.tensor(parts[0])}


def padded(config, rng):
    shapes = [(length, *config["rest"]) for length in config["lengths"]]
    dtype = getattr(torch, config["dtype"])
    sequences = [torch.tensor(rng.integers(0, 50, shape)).to(dtype) for shape in shapes]
    out = pad_sequence(sequences, batch_first=True, padding_value=config["value"])
    return {f"in.{k}": sequence for k, sequence in enumerate(sequences)} | {"out": out}


def generate():
    cases = CaseSet("samplers")
    for config in CONFIGS:
        rng = cases.generator()
        kinds = {"DistributedSampler": ranks, "StratifiedShuffleSplit": sizes}
        make = kinds.get(config["kind"]) or (lambda config: padded(config, rng))
        cases.add(config, **make(config))
    return cases
