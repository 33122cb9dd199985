"""VGG's maps: those of torchvision with the same weights, from the cache, from a file, or a clear halt."""

from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pipeline.errors import Halt
from pipeline.systems.features import DEVIATION, LAYERS, MEAN, PLANS, Features, build_vgg

SIZES = {"vgg16": [(128, 16)], "vgg19": [(64, 32), (128, 16), (256, 8), (512, 4), (512, 2)]}


@pytest.fixture(scope="module", params=["vgg16", "vgg19"])
def made(request, tmp_path_factory) -> tuple[str, nn.Sequential, dict, str]:
    """Give torchvision's layers random weights, and write them as torchvision would."""
    from torchvision.models import vgg

    torch.manual_seed(0)
    name, most = {"vgg16": ("D", 6), "vgg19": ("E", 18)}[request.param]  # and a little more than is needed
    layers = vgg.make_layers(vgg.cfgs[name][:most]).eval()
    weights = {f"features.{name}": value for name, value in layers.state_dict().items()}
    weights |= {"classifier.0.weight": torch.zeros(1)}  # not needed, and there in every published file
    file = tmp_path_factory.mktemp("weights") / "vgg.pth"
    torch.save(weights, file)
    return request.param, layers, weights, str(file)


@torch.inference_mode()
def test_the_maps_are_those_of_torchvision_at_the_named_layers(made):
    net, layers, _, file = made
    image = torch.rand(2, 3, 32, 32) * 2 - 1
    x = torch.stack([(image[:, c] / 2 + 0.5 - MEAN[c]) / DEVIATION[c] for c in range(3)], dim=1)
    maps = Features(net, file)(image)
    for found, last in zip(maps, LAYERS[net], strict=True):
        assert isinstance(layers[last], nn.ReLU)
        torch.testing.assert_close(found, layers[: last + 1](x.clone()))


@torch.inference_mode()
def test_the_maps_are_those_of_the_papers(made):
    net, _, _, file = made
    maps = Features(net, file)(torch.zeros(1, 3, 32, 32))
    assert [(x.shape[1], x.shape[2]) for x in maps] == SIZES[net]


def test_only_the_layers_that_are_needed_are_built():
    for net in PLANS:
        assert len(build_vgg(net)) == LAYERS[net][-1] + 1


def test_nothing_of_it_is_trained_but_gradients_reach_the_picture(made):
    net, _, _, file = made
    features = Features(net, file)
    image = torch.zeros(1, 3, 16, 16, requires_grad=True)
    sum(x.sum() for x in features(image)).backward()
    assert image.grad.abs().sum() > 0
    assert not features.training
    assert not any(parameter.requires_grad for parameter in features.parameters())


def test_a_file_of_safetensors_gives_the_same_maps(made, tmp_path):
    net, _, weights, file = made
    other = tmp_path / "vgg.safetensors"
    save_file(weights, other)
    image = torch.rand(1, 3, 16, 16)
    for a, b in zip(Features(net, file)(image), Features(net, str(other))(image), strict=True):
        assert torch.equal(a, b)


def test_weights_in_the_cache_of_torch_are_used_without_a_connection(made, tmp_path, monkeypatch):
    from torchvision import models

    net, layers, weights, _ = made
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", unreachable)
    url = models.get_model_weights(net).IMAGENET1K_V1.url
    cached = tmp_path / "hub" / "checkpoints" / url.rsplit("/", 1)[1]
    cached.parent.mkdir(parents=True)
    torch.save(weights, cached)
    assert torch.equal(Features(net).layers[0].weight, layers[0].weight)


def unreachable(*args, **kwargs):
    """Fail as a download does without a connection."""
    raise URLError("no route")


def test_without_weights_it_halts_and_names_the_ways_out(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", unreachable)
    with pytest.raises(
        Halt,
        match=r"could not download the weights of vgg19 \(URLError\): .*train\.vgg: FILE.*train\.vgg: none",
    ):
        Features("vgg19")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("gone.pth", None, "is missing"),
        ("text.pth", b"not weights", "does not hold the weights of vgg19"),
        ("empty.pth", b"", "does not hold the weights of vgg19"),
        ("text.safetensors", b"not weights", "does not hold the weights of vgg19"),
        ("gone.safetensors", None, "is missing"),
    ],
)
def test_a_file_that_cannot_be_read_halts(tmp_path, name, content, why):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Halt, match=rf"{name} {why}.*: .*train\.vgg: FILE.*train\.vgg: none"):
        Features("vgg19", str(file))


@pytest.mark.parametrize(
    "content", [{"other": torch.zeros(1)}, [1, 2], {"features.0.weight": torch.zeros(1)}]
)
def test_a_file_of_another_network_halts(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(Halt, match=r"does not hold the weights of vgg16: .*train\.vgg"):
        Features("vgg16", str(tmp_path / "other.pth"))
