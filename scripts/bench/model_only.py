"""The model alone: every peer gets inputs in the form that it likes best (channels_last, bfloat16); ptrun's calls take
NCHW float32 and convert them. A round times all of them one after the other, its figure is the median call."""
from common import median
from end_to_end import checked
from runners import Peer, PeerFailed, Ptrun

PEERS = ("eager", "compile", "openvino", "onnxruntime")


def measure(context, ptrun, peers, network, precision, batch, threads):
    rounds = {name: [] for name in ["ptrun", *peers]}
    plan = None
    for _ in range(context.rounds):
        for name, peer in list(peers.items()):
            try:
                rounds[name].append(peer.model_seconds(context.model_seconds))
            except PeerFailed as error:
                context.note(f"{network} {precision} alone: {error}")
                peers.pop(name)
                rounds.pop(name)
        guess = min((own[-1] for name, own in rounds.items() if own), default=0.05)
        found = ptrun.benchmark(context.models.weights(network), batch, threads,
                                max(5, int(context.model_seconds / guess)))
        rounds["ptrun"].append(found["model_alone"]["latency_ms"]["p50"] / 1000)
        plan = found["plan"]
    return {"network": network, "precision": precision, "batch": batch, "threads": threads, "plan": plan,
            "seconds": rounds}


def run(context):
    peers = {name: Peer(name, context.models, context.log) for name in PEERS if name in context.peers}
    for network in context.networks:
        for precision in context.precisions:
            ptrun = Ptrun(context.tool, precision)
            for threads in context.threads:
                for batch in context.batches:
                    context.say(f"model alone: {network} {precision}, batch {batch}, {threads} thread(s)")
                    loaded = {}
                    for name, peer in peers.items():
                        try:
                            peer.load(network, precision, threads, batch)
                            loaded[name] = peer
                        except PeerFailed as error:
                            context.note(f"{network} {precision}: {error}")
                    cell = measure(context, ptrun, loaded, network, precision, batch, threads)
                    context.results.setdefault("model_only", []).append(cell)
                    context.save()
            if not any(cell["network"] == network and cell["precision"] == precision
                       for cell in context.results.get("end_to_end", [])):
                context.results.setdefault("model_agreement", []).append(
                    {"network": network, "precision": precision, "runner": ptrun.name} |
                    checked(context, network, precision, ptrun))
    for peer in peers.values():
        peer.close()


def ratio(cell, name):
    """Median over the rounds of how many times faster ptrun is."""
    return median(theirs / ours for ours, theirs in zip(cell["seconds"]["ptrun"], cell["seconds"][name]))
