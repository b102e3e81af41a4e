"""The networks of the comparison, with the same weights for everybody: mobilenet_v2 with its published ones, the others
with seeded ones and the batch norm statistics of photographs, so that two images get two answers."""
import functools

import numpy as np

from common import BATCH, ROOT, SIZE, prepare

REAL = "mobilenet_v2"
NETWORKS = [REAL, "mobilenet_v3_large", "efficientnet_b0", "resnet50", "convnext_tiny", "vit_b_16"]
CHECKED = 48  # images of the small set whose logits are compared


def make_images_batch(files):
    import torch
    from PIL import Image
    transform, rows = prepare(), []
    for file in files:
        with Image.open(file) as image:
            rows.append(transform(image.convert("RGB")))
    return torch.stack(rows)


@functools.cache
def photo_batch():
    return make_images_batch(sorted((ROOT / "tests/data/photos").glob("*.jpg")))


def seeded(name):
    import torch
    import torchvision
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
    with torch.no_grad():
        model(photo_batch())
    return model.eval()


class Models:
    """Files made once in `folder`, a form for each peer."""

    def __init__(self, folder, real_weights):
        self.folder, self.real_weights = folder, real_weights
        folder.mkdir(parents=True, exist_ok=True)

    def _made(self, file, make):
        if not file.exists():
            unfinished = file.with_name("unfinished-" + file.name)
            make(unfinished)
            unfinished.rename(file)
        return file

    def weights(self, name):
        import torch
        if name == REAL:
            return self.real_weights
        return self._made(self.folder / f"{name}.pt", lambda file: torch.save(seeded(name).state_dict(), file))

    def network(self, name):
        import torch
        import torchvision
        model = torchvision.models.get_model(name).eval()
        model.load_state_dict(torch.load(self.weights(name), weights_only=True))
        return model

    def traced(self, name):
        import torch
        # Unchecked: ViT's fused attention differs in the last bits from run to run.
        return torch.jit.trace(self.network(name), torch.rand(2, 3, SIZE, SIZE), check_trace=False)

    def openvino(self, name):
        import openvino
        import torch
        file = self.folder / f"{name}.xml"
        if not file.exists():
            model = openvino.convert_model(self.traced(name), example_input=torch.rand(2, 3, SIZE, SIZE),
                                           input=[-1, 3, SIZE, SIZE])
            openvino.save_model(model, file, compress_to_fp16=False)
        return file

    def onnx(self, name):
        import torch

        def export(file):
            torch.onnx.export(self.network(name), (torch.rand(BATCH, 3, SIZE, SIZE),), str(file), dynamo=True,
                              external_data=False, input_names=["images"], output_names=["logits"],
                              dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},), verbose=False)
        return self._made(self.folder / f"{name}.onnx", export)

    def identity(self):
        """TorchScript that gives back its input: what preprocessing made of an image."""
        import torch

        class Identity(torch.nn.Module):
            def forward(self, x: torch.Tensor):
                return x * 1.0
        return self._made(self.folder / "identity.pt", lambda file: torch.jit.script(Identity()).save(str(file)))

    def reference(self, name, files):
        """Logits of torch eager in fp32."""
        import torch

        def make(file):
            model = self.network(name)
            with torch.inference_mode():
                found = [model(make_images_batch(files[i:i + BATCH])) for i in range(0, len(files), BATCH)]
            with open(file, "wb") as stream:
                np.save(stream, torch.cat(found).numpy())
        return np.load(self._made(self.folder / f"{name}-{len(files)}.npy", make))


def agreement(reference, found):
    """Largest difference as a share of the range of the logits, and how many first labels agree."""
    span = float(reference.max() - reference.min())
    return {"difference": float(np.abs(reference - found).max()) / span,
            "same": int((reference.argmax(1) == found.argmax(1)).sum()), "of": len(reference)}


def apart(reference):
    """The least that any image's logits differ from the first one's, as a share of the range, and how many first labels
    there are: a network that says the same of everything would show 0 and 1."""
    span = float(reference.max() - reference.min())
    distances = np.abs(reference[1:] - reference[0]).max(1)
    return {"least": float(distances.min()) / span, "labels": len(set(reference.argmax(1).tolist()))}
