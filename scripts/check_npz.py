#!/usr/bin/env python3
"""Reads with numpy what `ptrun predict --task tensors -o FILE.npz` writes, and compares it with Python's outputs.

  scripts/check_npz.py BUILD_FOLDER PHOTOS...

The models return their own input beside what they compute, so that Python can run them on the same pixels. Needs a
Python with scripts/fixtures/requirements.txt.
"""
import io
import pathlib
import subprocess
import sys
import tempfile
import zipfile
from typing import Dict, List, Tuple

import numpy
import torch


class Batched(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> Tuple[Dict[str, torch.Tensor], torch.Tensor]:
        means = x.mean(dim=[2, 3])
        return {"image": x, "means": means, "top": means.topk(1).indices}, means.to(torch.bfloat16)


class Detector(torch.nn.Module):
    def forward(self, images: List[torch.Tensor]) -> List[Dict[str, torch.Tensor]]:
        result: List[Dict[str, torch.Tensor]] = []
        for x in images:
            places = (x[0] > 0.9).nonzero()[:50]
            result.append({"image": x, "boxes": torch.cat([places, places + 1], 1).float(), "labels": places[:, 0]})
        return result


def predict(ptrun, model, photos, out):
    subprocess.run([ptrun, "predict", model, *photos, "--task", "tensors", "--input-size", "64", "-o", out, "--force",
                    "--quiet"], check=False, stdout=subprocess.DEVNULL)
    with zipfile.ZipFile(out) as records:
        assert records.testzip() is None
        for name in records.namelist():  # byte for byte what numpy.save writes
            array = numpy.load(io.BytesIO(records.read(name)), allow_pickle=False)
            again = io.BytesIO()
            numpy.save(again, array)
            assert again.getvalue() == records.read(name), name
    return numpy.load(out, allow_pickle=False)


def largest(pairs):
    worst = 0.0
    for found, wanted in pairs:
        wanted = wanted.float().numpy() if wanted.dtype == torch.bfloat16 else wanted.numpy()
        assert found.dtype == wanted.dtype and found.shape == wanted.shape, (found.dtype, found.shape, wanted.shape)
        if found.size:
            worst = max(worst, float(numpy.abs(found.astype("f8") - wanted.astype("f8")).max()))
    return worst


def main():
    ptrun = str(pathlib.Path(sys.argv[1]) / "bin" / "ptrun")
    photos = sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        broken = pathlib.Path(folder) / "broken.jpg"
        broken.write_bytes(b"\xff\xd8\xff\xe0 no picture")
        given = [photos[0], str(broken), *photos[1:]]
        for module in (Batched(), Detector()):
            path = str(pathlib.Path(folder) / "model.pt")
            torch.jit.script(module).save(path)
            found = predict(ptrun, path, given, str(pathlib.Path(folder) / "out.npz"))
            assert list(found["paths"]) == photos and list(found["failed_paths"]) == [str(broken)]
            assert str(broken) in found["failed_errors"][0]
            if isinstance(module, Batched):
                wanted, half = module(torch.from_numpy(found["0.image"]))
                pairs = [(found["0." + key], value) for key, value in wanted.items()] + [(found["1"], half)]
            else:
                images = [torch.from_numpy(found[f"{i}.image"]) for i in range(len(photos))]
                pairs = [(found[f"{i}.{key}"], value) for i, entry in enumerate(module(images))
                         for key, value in entry.items()]
            assert len(found.files) == len(pairs) + 3, found.files
            print(f"{type(module).__name__}: {len(found['paths'])} images, {len(found.files)} arrays, "
                  f"max difference {largest(pairs)}")


if __name__ == "__main__":
    main()
