"""Seconds from a fresh process to the first label of one photo: ptrun beside Python, in turns."""
import json
import os
import pathlib
import subprocess
import sys
import time

from common import ROOT
from networks import REAL

SCRIPT = pathlib.Path(__file__).with_name("first_label.py")


def timed(words, environment=None):
    before, start = os.times(), time.perf_counter()
    ran = subprocess.run(words, check=True, capture_output=True, text=True, env={**os.environ, **(environment or {})})
    wall, after = time.perf_counter() - start, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall": wall, "cpu": cpu, "out": ran.stdout.strip()}


def run(context):
    context.say("the first label of a fresh process")
    models, photo = context.models, str(ROOT / "tests/data/photos/cat.jpg")
    python = [sys.executable, str(SCRIPT)]
    ways = {
        "ptrun": [context.tool, "predict", str(models.weights(REAL)), photo, "--topk", "1", "-q"],
        "Python, torch + torchvision": [*python, "torch", str(models.weights(REAL)), photo],
        "Python, OpenVINO + Pillow": [*python, "openvino", str(models.openvino(REAL)), photo],
        "Python, ONNX Runtime + Pillow": [*python, "onnxruntime", str(models.onnx(REAL)), photo]}
    for words in ways.values():
        timed(words)  # files come from the page cache
    rounds = {name: [] for name in ways}
    for _ in range(max(3, context.rounds)):
        for name, words in ways.items():
            rounds[name].append(timed(words))
    found = []
    for name, own in rounds.items():
        label = own[0]["out"]
        found.append({"runner": name, "wall": [one["wall"] for one in own], "cpu": [one["cpu"] for one in own],
                      "index": json.loads(label)["predictions"][0]["index"] if name == "ptrun" else int(label)})
    context.results["first_prediction"] = found
    context.save()
