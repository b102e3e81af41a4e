#!/usr/bin/env python3
"""Tells rounding from defects where random-weight ultralytics models differ from Python: both against float64.

  scripts/check_ultralytics_rounding.py BUILD_FOLDER FOLDER [NAME...]    # yolov9t, yolov8n-seg, ...

For each model and two random pictures: how far ptrun's and ultralytics' float32 outputs lie from ultralytics' own
model in float64, and from each other, in units of the largest number; then the same for pictures changed by one part in
10^7, which is what the model makes of a rounding of its input. A defect would put ptrun further from float64 than
ultralytics is. Exit code 1 when ptrun is more than twice as far and more than 1e-5. With ultralytics 8.4.190.
"""
import copy
import os
import pathlib
import subprocess
import sys

os.environ["YOLO_OFFLINE"] = "1"
os.environ["YOLO_VERBOSE"] = "False"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "fixtures"))

import numpy
import torch
from make_ultralytics_models import outputs_of, randomise
from PIL import Image
from ultralytics import YOLO

SIZES = ((96, 160), (160, 128))


def ptrun_outputs(build, path, picture, size, folder):
    out = folder / "out.npz"
    subprocess.run([str(build / "bin" / "ptrun"), "predict", str(path), str(picture), "--task", "tensors", "--input-size",
                    "%dx%d" % size, "-o", str(out), "--force", "--quiet", "-j", "1", "--threads", "1"], check=True)
    arrays = numpy.load(out)
    return [arrays[name].astype("f8") for name in arrays.files if name not in ("paths", "failed_paths", "failed_errors")]


def python_outputs(model, task, image):
    with torch.inference_mode():
        return [tensor.double().numpy() for tensor in outputs_of(model(image), task)]


def distance(left, right):
    return max(float(numpy.abs(a - b).max() / numpy.abs(b).max()) for a, b in zip(left, right, strict=True))


def check(build, folder, name):
    yolo = YOLO(f"{name}.yaml")
    yolo.model.names = {i: f"thing {i}" for i in range(len(yolo.model.names))}
    yolo.model.args = {"imgsz": 640, "task": yolo.task}
    model = randomise(yolo.model, sum(map(ord, name)))
    path = folder / f"{name}.pt"
    torch.save(model, path)
    exact = copy.deepcopy(model).double()
    worst = [0.0] * 4
    for size in SIZES:
        generator = numpy.random.default_rng(size[0])
        pixels = generator.integers(0, 256, (*size, 3), dtype=numpy.uint8)
        picture = folder / "picture.png"
        Image.fromarray(pixels).save(picture)
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        moved = image.double() * (1 + 1e-7 * torch.from_numpy(generator.choice([-1.0, 1.0], image.shape)))
        ours = ptrun_outputs(build, path, picture, size, folder)
        theirs = python_outputs(model, yolo.task, image)
        truth = python_outputs(exact, yolo.task, image.double())
        found = (distance(ours, truth), distance(theirs, truth), distance(ours, theirs),
                 distance(python_outputs(exact, yolo.task, moved), truth))
        worst = [max(a, b) for a, b in zip(worst, found)]
    print(f"| {name} | " + " | ".join(f"{value:.2g}" for value in worst) + " |", flush=True)
    return worst[0] <= max(2 * worst[1], 1e-5)


def main():
    build, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("| model | ptrun to float64 | ultralytics to float64 | ptrun to ultralytics | float64, input moved 1e-7 |")
    print("| --- | --- | --- | --- | --- |")
    good = [check(build, folder, name) for name in sys.argv[3:] or ["yolov9t", "yolov8n", "yolo11n", "yolo12n", "yolo26n"]]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
