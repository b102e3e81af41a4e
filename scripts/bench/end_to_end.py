"""Images per second from a folder of JPEGs to labels: ptrun beside Python on the same files and weights, fp32.

Usage: python end_to_end.py PTRUN FOLDER [--networks mobilenet_v2,resnet50]
       [--weights NETWORK=FILE]... [--rounds 3]

FOLDER: small or large of make_images.py. Peers: torchvision's transforms and a DataLoader (0 and 2 worker processes, the
better one counts) with the eager model, and OpenVINO with the same transforms in two threads. Rounds alternate. ptrun's
time is the whole process, start and loading too; a peer's is its loop alone. Prints a Markdown table of medians and how
many first labels agree. Weights are random except for --weights NETWORK=FILE; labels of random weights may tie.
"""
import argparse
import concurrent.futures
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import torch
import torchvision
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from common import PREPARE, PREPARE_WORDS, processor

BATCH = 8


class Photos(Dataset):
    def __init__(self, files):
        self.files = files

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        with Image.open(self.files[index]) as image:
            return PREPARE(image.convert("RGB"))


def loop(model, files, workers):
    top = []
    start = time.perf_counter()
    with torch.inference_mode():
        for batch in DataLoader(Photos(files), BATCH, num_workers=workers):
            top += model(batch).argmax(1).tolist()
    return time.perf_counter() - start, top


def openvino_loop(compiled, files):
    import openvino
    photos, top = Photos(files), [None] * len(files)
    start = time.perf_counter()
    queue = openvino.AsyncInferQueue(compiled)
    queue.set_callback(lambda request, first: top.__setitem__(
        slice(first, first + BATCH), request.get_output_tensor().data.argmax(1).tolist()))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        rows = pool.map(photos.__getitem__, range(len(files)))
        pending = []
        for index, row in enumerate(rows):
            pending.append(row)
            if len(pending) == BATCH or index + 1 == len(files):
                queue.start_async(torch.stack(pending).numpy(), index + 1 - len(pending))
                pending = []
    queue.wait_all()
    return time.perf_counter() - start, top


def ptrun_run(tool, weights, folder, out):
    start = time.perf_counter()
    subprocess.run([tool, "predict", weights, folder, "-o", out, "--force", "--quiet", "--topk", "1",
                    *PREPARE_WORDS], check=True)
    seconds = time.perf_counter() - start
    rows = [json.loads(line) for line in open(out)]
    return seconds, {row["path"]: row["predictions"][0]["index"] for row in rows}


def network_and_file(text):
    network, separator, file = text.partition("=")
    if not (network and separator and file):
        raise argparse.ArgumentTypeError(f"{text} was given, expected NETWORK=FILE")
    return network, file


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--networks", default="mobilenet_v2,mobilenet_v3_large,resnet50")
    parser.add_argument("--weights", action="append", default=[], type=network_and_file, metavar="NETWORK=FILE",
                        help="published weights of a network of --networks; repeatable")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    import openvino
    files = sorted(str(path) for path in arguments.folder.glob("*.jpg"))
    given = dict(arguments.weights)
    print(f"{processor()}, {len(files)} files of {arguments.folder.name}, torch {torch.__version__}, OpenVINO "
          f"{openvino.__version__}, fp32, medians of {arguments.rounds} rounds, {time.strftime('%Y-%m-%d')}\n")
    print("| network | ptrun img/s | DataLoader + eager | OpenVINO | ratio to eager | to OpenVINO | same first label |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as temporary:
        for name in arguments.networks.split(","):
            torch.manual_seed(7)
            model = torchvision.models.get_model(name).eval()
            weights = given.get(name)
            if weights:
                model.load_state_dict(torch.load(weights, weights_only=True))
            else:
                weights = f"{temporary}/{name}.pt"
                torch.save(model.state_dict(), weights)
            core = openvino.Core()
            converted = openvino.convert_model(model, example_input=torch.rand(BATCH, 3, 224, 224))
            compiled = core.compile_model(converted, "CPU", {
                "PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"})
            times = {"ptrun": [], "eager": [], "openvino": []}
            for _ in range(arguments.rounds):
                seconds, ours = ptrun_run(arguments.tool, weights, str(arguments.folder), f"{temporary}/rows.jsonl")
                times["ptrun"].append(seconds)
                both = [loop(model, files, workers) for workers in (0, 2)]
                times["eager"].append(min(both)[0])
                seconds, _ = openvino_loop(compiled, files)
                times["openvino"].append(seconds)
                theirs = both[0][1]
            same = sum(ours[file] == top for file, top in zip(files, theirs))
            rate = {key: len(files) / statistics.median(value) for key, value in times.items()}
            print(f"| {name} | {rate['ptrun']:.0f} | {rate['eager']:.0f} | {rate['openvino']:.0f} | "
                  f"{rate['ptrun'] / rate['eager']:.2f} | {rate['ptrun'] / rate['openvino']:.2f} | "
                  f"{same} of {len(files)} |", flush=True)


if __name__ == "__main__":
    main()
