"""What the parts of the benchmark have in common: preprocessing, the machine in words, tables."""
import os
import pathlib
import platform
import statistics
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
MEAN = [0.485, 0.456, 0.406]
STD = [0.229, 0.224, 0.225]
SIZE = 224
BEFORE_CROP = 256
BATCH = 8  # of the peers; ptrun chooses its own
# The preprocessing of every peer in ptrun's words. The image sets have no EXIF orientation.
PREPARE_WORDS = ["--input-size", "224", "--resize-size", "256", "--interpolation", "bilinear", "--resize-mode",
                 "shortest", "--crop-mode", "center", "--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"]


def prepare():
    from torchvision import transforms
    return transforms.Compose([transforms.Resize(BEFORE_CROP), transforms.CenterCrop(SIZE), transforms.ToTensor(),
                               transforms.Normalize(MEAN, STD)])


def processor():
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def processor_flags():
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("flags"):
            found = set(line.split(":", 1)[1].split())
            wanted = ["avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"]
            return ", ".join(flag for flag in wanted if flag in found)
    return "unknown"


def memory_gib():
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30


def version_of(package):
    import importlib.metadata
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def commit():
    asked = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return asked.stdout.strip() or "unknown"


def load():
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def machine(checksum):
    packages = ["torch", "torchvision", "timm", "openvino", "onnxruntime", "pillow", "opencv-python-headless"]
    return [
        f"{processor()}, {len(os.sched_getaffinity(0))} cores ({processor_flags()}), {memory_gib():.0f} GiB, "
        f"Linux {platform.release()}",
        f"{time.strftime('%Y-%m-%d')}, ptrun {commit()}, " +
        ", ".join(f"{package} {version_of(package)}" for package in packages) + f", Python {platform.python_version()}",
        f"image sets {checksum} (scripts/bench/images.py)"]


def process_seconds(root=None):
    """User and system time of a process (this one) and of its children that run."""
    root = root or os.getpid()
    tick, total, waiting = os.sysconf("SC_CLK_TCK"), 0, [root]
    while waiting:
        pid = waiting.pop()
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as children:
                    waiting += [int(child) for child in children.read().split()]
        except OSError:
            continue  # ended meanwhile
    return total / tick


class Window:
    """Counts what is done from the first mark after `warm_up` seconds to the first after `seconds` more."""

    def __init__(self, warm_up, seconds, pid=None):
        self.warm_up, self.seconds, self.pid = warm_up, seconds, pid
        self.begun, self.first, self.last, self.count = time.perf_counter(), None, None, 0

    def mark(self, count):
        """`count` images more are done. True when the window is over."""
        now = time.perf_counter()
        self.count += count
        if self.first is None:
            if now - self.begun >= self.warm_up:
                self.first = (now, self.count, process_seconds(self.pid))
            return False
        if now - self.first[0] < self.seconds:
            return False
        self.last = (now, self.count, process_seconds(self.pid))
        return True

    def result(self):
        images = self.last[1] - self.first[1]
        return {"images": images, "seconds": self.last[0] - self.first[0],
                "rate": images / (self.last[0] - self.first[0]),
                "cpu_ms": 1000 * (self.last[2] - self.first[2]) / images}


def median(values):
    return statistics.median(values)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def shown(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
