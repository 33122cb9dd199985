"""What VGG sees in a picture: the maps by which losses compare pictures.

Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2015, as
torchvision trained them on ImageNet.
"""

from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline import Halt

POOL = 0  # a max pooling of 2 among the channels of convolutions
PLANS = {
    "vgg16": [64, 64, POOL, 128, 128],
    "vgg19": [64, 64, POOL, 128, 128, POOL, *4 * [256], POOL, *4 * [512], POOL, 512],
}
LAYERS = {"vgg16": (8,), "vgg19": (1, 6, 11, 20, 29)}  # where torchvision has the maps that are returned
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, RGB in [0, 1]


class Features(nn.Module):
    """Describe pictures (B, 3, H, W) in [-1, 1] by maps of a trained VGG that is never trained here.

    vgg16 gives [relu2_2], vgg19 gives [relu1_1, relu2_1, relu3_1, relu4_1, relu5_1].
    """

    def __init__(self, net: str, file: str = ""):
        """Take the published weights, or those of a `file` (.pth or .safetensors). Raise Halt without."""
        super().__init__()
        self.layers, self.returned = build(net), LAYERS[net]
        weights = read(Path(file), file, choices()) if file else published(net)
        try:
            self.load_state_dict({f"layers.{name}": weights[f"features.{name}"] for name in self.names()})
        except (KeyError, RuntimeError, TypeError) as error:
            raise Halt(f"{file or 'the cache'} holds no {net}: {choices()}") from error
        for name, values in (("mean", MEAN), ("deviation", DEVIATION)):
            self.register_buffer(name, torch.tensor(values).reshape(3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    def names(self) -> list[str]:
        """List the weights that are needed."""
        return list(self.layers.state_dict())

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the maps of pictures in [-1, 1], the largest first."""
        x, maps = ((image + 1) / 2 - self.mean) / self.deviation, []
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if number in self.returned:
                maps.append(x)
        return maps


def build(net: str) -> nn.Sequential:
    """Build a VGG as far as it is needed, numbered as torchvision numbers its layers."""
    layers, inputs = [], 3
    for outputs in PLANS[net]:
        if outputs == POOL:
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
            inputs = outputs
    return nn.Sequential(*layers)


def read(file: Path, name: str, advice: str) -> dict:
    """Read weights. Raise Halt, with the name of the file and advice, if it is missing or of another kind."""
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        return torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise Halt(f"{name} is missing: {advice}") from None
    except (UnpicklingError, RuntimeError, EOFError, SafetensorError) as error:
        raise Halt(f"{name} holds no weights that can be read: {advice}") from error


def published(net: str) -> dict:
    """Read torchvision's weights from torch's cache, or fetch them once. Raise Halt if neither can be."""
    from torchvision import models  # takes seconds, and only these losses need it

    weights = {"vgg16": models.VGG16_Weights, "vgg19": models.VGG19_Weights}[net].IMAGENET1K_V1
    try:
        return weights.get_state_dict(progress=False, check_hash=True, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, UnpicklingError, EOFError) as error:
        raise Halt(f"the weights of {net} cannot be had ({type(error).__name__}): {choices()}") from error


def choices() -> str:
    """Say how to train without the published weights."""
    return "set train.vgg: FILE, a state dict as torchvision has it, or train.vgg: none"
