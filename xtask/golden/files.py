"""Small files as others write them: NumPy's arrays, images in PNG and JPEG, with what NumPy and Pillow read from them."""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file
from torchvision.datasets import ImageFolder

DTYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"]


def arrays():
    """By name: every type in either byte order, in rows and in columns."""
    rng = np.random.Generator(np.random.PCG64(7))
    for dtype in DTYPES:
        kind = np.dtype(dtype).kind
        if kind == "b":
            values = rng.integers(0, 2, (2, 3, 4)) == 1
        elif kind == "f":
            values = rng.standard_normal((2, 3, 4))
        else:
            info = np.iinfo(dtype)
            values = rng.integers(info.min, min(info.max, 2**63 - 1), (2, 3, 4), dtype=dtype, endpoint=True)
        for order in "<>":
            for layout in "CF":
                name = f"{dtype}-{'little' if order == '<' else 'big'}-{layout}"
                yield name, np.asarray(values.astype(np.dtype(order + dtype)), order=layout)
    yield "scalar", np.float32(2.5)
    yield "vector", np.arange(5, dtype=np.int64)
    yield "empty", np.zeros((3, 0), np.float64)


def expected(array):
    """In the type that the reader gives it."""
    wider = {"int8": np.int16, "uint16": np.uint32, "uint64": np.int64, "bool": np.uint8}
    native = array.astype(array.dtype.newbyteorder("="))
    return np.asarray(native.astype(wider.get(native.dtype.name, native.dtype)), order="C")


def pictures():
    """By path in the folder: image, and how it is saved."""
    y, x = np.mgrid[0:10, 0:13].astype(np.float64)
    smooth = np.stack([128 + 90 * np.sin(x / 4), 20 * y, 255 - 10 * (x + y)], -1).clip(0, 255).astype(np.uint8)
    rng = np.random.Generator(np.random.PCG64(8))
    noise = rng.integers(0, 256, (7, 5, 4), dtype=np.uint8)
    yield "b class/noise.png", Image.fromarray(noise[..., :3]), {}
    yield "b class/alpha.png", Image.fromarray(noise), {}
    yield "a/gray.PNG", Image.fromarray(noise[..., 0]), {}
    yield "a/deep/palette.png", Image.fromarray(smooth).quantize(16), {}
    yield "a/bits.png", Image.fromarray(noise[..., 0] > 99), {}
    yield "a/smooth.jpg", Image.fromarray(smooth), {"quality": 90, "subsampling": 0}
    yield "b class/progressive.jpeg", Image.fromarray(smooth), {"quality": 90, "subsampling": 0, "progressive": True}


class Files:
    def save(self, folder):
        folder = Path(folder) / "files"
        folder.mkdir(parents=True, exist_ok=True)
        named = dict(arrays())
        np.savez(folder / "stored.npz", **named)
        np.savez_compressed(folder / "deflated.npz", **named)
        for version in ((1, 0), (2, 0), (3, 0)):
            with open(folder / f"version{version[0]}.npy", "wb") as file:
                np.lib.format.write_array(file, named["f4-little-C"], version)
        np.save(folder / "objects.npy", np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
        save_file({name: expected(np.asarray(array)) for name, array in named.items()}, folder / "arrays.safetensors")
        images = folder / "images"
        for path, image, options in pictures():
            path = images / path
            path.parent.mkdir(parents=True, exist_ok=True)
            buffer = io.BytesIO()
            image.save(buffer, "PNG" if path.suffix.lower() == ".png" else "JPEG", **options)
            path.write_bytes(buffer.getvalue())
        (images / "a" / "notes.txt").write_text("not an image\n")
        found = ImageFolder(images)
        samples = [[Path(path).relative_to(images).as_posix(), label] for path, label in found.samples]
        (folder / "found.json").write_text(json.dumps({"classes": found.classes, "samples": samples}, indent=1) + "\n")
        pixels = {}
        for index, (image, _) in enumerate(found):
            pixels[f"{index}/rgb"] = np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))
            gray = Image.open(found.samples[index][0]).convert("RGB").convert("L")
            pixels[f"{index}/gray"] = np.asarray(gray)[None]
        save_file(pixels, folder / "pixels.safetensors")
        print(f"files: {len(named)} arrays, {len(samples)} images, {folder}")


def generate():
    return Files()
