"""The peers, each in a process of its own: reads one JSON request a line, writes one JSON answer a line.

Started by peer.py: python peers.py NAME MODELS_FOLDER REAL_WEIGHTS. Requests: load, labels (from files to first labels
for a while), model (the model alone), logits, end. Every peer gets its inputs in the form that it likes best.
"""
import collections
import concurrent.futures
import json
import os
import pathlib
import sys
import time
import traceback

import numpy as np

from common import BATCH, BEFORE_CROP, MEAN, SIZE, STD, Window, median, prepare
from networks import Models, make_images_batch


def pillow_bytes(file):
    """[SIZE, SIZE, 3]: what PREPARE makes before it makes floats of it."""
    from PIL import Image
    from torchvision.transforms import functional
    with Image.open(file) as image:
        image = functional.resize(image.convert("RGB"), BEFORE_CROP)
    return np.asarray(functional.center_crop(image, SIZE))


def opencv_bytes(file):
    """The same with OpenCV: another decoder's settings and no antialiasing, so other pixels."""
    import cv2
    image = cv2.imread(file, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    height, width = image.shape[:2]
    ratio = BEFORE_CROP / min(width, height)
    image = cv2.resize(image, (int(width * ratio + 0.5), int(height * ratio + 0.5)), interpolation=cv2.INTER_LINEAR)
    top, left = (image.shape[0] - SIZE) // 2, (image.shape[1] - SIZE) // 2
    return cv2.cvtColor(image[top:top + SIZE, left:left + SIZE], cv2.COLOR_BGR2RGB)


class Endless:
    """A data set that begins again when it is over. For timm: `transform` is set from outside."""

    def __init__(self, files, transform=None, labelled=False):
        self.files, self.transform, self.labelled = files, transform, labelled

    def __len__(self):
        return 10_000_000

    def __getitem__(self, index):
        from PIL import Image
        with Image.open(self.files[index % len(self.files)]) as image:
            row = self.transform(image.convert("RGB"))
        return (row, 0) if self.labelled else row


class Torch:
    """torch eager behind a DataLoader."""
    compiled = False

    def __init__(self, models):
        import torch
        self.torch, self.models = torch, models
        torch.set_grad_enabled(False)

    def load(self, name, precision, threads, batch):
        torch = self.torch
        torch.set_num_threads(threads)
        self.dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
        model = self.models.network(name).to(memory_format=torch.channels_last).to(self.dtype)
        if self.compiled:
            torch._dynamo.reset()
            model = torch.compile(model)
        self.model = model
        self.batch = self._input(torch.randn(batch, 3, SIZE, SIZE))
        self.call()

    def _input(self, images):
        return images.to(self.dtype).contiguous(memory_format=self.torch.channels_last)

    def call(self):
        with self.torch.no_grad() if self.compiled else self.torch.inference_mode():
            return self.model(self.batch)

    def _loader(self, files, workers):
        return self.torch.utils.data.DataLoader(Endless(files, prepare()), BATCH, num_workers=workers)

    def rows(self, files, workers):
        with self.torch.inference_mode():
            for images in self._loader(files, workers):
                yield self.model(self._input(images)).argmax(1).tolist()

    def logits(self, files):
        found = []
        for first in range(0, len(files), BATCH):
            found.append(self.model(self._input(make_images_batch(files[first:first + BATCH]))).float())
        return self.torch.cat(found).numpy()


class Compiled(Torch):
    """torch.compile with freezing behind a DataLoader."""
    compiled = True

    def __init__(self, models):
        super().__init__(models)
        import torch._inductor.config
        torch._inductor.config.freezing = True


class Timm(Torch):
    """What timm's inference.py does: its loader and transforms, autocast for bfloat16."""

    def load(self, name, precision, threads, batch):
        super().load(name, "fp32", threads, batch)
        self.autocast = precision == "bf16"

    def _loader(self, files, workers):
        import timm.data
        return timm.data.create_loader(
            Endless(files, labelled=True), input_size=(3, SIZE, SIZE), batch_size=BATCH, is_training=False,
            use_prefetcher=False, interpolation="bilinear", mean=MEAN, std=STD, crop_pct=SIZE / BEFORE_CROP,
            num_workers=workers, persistent_workers=workers > 0)

    def _run(self, images):
        with self.torch.autocast("cpu", self.torch.bfloat16, enabled=self.autocast):
            return self.model(self._input(images))

    def rows(self, files, workers):
        with self.torch.inference_mode():
            for images, _ in self._loader(files, workers):
                yield self._run(images).argmax(1).tolist()

    def logits(self, files):
        with self.torch.inference_mode():
            found = [self._run(make_images_batch(files[i:i + BATCH])).float() for i in range(0, len(files), BATCH)]
        return self.torch.cat(found).numpy()


def batches_of(decode, files, pool, ahead=3):
    """Batches of bytes, decoded by the pool's threads in order."""
    def one(first):
        return np.stack([decode(files[(first + i) % len(files)]) for i in range(BATCH)])
    pending, first = collections.deque(), 0
    while True:
        while len(pending) < ahead:
            pending.append(pool.submit(one, first))
            first += BATCH
        yield pending.popleft().result()


class OpenVino:
    """Two streams of one thread, images decoded by Pillow in two more threads; its graph normalises the bytes."""
    decode = staticmethod(pillow_bytes)

    def __init__(self, models):
        import openvino
        self.openvino, self.models, self.core = openvino, models, openvino.Core()

    def load(self, name, precision, threads, batch):
        hint = {"INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision]}
        path = self.models.openvino(name)
        model = self.core.read_model(path)
        model.reshape([batch, 3, SIZE, SIZE])
        self.alone = self.core.compile_model(model, "CPU", {
            **hint, "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": str(threads)})
        self.request = self.alone.create_infer_request()
        self.images = np.random.default_rng(0).standard_normal((batch, 3, SIZE, SIZE), dtype=np.float32)
        self.call()
        self.path, self.hint, self.served = path, hint, None

    def call(self):
        self.request.infer([self.images], share_inputs=True, share_outputs=True)

    def _serving(self):
        if self.served is None:
            prepared = self.openvino.preprocess.PrePostProcessor(self.core.read_model(self.path))
            images = prepared.input()
            images.tensor().set_element_type(self.openvino.Type.u8).set_layout(self.openvino.Layout("NHWC"))
            images.tensor().set_shape([BATCH, SIZE, SIZE, 3])
            images.model().set_layout(self.openvino.Layout("NCHW"))
            images.preprocess().convert_element_type(self.openvino.Type.f32).mean(
                [255 * value for value in MEAN]).scale([255 * value for value in STD])
            self.served = self.core.compile_model(prepared.build(), "CPU", {
                **self.hint, "PERFORMANCE_HINT": "THROUGHPUT"})
        return self.served

    def rows(self, files, workers):
        done, wanted = {}, 0  # streams end out of order
        requests = self.openvino.AsyncInferQueue(self._serving())

        def keep(request, number):
            done[number] = request.get_output_tensor().data.argmax(1).tolist()
        requests.set_callback(keep)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            try:
                for number, images in enumerate(batches_of(self.decode, files, pool)):
                    requests.start_async(images, number)
                    while wanted in done:
                        yield done.pop(wanted)
                        wanted += 1
            finally:
                requests.wait_all()

    def logits(self, files):
        found = []
        for first in range(0, len(files), BATCH):
            images = np.stack([self.decode(file) for file in files[first:first + BATCH]])
            found.append(next(iter(self._serving()(images).values())).copy())
        return np.concatenate(found)


class OpenVinoOpenCv(OpenVino):
    decode = staticmethod(opencv_bytes)


class Onnx:
    """Two threads, each decodes a batch with Pillow and runs it."""

    def __init__(self, models):
        import onnxruntime
        self.runtime, self.models = onnxruntime, models
        self.scale = (1 / (255 * np.array(STD))).astype(np.float32)
        self.shift = (-np.array(MEAN) / np.array(STD)).astype(np.float32)

    def load(self, name, precision, threads, batch):
        if precision != "fp32":
            raise RuntimeError("ONNX Runtime has no bfloat16 on CPUs")

        def session(count):
            options = self.runtime.SessionOptions()
            options.intra_op_num_threads = count
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            return self.runtime.InferenceSession(self.models.onnx(name), options, providers=["CPUExecutionProvider"])
        self.alone, self.served = session(threads), session(1)
        self.images = np.random.default_rng(0).standard_normal((batch, 3, SIZE, SIZE), dtype=np.float32)
        self.call()

    def call(self):
        self.alone.run(None, {"images": self.images})

    def _run(self, pixels):
        images = np.ascontiguousarray((pixels * self.scale + self.shift).transpose(0, 3, 1, 2))
        return self.served.run(None, {"images": images})[0]

    def rows(self, files, workers):
        def one(first):
            return self._run(np.stack([pillow_bytes(files[(first + i) % len(files)]) for i in range(BATCH)]))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            pending, first = collections.deque(), 0
            while True:
                while len(pending) < 4:
                    pending.append(pool.submit(one, first))
                    first += BATCH
                yield pending.popleft().result().argmax(1).tolist()

    def logits(self, files):
        return np.concatenate([self._run(np.stack([pillow_bytes(file) for file in files[i:i + BATCH]]))
                               for i in range(0, len(files), BATCH)])


PEERS = {"eager": Torch, "compile": Compiled, "timm": Timm, "openvino": OpenVino, "openvino-opencv": OpenVinoOpenCv,
         "onnxruntime": Onnx}


def answer(peer, request):
    if request["do"] == "load":
        peer.load(request["network"], request["precision"], request["threads"], request["batch"])
        return {}
    if request["do"] == "labels":
        window, labels = Window(request["warm_up"], request["seconds"]), []
        rows = peer.rows(request["files"], request["workers"])
        for found in rows:
            labels += found
            if window.mark(len(found)):
                break
        rows.close()
        return {**window.result(), "labels": labels[:len(request["files"])]}
    if request["do"] == "model":
        times, start = [], time.perf_counter()
        while len(times) < 3 or time.perf_counter() - start < request["seconds"]:
            before = time.perf_counter()
            peer.call()
            times.append(time.perf_counter() - before)
        return {"seconds": median(times)}
    if request["do"] == "logits":
        np.save(request["file"], peer.logits(request["files"]))
        return {}
    raise RuntimeError(f"{request['do']}: unknown request")


def main():
    # Libraries print to standard output; the answers have it for themselves.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if peer is None:
                peer = PEERS[sys.argv[1]](Models(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])))
            found = answer(peer, request)
        except Exception as error:  # the run goes on without this cell, and says why
            traceback.print_exc()
            found = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main()
