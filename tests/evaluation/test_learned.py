"""The learned measures against their formulas, with weights that are made here, and without weights."""

import hashlib
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.linalg import sqrtm
from torch.nn.functional import conv2d, max_pool2d

from pipeline.batches.dataset import to_tensor
from pipeline.errors import Halt
from pipeline.evaluation.learned import LPIPS_LEAST, LearnedMeasures, fid_and_kid, load_measures

CONVOLUTIONS = {0: (4, 2), 3: (1, 2), 6: (1, 1), 8: (1, 1), 10: (1, 1)}  # stride and padding of AlexNet
SHAPES = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
ALEXNET, INCEPTION = "alexnet-owt-7be5be79.pth", "weights-inception-2015-12-05-6726825d.pth"


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    """Empty torch's cache, and let nothing open a socket."""

    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def weights() -> dict:
    """Draw weights of AlexNet, named as torchvision names them."""
    random, made = torch.Generator().manual_seed(0), {"classifier.1.weight": torch.zeros(1)}
    for number, (outputs, inputs, size) in SHAPES.items():
        drawn = torch.randn(outputs, inputs, size, size, generator=random)
        made[f"features.{number}.weight"] = drawn * (2 / inputs / size**2) ** 0.5
        made[f"features.{number}.bias"] = torch.randn(outputs, generator=random) / 10
    return made


@pytest.fixture(scope="module")
def alexnet(weights, tmp_path_factory) -> str:
    """Write these weights."""
    file = tmp_path_factory.mktemp("weights") / "alexnet.pth"
    torch.save(weights, file)
    return str(file)


@pytest.fixture(scope="module")
def network(alexnet) -> LearnedMeasures:
    """Build LPIPS of these weights."""
    return load_measures(lpips=alexnet, inception="none")


def picture(*shape: int, seed: int = 0) -> np.ndarray:
    """Make a random picture."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def maps(image: np.ndarray, weights: dict) -> list[torch.Tensor]:
    """Return the five maps of AlexNet, of length 1 at each place."""
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    x, found = (to_tensor(image)[None] - shift[:, None, None]) / scale[:, None, None], []
    for number, (stride, padding) in CONVOLUTIONS.items():
        x = max_pool2d(x, 3, 2) if number in (3, 6) else x
        kernel, bias = weights[f"features.{number}.weight"], weights[f"features.{number}.bias"]
        x = conv2d(x, kernel, bias, stride, padding).relu()
        found.append(x / (x.square().sum(1, keepdim=True) + 1e-8).sqrt())
    return found


def gammas(number: int, seed: int) -> np.ndarray:
    """Make features that are never below 0, like those of Inception."""
    return np.random.default_rng(seed).gamma(1 + seed / 10, 0.5, (number, 24))


def cached(folder: Path, name: str) -> Path:
    """Return the path of a file in torch's cache, after making its folder."""
    file = folder / "hub" / "checkpoints" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


@pytest.mark.parametrize("side", [LPIPS_LEAST, 64])
def test_lpips_equals_its_formula(network, weights, side):
    first, second = picture(side, side + 5, 3), picture(side, side + 5, 3, seed=1)
    linear = network.networks["lpips"].lins
    expected = sum(
        conv2d((a - b).square(), line.model[-1].weight).mean()
        for a, b, line in zip(maps(first, weights), maps(second, weights), linear, strict=True)
    )
    assert float(expected) > 0.01
    assert network.lpips(first, second) == pytest.approx(float(expected), rel=1e-4)


def test_the_linear_layers_of_lpips_have_the_published_weights(network):
    weights = [line.model[-1].weight for line in network.networks["lpips"].lins]
    assert [weight.shape[1] for weight in weights] == [64, 192, 384, 256, 256]
    assert all((weight >= 0).all() for weight in weights)
    assert not any(parameter.requires_grad for parameter in network.networks["lpips"].parameters())


def test_lpips_of_equal_pictures_is_0_and_does_not_depend_on_their_order(network):
    first, second = picture(40, 40, 3), np.full((40, 40, 3), 255, np.uint8)
    assert network.lpips(first, first) == network.lpips(second, second) == 0
    assert network.lpips(first, second) == pytest.approx(network.lpips(second, first))


def test_tiny_and_unequal_pictures_are_refused(network):
    with pytest.raises(ValueError, match="at least 31 pixels a side"):
        network.lpips(picture(30, 31, 3), picture(30, 31, 3))
    with pytest.raises(ValueError, match="of one shape"):
        network.lpips(picture(31, 32, 3), picture(32, 31, 3))


def test_safetensors_and_the_cache_give_the_same_distance(network, weights, tmp_path):
    first, second = picture(40, 40, 3), picture(40, 40, 3, seed=1)
    save_file(weights, tmp_path / "alexnet.safetensors")
    torch.save(weights, cached(tmp_path, ALEXNET))
    for file in (str(tmp_path / "alexnet.safetensors"), ""):
        found = load_measures(file, "none")
        assert found.lpips(first, second) == network.lpips(first, second)
        read = Path(file) if file else cached(tmp_path, ALEXNET)
        assert found.weights == {"lpips": hashlib.sha256(read.read_bytes()).hexdigest()}


def test_measures_without_weights_are_absent_and_say_what_to_do(tmp_path):
    found = load_measures()
    assert found.networks == found.weights == {}
    assert found.absent["lpips"] == (
        f"{ALEXNET} in torch's cache is missing: "
        "put it there, or set evaluate.lpips to a file of weights, or to none"
    )
    assert found.absent["fid"] == found.absent["kid"]
    assert found.absent["kid"].startswith(f"{INCEPTION} in torch's cache is missing: ")
    assert not any(str(tmp_path) in reason for reason in found.absent.values())


def test_none_leaves_measures_out():
    found = load_measures("none", "none")
    assert set(found.absent) == {"lpips", "fid", "kid"}
    assert found.absent["lpips"] == "evaluate.lpips is none: set it to a file of weights"
    with pytest.raises(ValueError, match="lpips is not loaded: evaluate"):
        found.lpips(picture(40, 40, 3), picture(40, 40, 3))
    with pytest.raises(ValueError, match="inception is not loaded"):
        found.inception_features([picture(40, 40, 3)])


@pytest.mark.parametrize("option", ["lpips", "inception"])
@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("gone.pth", None, "is missing"),
        ("text.pth", b"not weights", "does not hold the weights of"),
        ("empty.pth", b"", "does not hold the weights of"),
        ("text.safetensors", b"not weights", "does not hold the weights of"),
    ],
)
def test_a_named_file_that_cannot_be_read_halts(tmp_path, option, name, content, why):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(
        Halt, match=rf"{name} {why}.*: set evaluate\.{option} to a file of weights, or to none$"
    ):
        load_measures(**{"lpips": "none", "inception": "none"} | {option: str(tmp_path / name)})


@pytest.mark.parametrize(
    "content", [{"other": torch.zeros(1)}, [1, 2], {"features.0.weight": torch.zeros(1)}]
)
def test_a_file_of_another_network_halts_and_one_in_the_cache_is_left_out(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    for option, name in (("lpips", "alexnet"), ("inception", "inception")):
        with pytest.raises(
            Halt, match=rf"other\.pth does not hold the weights of {name}: set evaluate\.{option}"
        ):
            load_measures(**{"lpips": "none", "inception": "none"} | {option: str(tmp_path / "other.pth")})
    torch.save(content, cached(tmp_path, ALEXNET))
    reason = load_measures("", "none").absent["lpips"]
    assert reason.startswith(f"{ALEXNET} in torch's cache does not hold the weights of alexnet")


def test_a_file_that_contains_code_is_refused(tmp_path):
    torch.save({"features.0.weight": pytest.approx(1)}, tmp_path / "code.pth")
    for option in ("lpips", "inception"):
        with pytest.raises(Halt, match="does not hold the weights of"):
            load_measures(**{"lpips": "none", "inception": "none"} | {option: str(tmp_path / "code.pth")})


def test_inception_reads_pictures_of_any_size_in_any_batch_and_is_loaded_without_a_download(
    tmp_path, monkeypatch
):
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3

    assert URL_INCEPTION_V3.endswith(f"/{INCEPTION}")
    torch.manual_seed(0)
    with monkeypatch.context() as patch:  # so that it keeps its random weights
        patch.setattr("torch.load", lambda *args, **kwargs: None)
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *args: None)
        fresh = FeatureExtractorInceptionV3("inception", ["2048"], "nowhere")
    torch.save(
        {name: 2 * x if x.ndim == 4 else x for name, x in fresh.state_dict().items()},
        cached(tmp_path, INCEPTION),
    )
    found = load_measures("none")
    assert set(found.absent) == {"lpips"}
    small, blank = picture(1, 5, 3), np.full((320, 300, 3), 255, np.uint8)
    features = found.inception_features([small, 255 - small, small])
    assert features.shape == (3, 2048)
    assert features.dtype == torch.float32
    assert (features[0] - features[1]).norm() > 0.01 * features[0].norm() > 0
    torch.testing.assert_close(features[[2]], features[[0]])
    torch.testing.assert_close(found.inception_features([small]), features[[0]])
    assert torch.isfinite(found.inception_features([blank])).all()
    with pytest.raises(ValueError, match="pictures must be one or more"):
        found.inception_features([])


@pytest.mark.parametrize("number", [2, 8, 100])
def test_fid_equals_its_formula(number):
    reals, fakes = gammas(number, 1), gammas(number, 5)
    spread = [np.cov(x, rowvar=False) for x in (reals, fakes)]
    root = sqrtm(spread[0] @ spread[1] + 1e-12 * np.eye(24)).real
    shift = ((reals.mean(0) - fakes.mean(0)) ** 2).sum()
    expected = shift + np.trace(spread[0] + spread[1] - 2 * root)
    found = fid_and_kid(torch.from_numpy(reals).float(), torch.from_numpy(fakes).float())["fid"]
    assert expected > 0.5
    assert found == pytest.approx(expected, rel=1e-3)


def test_kid_equals_its_formula():
    reals, fakes = gammas(30, 1), gammas(30, 5)

    def kernel(a, b):
        return (a @ b.T / 24 + 1) ** 3

    within = sum((kernel(x, x).sum() - np.trace(kernel(x, x))) / (30 * 29) for x in (reals, fakes))
    expected = within - 2 * kernel(reals, fakes).mean()
    found = fid_and_kid(torch.from_numpy(reals), torch.from_numpy(fakes))["kid"]
    assert expected > 0.01
    assert found == pytest.approx(expected, rel=1e-9)


def test_equal_sets_have_a_fid_of_0_and_neither_measure_depends_on_order_or_chance():
    reals, fakes = (torch.from_numpy(gammas(40, seed)) for seed in (1, 5))
    assert fid_and_kid(reals, reals)["fid"] == pytest.approx(0, abs=1e-5)
    assert fid_and_kid(reals, reals)["kid"] < 0
    state = torch.random.get_rng_state()
    assert fid_and_kid(reals, fakes.flip(0)) == pytest.approx(fid_and_kid(reals, fakes))
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("numbers", [(1, 1), (3, 4), (0, 0)])
def test_sets_of_one_picture_and_sets_of_unequal_sizes_are_refused(numbers):
    with pytest.raises(ValueError, match="sets must have 2 or more pictures"):
        fid_and_kid(*(torch.zeros(number, 24) for number in numbers))
