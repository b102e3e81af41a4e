"""From folders of JPEGs to first labels: ptrun and all peers on the same files, in turns."""
import os

from common import median
from networks import CHECKED, REAL, agreement, apart
from runners import Peer, PeerFailed, Ptrun

TORCH = ("eager", "compile", "timm")
PEERS = (*TORCH, "openvino", "openvino-opencv", "onnxruntime")
CORES = len(os.sched_getaffinity(0))


def checked(context, network, precision, runner):
    """How a runner's logits for the small set agree with torch eager in fp32."""
    files = context.files["small"][:CHECKED]
    reference = context.models.reference(network, files)
    if isinstance(runner, Ptrun):
        found = runner.logits(context.models.weights(network), files)
    else:
        found = runner.logits(files)
    return agreement(reference, found)


def labels_of(context, runner, network, files, seconds, workers):
    if isinstance(runner, Ptrun):
        return runner.labels(context.models.weights(network), files, seconds)
    return runner.labels(files, seconds, workers if runner.name in TORCH else 0)


def best_workers(eager, files):
    """Worker processes of the DataLoader: none, or one for each core."""
    rates = {workers: eager.labels(files, 1.0, workers, 0.5)["rate"] for workers in (0, CORES)}
    return max(rates, key=rates.get)


def measure_set(context, name, network, precision, runners, workers):
    files = context.files[name]
    rounds = {runner.name: [] for runner in runners}
    for _ in range(context.rounds):
        for runner in list(runners):
            try:
                rounds[runner.name].append(labels_of(context, runner, network, files, context.seconds, workers))
            except PeerFailed as error:
                context.note(f"{network} {precision} {name}: {error}")
                runners.remove(runner)
                rounds.pop(runner.name)
    cells = []
    # mobilenet_v2 has its published weights: every image of the set is held against torch eager in fp32.
    whole = context.models.reference(network, files).argmax(1) if network == REAL and name == "small" else None
    for runner in runners:
        own, labels = rounds[runner.name], rounds[runner.name][-1].pop("labels")
        cell = {"set": name, "network": network, "precision": precision, "runner": runner.name,
                "pillow": runner.pillow, "rates": [window["rate"] for window in own],
                "cpu_ms": median(window["cpu_ms"] for window in own)}
        if isinstance(runner, Ptrun):
            cell |= {"plan": own[-1]["plan"], "first_row": median(window["first_row"] for window in own)}
        if runner.name in TORCH:
            cell["workers"] = workers
        if whole is not None:
            cell |= {"labels_same": int(sum(a == b for a, b in zip(labels, whole.tolist()))), "labels_of": len(labels)}
        cells.append(cell)
    return cells


def run(context):
    peers = {name: Peer(name, context.models, context.log) for name in PEERS if name in context.peers}
    for network in context.networks:
        reference = context.models.reference(network, context.files["small"][:CHECKED])
        context.results.setdefault("apart", {})[network] = apart(reference)
        for precision in context.precisions:
            context.say(f"from files to labels: {network} {precision}")
            runners = [Ptrun(context.tool, precision)]
            if precision == "bf16":
                runners.append(Ptrun(context.tool, "auto"))
            found = {}
            for runner in [*runners, *peers.values()]:
                try:
                    if isinstance(runner, Peer):
                        runner.load(network, precision)
                    found[runner.name] = checked(context, network, precision, runner)
                    if isinstance(runner, Peer):
                        runners.append(runner)
                except PeerFailed as error:
                    context.note(f"{network} {precision}: {error}")
            for name in context.sets:
                eager = peers.get("eager")
                workers = best_workers(eager, context.files[name]) if eager in runners else CORES
                for cell in measure_set(context, name, network, precision, list(runners), workers):
                    context.results.setdefault("end_to_end", []).append(cell | found[cell["runner"]])
                context.save()
    for peer in peers.values():
        peer.close()
