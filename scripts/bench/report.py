"""results.json as Markdown."""
import re
import statistics

from common import ROOT, median, shown, table
from end_to_end import TORCH
from model_only import ratio

NAMES = {"eager": "torch eager, DataLoader", "compile": "torch.compile + freezing, DataLoader", "timm": "timm's loop",
         "openvino": "OpenVINO, Pillow", "openvino-opencv": "OpenVINO, OpenCV (other pixels)",
         "onnxruntime": "ONNX Runtime, Pillow"}
SETS = {"small": "JPEGs of 500x375, about 42 KB", "large": "12-megapixel photos, about 1.7 MB"}


def cells_of(results, name):
    return [cell for cell in results.get("end_to_end", []) if cell["set"] == name]


def group(cells, network, precision):
    return {cell["runner"]: cell for cell in cells if (cell["network"], cell["precision"]) == (network, precision)}


def groups(cells):
    return list(dict.fromkeys((cell["network"], cell["precision"]) for cell in cells))


def ours_of(runners, precision):
    return runners["ptrun" if precision == "fp32" else f"ptrun {precision}"]


def times_faster(ours, theirs):
    """Median of the rounds' ratios, which a busy machine disturbs less than the ratio of medians."""
    return statistics.median(a / b for a, b in zip(ours["rates"], theirs["rates"]))


def best_peer(runners):
    peers = [cell for cell in runners.values() if cell["pillow"] and not cell["runner"].startswith("ptrun")]
    return max(peers, key=lambda cell: median(cell["rates"]), default=None)


def short_table(results):
    rows = []
    for name in SETS:
        cells = cells_of(results, name)
        for network, precision in groups(cells):
            runners = group(cells, network, precision)
            ours, best = ours_of(runners, precision), best_peer(runners)
            loop = group(cells, network, "fp32").get("eager")
            row = [{"small": "500x375", "large": "12 MP"}[name], network, precision, shown(median(ours["rates"]))]
            row += [f"{NAMES[best['runner']]} {shown(median(best['rates']))}",
                    f"{times_faster(ours, best):.2f}"] if best else ["-", "-"]
            row += [shown(median(loop["rates"])), f"{times_faster(ours, loop):.1f}"] if loop else ["-", "-"]
            rows.append(row)
    return table(["photos", "network", "precision", "ptrun img/s", "best peer with Pillow's pixels", "times faster",
                  "torchvision, DataLoader, fp32", "times faster"], rows)


def long_table(results, name):
    cells, rows = cells_of(results, name), []
    for network, precision in groups(cells):
        runners = group(cells, network, precision)
        ours = ours_of(runners, precision)
        for cell in sorted(runners.values(), key=lambda one: (not one["runner"].startswith("ptrun"), one["runner"])):
            what = NAMES.get(cell["runner"], cell["runner"])
            if cell["runner"] in TORCH:
                what += f", {cell['workers']} workers"
            if "plan" in cell:
                what += f", {cell['plan']}, first row after {cell['first_row']:.1f} s"
            rates = cell["rates"]
            same = f"{cell['same']} of {cell['of']}"
            if "labels_same" in cell:
                same = f"{cell['labels_same']} of {cell['labels_of']}"
            rows.append([network, precision, what, shown(median(rates)), f"{shown(min(rates))}..{shown(max(rates))}",
                         f"{cell['cpu_ms']:.1f}", f"{times_faster(ours, cell):.2f}" if cell is not ours else "",
                         same, f"{cell['difference']:.1e}"])
    return table(["network", "precision", "who", "img/s", "least..most", "CPU ms an image", "ptrun is faster by",
                  "same first label", "largest difference"], rows)


def model_table(results):
    rows = []
    for cell in results.get("model_only", []):
        rate = {name: cell["batch"] / median(own) for name, own in cell["seconds"].items()}
        row = [cell["network"], cell["precision"], str(cell["batch"]), str(cell["threads"]), cell["plan"],
               shown(rate["ptrun"])]
        for name in ("eager", "compile", "onnxruntime", "openvino"):
            row.append(f"{shown(rate[name])} ({ratio(cell, name):.2f})" if name in rate else "-")
        rows.append(row)
    return table(["network", "precision", "batch", "threads", "plan", "ptrun img/s", "torch eager (ratio)",
                  "torch.compile", "ONNX Runtime", "OpenVINO"], rows)


def preprocess_table(results):
    rows = []
    for cell in results["preprocess_only"]:
        stages = {name: median(one[name] for one in cell["ptrun"]) for name in cell["ptrun"][0]}
        theirs = median(one["wall_ms"] for one in cell["python"])
        rows.append([SETS[cell["set"]], f"{sum(stages.values()):.2f}",
                     ", ".join(f"{name} {value:.2f}" for name, value in stages.items()), f"{theirs:.2f}",
                     f"{cell['ratio']:.2f}", f"{cell['equal']} of {cell['of']}"])
    return table(["photos", "ptrun ms an image", "of it", "Pillow + torchvision ms", "times faster",
                  "tensors of equal bits"], rows)


def first_table(results):
    ours = results["first_prediction"][0]
    rows = [[one["runner"], f"{median(one['wall']):.3f}", f"{median(one['cpu']):.3f}",
             f"{statistics.median(b / a for a, b in zip(ours['wall'], one['wall'])):.1f}" if one is not ours else "",
             str(one["index"])] for one in results["first_prediction"]]
    return table(["who", "seconds", "processor seconds", "times ptrun's", "label"], rows)


def machine_lines(results):
    return [*results["machine"], f"load {results['load_before']} before, {results.get('load_after', '-')} after; "
            f"medians of {results['rounds']} rounds of {results['seconds']:g} s in turns, after a warm-up, files in the "
            "page cache"]


TEXTS = {
    "files": """Everybody reads the same files, with `Resize(256)`, `CenterCrop(224)` and the same weights, on all cores;
peers in batches of 8. ptrun is `ptrun predict` as a user starts it, its rows read from a pipe. "Faster by" is the
median of the rounds' ratios. "Largest difference" is that of the logits from torch eager in fp32, as a share of their
range, on 48 files; the labels of mobilenet_v2 (published weights) are compared on all files of a round, those of the
others (seeded weights, whose labels are close together) on the 48.""",
    "model": """Images a second of one worker, tensors ready in memory; in brackets how many times faster ptrun is, the
median of the rounds' ratios.""",
    "preprocess": """From the file to the normalised tensor. ptrun's stages as `ptrun benchmark` times them, one
worker.""",
    "first": """mobilenet_v2, one photo, everything in the page cache. OpenVINO and ONNX Runtime read a model that was
converted for them before."""}


def sections(results):
    """Title, explanation and table of each part that was measured."""
    for name, what in SETS.items():
        if cells_of(results, name):
            yield f"From files to first labels: {what}", TEXTS["files"], long_table(results, name)
    if results.get("model_only"):
        yield "The model alone", TEXTS["model"], model_table(results)
    if results.get("preprocess_only"):
        yield ("Reading, decoding and preprocessing alone, one core", TEXTS["preprocess"], preprocess_table(results))
    if results.get("first_prediction"):
        yield "The first label of a fresh process", TEXTS["first"], first_table(results)


def apart_lines(results):
    if not results.get("apart"):
        return []
    told = ", ".join(f"{network} {one['least']:.2f} ({one['labels']} labels)"
                     for network, one in results["apart"].items())
    return ["Outputs differ between images: the least that any of the 48 images' logits differ from the first one's, as "
            f"a share of the range, and the number of first labels: {told}.", ""]


def whole(results, level="#"):
    lines = [f"{level} ptrun beside Python", ""]
    lines += [f"- {line}" for line in machine_lines(results)] + [""]
    if results.get("end_to_end"):
        lines += short_table(results) + [""] + apart_lines(results)
    for title, text, rows in sections(results):
        lines += [f"{level}# {title}", "", text, "", *rows, ""]
    if results["notes"]:
        lines += [f"{level}# Not measured", "", *[f"- {note}" for note in results["notes"]], ""]
    return "\n".join(lines)


def put_into_docs(results):
    """Between the marks <!-- bench --> and <!-- /bench -->: the short form in README.md, all of it in docs."""
    processor = results["machine"][0].split(" (")[0]
    date, load = results["machine"][1].split(",")[0], results["load_before"].split()[0]
    short = "\n".join([f"{processor}, {date}, load {load} before:", "", *short_table(results), ""])
    for file, text in [("README.md", short), ("docs/benchmark.md", whole(results, "##"))]:
        path = ROOT / file
        old = path.read_text(encoding="utf-8")
        new = re.sub(r"(<!-- bench -->\n).*?(<!-- /bench -->)", lambda found: found[1] + text + "\n" + found[2],
                     old, flags=re.S)
        if new == old and text not in old:
            raise SystemExit(f"{file}: no marks <!-- bench --> and <!-- /bench --> were found")
        path.write_text(new, encoding="utf-8")
