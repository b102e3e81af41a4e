"""The benchmark behind run.sh, which makes its environment: measures what is asked for, writes results.json after every
cell, and report.md at the end."""
import argparse
import json
import pathlib
import shutil
import sys
import time

import common
import end_to_end
import first_prediction
import images
import model_only
import preprocess_only
import report
from networks import CHECKED, NETWORKS, REAL, Models
from runners import Peer, PeerFailed

SECTIONS = {"first": first_prediction.run, "preprocess": preprocess_only.run, "files": end_to_end.run,
            "model": model_only.run}
# --short: light and heavy once each, two rounds.
SHORT = {"networks": "mobilenet_v2,mobilenet_v3_large,resnet50", "rounds": 2, "seconds": 1.5, "model_seconds": 0.4,
         "threads": "1", "batches": "8", "sections": "first,preprocess,files", "precisions": "fp32,bf16",
         "sets": "small"}
FULL = {"networks": ",".join(NETWORKS), "rounds": 5, "seconds": 4.0, "model_seconds": 1.0, "threads": "1,2",
        "batches": "1,8", "sections": ",".join(SECTIONS), "precisions": "fp32,bf16", "sets": "small,large"}


def listed(known):
    def parse(text):
        words = text.split(",")
        for word in words:
            if word not in known:
                raise argparse.ArgumentTypeError(f"{word} was found, expected some of {','.join(known)}")
        return words
    return parse


def arguments():
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__)
    parser.add_argument("--short", action="store_true", help="about five minutes; every option below still counts")
    parser.add_argument("--prepare", action="store_true", help="make what need not be timed, and end")
    parser.add_argument("--docs", action="store_true", help="put the tables into README.md and docs/benchmark.md")
    parser.add_argument("--render", type=pathlib.Path, metavar="RESULTS", help="the report of an earlier results.json")
    parser.add_argument("--output", type=pathlib.Path, default=common.ROOT / "build" / "bench")
    peers = sorted({*end_to_end.PEERS, *model_only.PEERS})
    for name, known, what in [
            ("networks", NETWORKS, "NAMES"), ("sections", list(SECTIONS), "NAMES"),
            ("sets", ["small", "large"], "NAMES"),
            ("precisions", ["fp32", "bf16"], "NAMES"), ("threads", ["1", "2", "4", "8"], "NUMBERS"),
            ("batches", ["1", "2", "4", "8", "16"], "NUMBERS")]:
        parser.add_argument(f"--{name}", type=listed(known), metavar=what,
                            help=f"of {', '.join(known)}; {FULL[name]}, short {SHORT[name]}")
    parser.add_argument("--peers", type=listed(peers), default=peers, metavar="NAMES", help=f"of {', '.join(peers)}")
    parser.add_argument("--rounds", type=int, help=f"{FULL['rounds']}, short {SHORT['rounds']}")
    parser.add_argument("--seconds", type=float, help="of a window of files")
    parser.add_argument("--model-seconds", type=float, help="of the calls of a model")
    for name in ("--tool", "--kept", "--real-weights"):  # run.sh gives them
        parser.add_argument(name, type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    given = parser.parse_args()
    for name, value in (SHORT if given.short else FULL).items():
        if getattr(given, name) is None:
            setattr(given, name, value.split(",") if isinstance(value, str) else value)
    return given


class Context:
    """What the sections share."""

    def __init__(self, given, checksum, files):
        self.tool, self.files, self.peers = str(given.tool), files, given.peers
        self.models = Models(given.kept / "models", given.real_weights)
        self.networks, self.precisions, self.sets = given.networks, given.precisions, given.sets
        self.rounds, self.seconds, self.model_seconds = given.rounds, given.seconds, given.model_seconds
        self.threads, self.batches = [int(n) for n in given.threads], [int(n) for n in given.batches]
        self.output = given.output
        self.output.mkdir(parents=True, exist_ok=True)
        self.log = open(self.output / "peers.log", "w", encoding="utf-8")
        self.begun = time.perf_counter()
        self.results = {"machine": common.machine(checksum), "load_before": common.load(), "rounds": self.rounds,
                        "seconds": self.seconds, "short": given.short, "notes": []}

    def say(self, text):
        print(f"{time.perf_counter() - self.begun:5.0f} s  {text}", file=sys.stderr, flush=True)

    def note(self, text):
        self.say(text)
        self.results["notes"].append(text)

    def save(self):
        (self.output / "results.json").write_text(json.dumps(self.results, indent=1), encoding="utf-8")


def prepare(context, kernels):
    """Files of the models, and with `kernels` those that torch.compile keeps on disk."""
    context.models.identity()
    for network in context.networks:
        context.say(f"preparing {network}")
        context.models.weights(network)
        context.models.openvino(network)
        context.models.onnx(network)
        context.models.reference(network, context.files["small"][:CHECKED])
        if network == REAL:
            context.models.reference(network, context.files["small"])
        if not kernels or "compile" not in context.peers:
            continue
        peer = Peer("compile", context.models, context.log)
        try:
            for precision in context.precisions:
                if "files" in context.sections:
                    peer.load(network, precision)
                for threads in context.threads if "model" in context.sections else []:
                    for batch in context.batches:
                        peer.load(network, precision, threads, batch)
        except PeerFailed as error:
            context.note(f"{network}: {error}")
        peer.close()


def main():
    given = arguments()
    if given.render:
        results = json.loads(given.render.read_text(encoding="utf-8"))
        (given.render.parent / "report.md").write_text(report.whole(results), encoding="utf-8")
        if given.docs:
            report.put_into_docs(results)
        return
    given.tool = pathlib.Path(shutil.which(given.tool) or given.tool)
    checksum, files = images.sets(given.kept / "images")
    context = Context(given, checksum, files)
    context.sections = given.sections
    prepare(context, given.prepare)
    if given.prepare:
        return
    context.results["load_before"] = common.load()
    for name in given.sections:
        SECTIONS[name](context)
    context.results |= {"load_after": common.load(), "took": time.perf_counter() - context.begun}
    context.save()
    text = report.whole(context.results)
    (context.output / "report.md").write_text(text, encoding="utf-8")
    print(text)
    if given.docs:
        report.put_into_docs(context.results)


if __name__ == "__main__":
    main()
