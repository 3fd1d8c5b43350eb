"""Writes the golden sets: generate.py CRATES_FOLDER [FAMILY…]. Run it through `cargo xtask golden`."""

import sys
from pathlib import Path

import torch

import act
import attn
import average
import clip
import conv
import files
import gnn
import hf
import losses
import metrics
import norm
import optim
import pool
import rnn
import samplers
import schedule
import transformer
import transforms
import resample
import vision

# family: what makes it, and the crate whose tests read it
FAMILIES = {
    "act": (act.generate, "sconce-nn"),
    "attn": (attn.generate, "sconce-transformer"),
    "average": (average.generate, "sconce-optim"),
    "clip": (clip.generate, "sconce-optim"),
    "conv": (conv.generate, "sconce-cnn"),
    "files": (files.generate, "sconce-data"),
    "gnn": (gnn.generate, "sconce-gnn"),
    "hf": (hf.generate, "sconce-transformer"),
    "losses": (losses.generate, "sconce-losses"),
    "metrics": (metrics.generate, "sconce-train"),
    "norm": (norm.generate, "sconce-nn"),
    "optim": (optim.generate, "sconce-optim"),
    "pool": (pool.generate, "sconce-cnn"),
    "rnn": (rnn.generate, "sconce-rnn"),
    "samplers": (samplers.generate, "sconce-data"),
    "schedule": (schedule.generate, "sconce-optim"),
    "transformer": (transformer.generate, "sconce-transformer"),
    "transforms": (transforms.generate, "sconce-data"),
    "resample": (resample.generate, "sconce-cnn"),
    "vision": (vision.generate, "sconce-cnn"),
}


def main(crates, names):
    unknown = [name for name in names if name not in FAMILIES]
    if unknown:
        raise SystemExit(f"no family {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    for name in names or FAMILIES:
        generate, crate = FAMILIES[name]
        generate().save(Path(crates) / crate / "tests" / "golden")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
