"""The features of VGG, by which perceptual losses compare pictures.

Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2015, as
torchvision trained them on ImageNet.
"""

from collections.abc import Mapping
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from pipeline.errors import Halt
from pipeline.weights import halt_on_misfit, parse_weights, read_weights

VGG_ADVICE = "set train.vgg: FILE, a state dict as torchvision has it, or train.vgg: none"
POOL = 0  # in a plan: max pooling by 2; the other numbers are the channels of convolutions
PLANS = {
    "vgg16": [64, 64, POOL, 128, 128],
    "vgg19": [64, 64, POOL, 128, 128, POOL, *4 * [256], POOL, *4 * [512], POOL, 512],
}
LAYERS = {"vgg16": (8,), "vgg19": (1, 6, 11, 20, 29)}  # their maps are returned; numbered as in torchvision
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, RGB in [0, 1]


class Features(nn.Module):
    """A pretrained VGG, frozen: pictures (B, 3, H, W) in [-1, 1] -> feature maps, the largest first.

    vgg16 gives [relu2_2], vgg19 gives [relu1_1, relu2_1, relu3_1, relu4_1, relu5_1].
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, net: str, file: str = ""):
        """Load the published weights, or those of `file` (.pth or .safetensors). Raise Halt if it fails."""
        super().__init__()
        self.layers, self.returned = build_vgg(net), LAYERS[net]
        with halt_on_misfit(file or "torch's cache", net, VGG_ADVICE):
            weights = parse_weights(read_weights(file, advice=VGG_ADVICE), file) if file else published(net)
            needed = self.layers.state_dict()
            self.layers.load_state_dict({name: weights[f"features.{name}"] for name in needed})
        for name, values in (("mean", MEAN), ("deviation", DEVIATION)):
            self.register_buffer(name, torch.tensor(values).reshape(3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, image: Tensor) -> list[Tensor]:
        x, maps = ((image + 1) / 2 - self.mean) / self.deviation, []
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if number in self.returned:
                maps.append(x)
        return maps


def build_vgg(net: str) -> nn.Sequential:
    """Build the layers of a VGG up to the last map that is returned, numbered as torchvision's."""
    layers: list[nn.Module] = []
    inputs = 3
    for outputs in PLANS[net]:
        if outputs == POOL:
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
            inputs = outputs
    return nn.Sequential(*layers)


def published(net: str) -> Mapping[str, Tensor]:
    """Return torchvision's weights from torch's cache, or download them once. Raise Halt if neither works."""
    from torchvision import models  # takes seconds, and only these losses need it

    weights = {"vgg16": models.VGG16_Weights, "vgg19": models.VGG19_Weights}[net].IMAGENET1K_V1
    try:
        return weights.get_state_dict(progress=False, check_hash=True, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, UnpicklingError, EOFError) as error:
        reason = f"could not download the weights of {net} ({type(error).__name__})"
        raise Halt(f"{reason}: {VGG_ADVICE}") from error
