"""PyTorch's side of `cargo xtask bench mnist-program`: mnist.py THREADS.

The tutorial's program as a PyTorch user writes it: LeNet-5 with sigmoids on raw 0–255 pixels, SGD at 0.9, batch 32, five
epochs, the last tenth of the training images for validation, Glorot weights and zero biases, then the test images. The data
lies in $SCONCE_DATA, or where `cargo xtask data` puts it.
"""

import gzip
import os
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

from peer import LeNet

BATCH = 32
EPOCHS = 5


def folder():
    if os.environ.get("SCONCE_DATA"):
        return Path(os.environ["SCONCE_DATA"]) / "mnist"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/sconce/mnist"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sconce/mnist"


def read(name, header):
    path = folder() / f"{name}.gz"
    if not path.exists():
        raise SystemExit(f"{path} is missing: cargo xtask data mnist")
    with gzip.open(path) as file:
        return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)


def load(part):
    images = read(f"{part}-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28)
    return torch.utils.data.TensorDataset(images.float(), read(f"{part}-labels-idx1-ubyte", 8).long())


def evaluate(net, data):
    loss, right = 0.0, 0
    with torch.no_grad():
        for images, labels in batches(data):
            logits = net(images)
            loss += F.cross_entropy(logits, labels, reduction="sum").item()
            right += (logits.argmax(1) == labels).sum().item()
    return loss / len(data), right / len(data)


def batches(data, shuffle=False):
    """Whole batches at once, the fastest way that PyTorch's loader has."""
    order = torch.utils.data.RandomSampler(data) if shuffle else torch.utils.data.SequentialSampler(data)
    sampler = torch.utils.data.BatchSampler(order, BATCH, drop_last=False)
    return torch.utils.data.DataLoader(data, sampler=sampler, batch_size=None)


def main(threads):
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    train = load("train")
    count = len(train) * 9 // 10
    training = torch.utils.data.TensorDataset(*(t[:count] for t in train.tensors))
    validation = torch.utils.data.TensorDataset(*(t[count:] for t in train.tensors))
    net = LeNet()
    for parameter in net.parameters():
        if parameter.dim() > 1:
            torch.nn.init.xavier_uniform_(parameter)
        else:
            torch.nn.init.zeros_(parameter)
    rule = torch.optim.SGD(net.parameters(), lr=0.9, fused=True)
    for epoch in range(EPOCHS):
        for images, labels in batches(training, shuffle=True):
            rule.zero_grad()
            F.cross_entropy(net(images), labels).backward()
            rule.step()
        loss, accuracy = evaluate(net, validation)
        print(f"epoch {epoch + 1}: validation loss {loss:.4f}, accuracy {accuracy:.4f}", flush=True)
    loss, accuracy = evaluate(net, load("t10k"))
    print(f"test loss: {loss:.4f}")
    print(f"test accuracy: {accuracy:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
