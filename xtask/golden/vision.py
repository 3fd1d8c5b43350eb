"""Whole networks: torchvision's ResNet-18 made narrow, and a U-Net with the names of milesial/Pytorch-UNet."""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

from case_set import CaseSet, leaf, normal

WIDTH = 2


class NarrowResNet(ResNet):
    """torchvision's network with all channels divided by 64 / WIDTH: its own stages, names and forward pass."""

    def __init__(self, classes, small):
        super().__init__(BasicBlock, [2, 2, 2, 2], num_classes=classes)
        kernel, stride = (3, 1) if small else (7, 2)
        self.conv1 = nn.Conv2d(3, WIDTH, kernel, stride, kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTH)
        self.fc = nn.Linear(8 * WIDTH, classes)
        if small:
            self.maxpool = nn.Identity()

    def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
        if planes == 64:
            self.inplanes = WIDTH
        return super()._make_layer(block, planes * WIDTH // 64, blocks, stride, dilate)


def double(from_, middle, to):
    layers = [nn.Conv2d(from_, middle, 3, padding=1, bias=False), nn.BatchNorm2d(middle), nn.ReLU()]
    layers += [nn.Conv2d(middle, to, 3, padding=1, bias=False), nn.BatchNorm2d(to), nn.ReLU()]
    return nn.ModuleDict({"double_conv": nn.Sequential(*layers)})


def run(block, x):
    return block["double_conv"](x)


class UNet(nn.Module):
    def __init__(self, channels, classes, width, depth, bilinear):
        super().__init__()
        self.depth, self.bilinear = depth, bilinear
        self.inc = double(channels, width, width)
        kept = (lambda n: n // 2) if bilinear else (lambda n: n)
        for k in range(1, depth + 1):
            to = width << k
            to = kept(to) if k == depth else to
            down = nn.ModuleDict({"maxpool_conv": nn.ModuleList([nn.MaxPool2d(2), double(width << (k - 1), to, to)])})
            self.add_module(f"down{k}", down)
        for k in range(1, depth + 1):
            from_ = width << (depth + 1 - k)
            to = from_ // 2 if k == depth else kept(from_ // 2)
            up = {} if bilinear else {"up": nn.ConvTranspose2d(from_, from_ // 2, 2, stride=2)}
            up["conv"] = double(from_, from_ // 2 if bilinear else to, to)
            self.add_module(f"up{k}", nn.ModuleDict(up))
        self.outc = nn.ModuleDict({"conv": nn.Conv2d(width, classes, 1)})

    def forward(self, x):
        seen = [run(self.inc, x)]
        for k in range(1, self.depth + 1):
            pool, conv = getattr(self, f"down{k}")["maxpool_conv"]
            seen.append(run(conv, pool(seen[-1])))
        x = seen.pop()
        for k in range(1, self.depth + 1):
            up, beside = getattr(self, f"up{k}"), seen.pop()
            if self.bilinear:
                x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            else:
                x = up["up"](x)
            h, w = beside.shape[2] - x.shape[2], beside.shape[3] - x.shape[3]
            x = F.pad(x, [w // 2, w - w // 2, h // 2, h - h // 2])
            x = run(up["conv"], torch.cat([beside, x], 1))
        return self.outc["conv"](x)


def prepare(rng, model):
    """Random values that keep the numbers at about one through the layers, running statistics too."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(torch.from_numpy(rng.uniform(0.5, 2, tensor.shape)))
            elif tensor.dim() > 1:
                tensor.copy_(normal(rng, *tensor.shape) / tensor[0].numel() ** 0.5)
            elif not name.endswith("num_batches_tracked"):
                centre = 1 if name.endswith("weight") else 0
                tensor.copy_(centre + 0.3 * normal(rng, *tensor.shape))
    return model.double()


# stem, images, training
RESNET = [("large", [3, 3, 64, 47], True), ("large", [1, 3, 33, 40], False), ("small", [3, 3, 16, 11], True)]
# channels, classes, width, depth, bilinear, images, training
UNET = [
    (1, 2, 3, 2, False, [2, 1, 8, 12], True),
    (2, 3, 2, 2, True, [2, 2, 11, 9], True),
    (1, 1, 2, 3, False, [1, 1, 13, 8], False),
]


def generate():
    cases = CaseSet("vision")

    def add(rng, config, model, shape, train):
        config["train"] = train
        model = prepare(rng, model).train(train)
        before = {name: x.clone() for name, x in model.named_buffers() if not name.endswith("tracked")}
        inputs = {"x": leaf(normal(rng, *shape))}
        cases.run(config, lambda t: model(t["x"]), inputs, model, before, rng)

    for stem, shape, train in RESNET:
        config = {"kind": "resnet18", "stem": stem, "width": WIDTH, "classes": 5}
        add(cases.generator(), config, NarrowResNet(5, stem == "small"), shape, train)
    for channels, classes, width, depth, bilinear, shape, train in UNET:
        config = {"kind": "unet", "channels": channels, "classes": classes, "width": width, "depth": depth}
        config["bilinear"] = bilinear
        add(cases.generator(), config, UNet(channels, classes, width, depth, bilinear), shape, train)
    return cases
