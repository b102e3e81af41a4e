"""Reading, decoding, resizing, cropping and normalising alone, on one core: ptrun beside Pillow + torchvision. A
network that gives back its input shows that both make the same bits."""
import itertools
import pathlib
import subprocess
import tempfile
import time

import numpy as np

from common import PREPARE_WORDS, median, prepare
from runners import Ptrun

COMPARED = 24
WORDS = ["--task", "tensors", "--exif", "ignore"]


def python_ms(files):
    """Processor time and wall time of an image."""
    import torch
    from PIL import Image
    torch.set_num_threads(1)
    transform = prepare()
    wall, processor = time.perf_counter(), time.process_time()
    for file in files:
        with Image.open(file) as image:
            transform(image.convert("RGB"))
    return {"cpu_ms": 1000 * (time.process_time() - processor) / len(files),
            "wall_ms": 1000 * (time.perf_counter() - wall) / len(files)}


def ptrun_ms(context, model, listed, images):
    """The stages before the model as `ptrun benchmark` times them, one worker."""
    found = Ptrun(context.tool, "fp32").benchmark(model, 1, 1, images, files=f"@{listed}", words=WORDS)["end_to_end"]
    whole = 1000 * found["seconds"] / found["images"]
    return {stage: whole * found["stages"][stage] for stage in ("read", "decode", "preprocess")}


def equal_bits(context, model, files):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "rows.npz"
        subprocess.run([context.tool, "predict", str(model), *files, "-o", str(out), "-q", *WORDS, *PREPARE_WORDS],
                       check=True)
        with np.load(out) as arrays:
            found = arrays["output"]
    from PIL import Image
    transform = prepare()
    return sum(bool(np.array_equal(transform(Image.open(file).convert("RGB")).numpy(), row))
               for file, row in zip(files, found, strict=True))


def run(context):
    model = context.models.identity()
    for name in context.sets:
        context.say(f"decoding and preprocessing alone: {name}")
        files = context.files[name]
        count = {"small": 300, "large": 16}[name]
        taken = list(itertools.islice(itertools.cycle(files), count))
        with tempfile.TemporaryDirectory() as folder:
            listed = pathlib.Path(folder) / "list.txt"
            listed.write_text("\n".join(taken) + "\n", encoding="utf-8")
            python_ms(taken[:8])
            rounds = [(python_ms(taken), ptrun_ms(context, model, listed, count)) for _ in range(context.rounds)]
        compared = files[:COMPARED]
        context.results.setdefault("preprocess_only", []).append({
            "set": name, "python": [theirs for theirs, _ in rounds], "ptrun": [ours for _, ours in rounds],
            "equal": equal_bits(context, model, compared), "of": len(compared),
            "ratio": median(theirs["wall_ms"] / sum(ours.values()) for theirs, ours in rounds)})
        context.save()
