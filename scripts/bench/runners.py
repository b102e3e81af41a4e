"""The other side of peers.py, and ptrun: everything that is measured, behind the same calls."""
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import numpy as np

from common import PREPARE_WORDS, Window


class PeerFailed(Exception):
    pass


class Peer:
    """A process of peers.py. `pillow`: its pixels are Pillow's."""

    def __init__(self, name, models, log):
        self.name, self.pillow = name, name != "openvino-opencv"
        self.process = subprocess.Popen(
            [sys.executable, str(pathlib.Path(__file__).with_name("peers.py")), name, str(models.folder),
             str(models.real_weights)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)

    def ask(self, do, **given):
        self.process.stdin.write(json.dumps({"do": do, **given}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise PeerFailed(f"{self.name}: its process ended")
        found = json.loads(line)
        if "error" in found:
            raise PeerFailed(f"{self.name}: {found['error']}")
        return found

    def load(self, network, precision, threads=len(os.sched_getaffinity(0)), batch=8):
        self.ask("load", network=network, precision=precision, threads=threads, batch=batch)

    def labels(self, files, seconds, workers, warm_up=1.0):
        return self.ask("labels", files=files, seconds=seconds, workers=workers, warm_up=warm_up)

    def model_seconds(self, seconds):
        return self.ask("model", seconds=seconds)["seconds"]

    def logits(self, files):
        with tempfile.NamedTemporaryFile(suffix=".npy") as file:
            self.ask("logits", files=files, file=file.name)
            return np.load(file.name)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Ptrun:
    """`ptrun predict` as a user starts it, its rows read from a pipe."""

    # Jobs for which ptrun makes the plans of long jobs; they are broken off when the window is over. From 1000 images
    # on it also measures, once and beside the first images, what bf16 would save; a window waits for the end of that.
    LISTED, LISTED_LONG, WARM_UP_LONG = 999, 40000, 3.0

    def __init__(self, tool, precision):
        self.name = "ptrun" if precision == "fp32" else f"ptrun {precision}"
        self.tool, self.precision, self.pillow = tool, precision, True
        self.long = set()  # jobs that were over before the window

    def _start(self, weights, files, words, folder, count):
        listed = pathlib.Path(folder) / "list.txt"
        listed.write_text("\n".join(itertools.islice(itertools.cycle(files), count)) + "\n", encoding="utf-8")
        return subprocess.Popen(
            [self.tool, "predict", str(weights), f"@{listed}", "--precision", self.precision, "--log-format", "json",
             *PREPARE_WORDS, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    @staticmethod
    def _end(process):
        """Breaks it off; what it says in its last line."""
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        for line in reversed(errors.decode().splitlines()):
            if '"summary"' in line:
                return json.loads(line)
        raise PeerFailed("ptrun: " + (errors.decode().strip().splitlines() or ["no summary"])[-1][:300])

    def labels(self, weights, files, seconds, warm_up=1.0, words=()):
        job = (weights, files[0])
        if job not in self.long:
            try:
                return self._labels(weights, files, seconds, warm_up, words, self.LISTED)
            except PeerFailed:
                self.long.add(job)
        return self._labels(weights, files, seconds, max(warm_up, self.WARM_UP_LONG), words, self.LISTED_LONG)

    def _labels(self, weights, files, seconds, warm_up, words, count):
        with tempfile.TemporaryDirectory() as folder:
            window, lines, first_row = None, [], None
            clock = Window(0, 0)
            process = self._start(weights, files, ["--topk", "1", *words], folder, count)
            # Unbuffered, so that every batch counts when it is there.
            for chunk in iter(lambda: os.read(process.stdout.fileno(), 1 << 16), b""):
                lines.append(chunk)
                if window is None:
                    window = Window(warm_up, seconds, process.pid)
                    first_row = window.begun - clock.begun
                if window.mark(chunk.count(b"\n")):
                    break
            summary = self._end(process)
        if window is None or window.last is None:
            raise PeerFailed("ptrun: it ended before the window")
        rows = [json.loads(line) for line in b"".join(lines).decode().splitlines(keepends=True) if line[-1] == "\n"]
        return {**window.result(), "plan": summary["plan"], "first_row": first_row,
                "labels": [row["predictions"][0]["index"] for row in rows[:len(files)]]}

    def logits(self, weights, files):
        with tempfile.TemporaryDirectory() as folder:
            process = self._start(weights, files, ["--topk", "1000", "--activation", "none"], folder, self.LISTED)
            rows = [json.loads(process.stdout.readline()) for _ in files]
            self._end(process)
        found = np.zeros((len(files), 1000), dtype=np.float32)
        for row, logits in zip(rows, found):
            for item in row["predictions"]:
                logits[item["index"]] = item["logit"]
        return found

    def benchmark(self, weights, batch, threads, calls, files=None, words=()):
        """The JSON of `ptrun benchmark` with one worker."""
        line = [self.tool, "benchmark", str(weights), *([] if files is None else [files]), "-q", "--json", "-b",
                 str(batch), "-j", "1", "--threads", str(threads), "--precision", self.precision, "--num-warm-iter",
                 "3", "--num-bench-iter", str(calls), *PREPARE_WORDS, *words]
        return json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)
