#!/usr/bin/env python3
"""Compares the whole output tree of torchvision's scripted detectors and segmentation networks with Python's.

  scripts/check_detectors.py BUILD_FOLDER FOLDER PHOTOS... [--only TEXT]

Makes the networks with seeded weights in FOLDER (1.5 GB; what is there stays), has `ptrun predict --task tensors -o
FILE.npz` run each on the photos and on a broken one, runs the same file with torch.jit.load on Pillow's pixels, and
prints the largest difference of each array. Exit code 1 when an array differs by more than --tolerance of its largest
number. Needs a Python with scripts/fixtures/requirements.txt.
"""
import argparse
import pathlib
import subprocess
import sys

import numpy
import torch
import torchvision
from PIL import Image, ImageOps
from torchvision.models import detection, segmentation
from torchvision.transforms import functional

DETECTORS = (
    "fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2", "fasterrcnn_mobilenet_v3_large_fpn",
    "maskrcnn_resnet50_fpn", "keypointrcnn_resnet50_fpn", "retinanet_resnet50_fpn", "fcos_resnet50_fpn",
    "ssd300_vgg16", "ssdlite320_mobilenet_v3_large",
)
SEGMENTERS = ("deeplabv3_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large")
SEGMENT_SIZE = (264, 352)
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def pixels(path):
    return functional.to_tensor(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))


def randomise(model, batch):
    """Batch norms that fit what comes in and class scores that are far apart, so that there is something to detect."""
    generator = torch.Generator().manual_seed(7)
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.weight.copy_(1 + 0.2 * torch.randn(norm.weight.shape, generator=generator))
            norm.bias.copy_(0.2 * torch.randn(norm.bias.shape, generator=generator))
            norm.momentum = None
            norm.reset_running_stats()
            norm.train()
        model(batch)
        for name, module in model.named_modules():
            if name.endswith(("cls_score", "cls_logits")) and hasattr(module, "weight"):
                module.weight.mul_(30.0)
    return model.eval()


def make(name, path, photos):
    torch.manual_seed(1)
    if name in DETECTORS:
        model = getattr(detection, name)(weights=None, weights_backbone=None).eval()
        model = randomise(model, [pixels(photos[0]), pixels(photos[-1])])
    else:
        model = getattr(segmentation, name)(weights=None, weights_backbone=None).eval()
        model = randomise(model, torch.stack([resized(path) for path in photos[:2]]))
    torch.jit.script(model).save(str(path))


def resized(path):
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB").resize(SEGMENT_SIZE[::-1], Image.Resampling.BILINEAR)
    return functional.normalize(functional.to_tensor(image), MEAN, STD)


def wanted_arrays(name, path, photos):
    """What the file returns in Python, an image at a time, under the names that docs/npz.md gives."""
    module = torch.jit.load(str(path)).eval()
    arrays = {}
    with torch.inference_mode():
        for i, photo in enumerate(photos):
            if name in DETECTORS:
                entry = module([pixels(photo)])[1][0]
                arrays.update({f"{i}.{key}": value.numpy() for key, value in entry.items()})
            else:
                for key, value in module(resized(photo)[None]).items():
                    arrays.setdefault(key, []).append(value[0].numpy())
    return {key: numpy.stack(value) if isinstance(value, list) else value for key, value in arrays.items()}


def run_ptrun(build, name, path, photos, folder, options):
    out = folder / f"{name}.npz"
    sizes = [] if name in DETECTORS else ["--resize-mode", "stretch", "--input-size", "%dx%d" % SEGMENT_SIZE]
    command = [str(build / "bin" / "ptrun"), "predict", str(path), *map(str, photos), "-o", str(out), "--force",
               "--quiet", *sizes, *options]
    done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    if done.returncode != 1:  # 1: all but the broken photo
        sys.exit(f"{name}: exit code {done.returncode}: {done.stderr}")
    return numpy.load(out, allow_pickle=False)


def compare(name, found, wanted):
    """Rows (array, places, largest difference, the same in units of the largest number, what else differs)."""
    rows = {}
    for key, value in wanted.items():
        label = key.split(".", 1)[1] if key.split(".")[0].isdigit() else key
        row = rows.setdefault(label, [0, 0.0, 0.0, ""])
        if key not in found.files:
            row[3] = f"{key} is missing"
        elif found[key].shape != value.shape or found[key].dtype != value.dtype:
            row[3] = f"{key}: {found[key].dtype} {found[key].shape}, expected {value.dtype} {value.shape}"
        elif value.size:
            difference = float(numpy.abs(found[key].astype("f8") - value.astype("f8")).max())
            row[0] += value.size
            row[1] = max(row[1], difference)
            row[2] = max(row[2], difference / max(float(numpy.abs(value.astype("f8")).max()), 1e-30))
    extra = set(found.files) - set(wanted) - {"paths", "failed_paths", "failed_errors"}
    if extra:
        rows["others"] = [0, 0.0, 0.0, "not expected: " + ", ".join(sorted(extra))]
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("photos", nargs="+", type=pathlib.Path)
    parser.add_argument("--only", default="", help="networks whose name holds this text")
    parser.add_argument("--tolerance", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=1, help="of both; sums in another order round otherwise")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    broken = arguments.folder / "broken.jpg"
    broken.write_bytes(arguments.photos[0].read_bytes()[:2000])
    given = [arguments.photos[0], broken, *arguments.photos[1:]]
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, {len(arguments.photos)} photos\n")
    print("| network | array | numbers | largest difference | of the largest number |\n| --- | --- | --- | --- | --- |")
    good = True
    for name in DETECTORS + SEGMENTERS:
        if arguments.only not in name:
            continue
        path = arguments.folder / f"{name}.pt"
        if not path.exists():
            make(name, path, arguments.photos)
        options = ["--threads", str(arguments.threads), "--workers", "1", "--task", "tensors"]
        found = run_ptrun(arguments.build, name, path, given, arguments.folder, options)
        assert list(found["paths"]) == list(map(str, arguments.photos)), found["paths"]
        assert list(found["failed_paths"]) == [str(broken)], found["failed_paths"]
        for label, (count, absolute, relative, problem) in compare(name, found, wanted_arrays(name, path, arguments.photos)).items():
            good = good and not problem and relative <= arguments.tolerance and (count > 0 or label == "masks")
            print(f"| {name} | {label} | {count} | {absolute:.3g} | {relative:.3g} {problem}|", flush=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
