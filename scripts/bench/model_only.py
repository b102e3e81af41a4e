"""Speed of the model alone: ptrun beside torch eager, torch.compile with freezing and OpenVINO, at equal precision.

Usage: python model_only.py PTRUN [--networks resnet50,...] [--batches 1,8] [--precisions fp32,bf16] [--threads 1]
       [--rounds 5] [--seconds 1] [--skip-compile]

Every peer gets inputs in the form that it likes best (channels_last, bfloat16); ptrun's calls take NCHW float32 and
convert them. A round times all peers one after the other, its figure is the median call; the table shows medians over
the rounds, and medians of the rounds' ratios, which a busy machine disturbs less. Weights are random (seeded), batch
norms have the statistics of the photographs. Agreement: logits of ptrun for photographs against torch eager in fp32,
the largest difference as a share of the range of the logits, beside the same for torch eager in that precision; "apart"
is how much two photographs' logits differ, as a share of that range, so that a network that says the same of everything
shows.
"""
import argparse
import functools
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import torch
import torchvision
from PIL import Image

from common import PREPARE, PREPARE_WORDS, processor

NETWORKS = "resnet50,mobilenet_v3_large,efficientnet_b0,convnext_tiny,vit_b_16"
PHOTOS = pathlib.Path(__file__).resolve().parents[2] / "tests/data/photos"
# From this many images on ptrun compiles at batch 1 (ptrun benchmark always does).
MANY = 150


def photos():
    return sorted(str(path) for path in PHOTOS.glob("*.jpg"))


@functools.cache
def photo_batch():
    return torch.stack([PREPARE(Image.open(photo).convert("RGB")) for photo in photos()])


@functools.cache
def random_weights(name):
    torch.manual_seed(7)
    model = torchvision.models.get_model(name).eval()
    for key, parameter in model.named_parameters():
        if key.endswith("layer_scale"):
            torch.nn.init.constant_(parameter, 0.3)  # 1e-6 leaves the blocks without a say
        elif key == "heads.head.weight":
            torch.nn.init.normal_(parameter, std=0.02)  # zeros otherwise
    # Statistics of the photographs themselves, else every image gets the same answer.
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.train()
            module.momentum = 1.0
    model(photo_batch())
    return model.eval().state_dict()


def make_network(name):
    model = torchvision.models.get_model(name).eval()
    model.load_state_dict(random_weights(name))
    return model


def seconds_of_call(call, seconds):
    times, start = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    return statistics.median(times)


def torch_peer(name, batch, dtype, compiled):
    model = make_network(name).to(memory_format=torch.channels_last).to(dtype)
    images = torch.randn(batch, 3, 224, 224).to(dtype).contiguous(memory_format=torch.channels_last)
    run = torch.compile(model) if compiled else model

    def call():
        with torch.inference_mode():
            return run(images)
    with torch.no_grad():
        run(images)
    for _ in range(2):
        call()
    return call


def openvino_peer(name, batch, precision, threads):
    import openvino
    example = torch.rand(batch, 3, 224, 224)
    # Traced here: convert_model's own trace refuses ViT, whose fused attention differs in the last bits.
    traced = torch.jit.trace(make_network(name), example, check_trace=False)
    model = openvino.convert_model(traced, example_input=example, input=[batch, 3, 224, 224])
    compiled = openvino.Core().compile_model(model, "CPU", {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision], "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(threads)})
    request = compiled.create_infer_request()
    images = torch.randn(batch, 3, 224, 224).numpy()

    def call():
        request.infer([images], share_inputs=True, share_outputs=True)
    for _ in range(3):
        call()
    return call


def ptrun_seconds(tool, weights, batch, precision, threads, calls):
    words = [tool, "benchmark", weights, "-q", "--json", "-b", str(batch), "-j", "1", "--threads", str(threads),
             "--precision", precision, "--num-warm-iter", "3", "--num-bench-iter", str(calls), "--input-size", "224"]
    result = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    return result["model_alone"]["latency_ms"]["p50"] / 1000, result["plan"]


def logits_of_ptrun(tool, weights, precision, folder):
    listed = (photos() * MANY)[:MANY]
    (folder / "list.txt").write_text("\n".join(listed) + "\n")
    out = folder / "rows.jsonl"
    subprocess.run([tool, "predict", weights, f"@{folder / 'list.txt'}", "-o", out, "--force", "-q", "--topk", "1000",
                    "--activation", "none", "--exif", "ignore", "-b", "1", "--precision", precision, *PREPARE_WORDS],
                   check=True)
    rows = {}
    for line in out.read_text().splitlines():
        row = json.loads(line)
        logits = torch.zeros(len(row["predictions"]))
        for item in row["predictions"]:
            logits[item["index"]] = item["logit"]
        rows[row["path"]] = logits
    return torch.stack([rows[photo] for photo in photos()])


def agreement(tool, name, weights, precision, folder):
    found = logits_of_ptrun(tool, weights, precision, folder)
    images = photo_batch()
    with torch.inference_mode():
        model = make_network(name)
        expected = model(images)
        eager = model.bfloat16()(images.bfloat16()).float() if precision == "bf16" else expected
    span = (expected.max() - expected.min()).item()
    same = (found.argmax(1) == expected.argmax(1)).sum().item()
    return {"ptrun": (found - expected).abs().max().item() / span, "eager": (eager - expected).abs().max().item() / span,
            "apart": (expected - expected[0]).abs().max().item() / span, "same": f"{same} of {len(images)}"}


def compare(arguments, name, weights, batch, precision, agreed):
    peers = {"eager": torch_peer(name, batch, {"fp32": torch.float32, "bf16": torch.bfloat16}[precision], False)}
    if not arguments.skip_compile:
        torch._dynamo.reset()
        peers["compile"] = torch_peer(
            name, batch, {"fp32": torch.float32, "bf16": torch.bfloat16}[precision], True)
    peers["OpenVINO"] = openvino_peer(name, batch, precision, arguments.threads)
    guess = seconds_of_call(peers["OpenVINO"], 0.1)
    calls = max(5, int(arguments.seconds / guess))
    rounds = {peer: [] for peer in ["ptrun", *peers]}
    for _ in range(arguments.rounds):
        seconds, plan = ptrun_seconds(arguments.tool, weights, batch, precision, arguments.threads, calls)
        rounds["ptrun"].append(seconds)
        for peer, call in peers.items():
            rounds[peer].append(seconds_of_call(call, arguments.seconds))

    def rate(peer):
        return f"{batch / statistics.median(rounds[peer]):.1f}" if peer in rounds else "-"

    def ratio(peer):
        if peer not in rounds:
            return "-"
        return f"{statistics.median(b / a for a, b in zip(rounds['ptrun'], rounds[peer])):.2f}"
    print(f"| {name} | {precision} | {batch} | {plan} | {rate('ptrun')} | {rate('eager')} | {rate('compile')} | "
          f"{rate('OpenVINO')} | {ratio('eager')} | {ratio('compile')} | {ratio('OpenVINO')} | {agreed['ptrun']:.1e} | "
          f"{agreed['eager']:.1e} | {agreed['apart']:.3f} | {agreed['same']} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool")
    parser.add_argument("--networks", default=NETWORKS)
    parser.add_argument("--batches", default="1,8")
    parser.add_argument("--precisions", default="fp32,bf16")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--skip-compile", action="store_true")
    arguments = parser.parse_args()
    import openvino
    import torch._inductor.config
    torch._inductor.config.freezing = True
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    print(f"{processor()}, {arguments.threads} thread(s), torch {torch.__version__}, OpenVINO {openvino.__version__}, "
          f"medians of {arguments.rounds} rounds, {time.strftime('%Y-%m-%d')}\n")
    print("| network | precision | batch | plan | ptrun img/s | eager | compile | OpenVINO | ptrun / eager | / compile | "
          "/ OpenVINO | difference | eager's | apart | same first label |")
    print("|" + " --- |" * 15)
    with tempfile.TemporaryDirectory() as temporary:
        for name in arguments.networks.split(","):
            weights = f"{temporary}/{name}.pt"
            torch.save(make_network(name).state_dict(), weights)
            for precision in arguments.precisions.split(","):
                agreed = agreement(arguments.tool, name, weights, precision, pathlib.Path(temporary))
                for batch in arguments.batches.split(","):
                    compare(arguments, name, weights, int(batch), precision, agreed)


if __name__ == "__main__":
    main()
