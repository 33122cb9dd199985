"""The extractor of lines is the published network, and loads only weights that fit it."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from made import picture
from safetensors.torch import save_file
from torch.nn import functional as F

from pipeline.errors import Halt
from pipeline.images import png
from pipeline.operators import anime2sketch
from pipeline.operators.anime2sketch import Extractor, extract_lines
from pipeline.operators.sketch import draw_sketch, make_sketch, pin_weights
from pipeline.params import Sketch
from pipeline.run.step import Step

WIDTH = 4  # the published one has 64


@pytest.fixture
def network():
    """A small network with random weights."""
    torch.manual_seed(1)
    return Extractor(WIDTH).eval()


@pytest.fixture
def weights(network, tmp_path):
    """The path of a file with its weights."""
    path = tmp_path / "netG.safetensors"
    save_file(network.state_dict(), path)
    return str(path)


def test_the_tensors_have_the_published_names_and_shapes():
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in Extractor().state_dict().items()}
    expected, prefix = {}, "model.model."
    expected |= {f"{prefix}0.weight": (64, 3, 4, 4), f"{prefix}0.bias": (64,)}
    expected |= {f"{prefix}3.weight": (128, 1, 4, 4), f"{prefix}3.bias": (1,)}
    prefix += "1.model."
    for outer, inner in ((64, 128), (128, 256), (256, 512), (512, 512), (512, 512), (512, 512)):
        expected |= {f"{prefix}1.weight": (inner, outer, 4, 4), f"{prefix}1.bias": (inner,)}
        expected |= {f"{prefix}5.weight": (2 * inner, outer, 4, 4), f"{prefix}5.bias": (outer,)}
        prefix += "3.model."
    expected |= {f"{prefix}1.weight": (512, 512, 4, 4), f"{prefix}1.bias": (512,)}
    expected |= {f"{prefix}3.weight": (512, 512, 4, 4), f"{prefix}3.bias": (512,)}
    assert shapes == expected


def by_hand(tensors, x):
    """Compute the network level by level from its tensors, the norm written out."""

    def norm(x):
        return (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), correction=0, keepdim=True) + 1e-5).sqrt()

    def layer(name):
        return tensors[f"{name}.weight"], tensors[f"{name}.bias"]

    prefixes = ["model.model." + "1.model." * (level > 0) + "3.model." * (level - 1) for level in range(8)]
    maps = [F.conv2d(x, *layer(prefixes[0] + "0"), 2, 1)]
    for level in range(1, 8):
        x = F.conv2d(F.leaky_relu(maps[-1], 0.2), *layer(prefixes[level] + "1"), 2, 1)
        maps.append(norm(x) if level < 7 else x)
    x = maps.pop()
    for level in range(7, 0, -1):
        up = layer(prefixes[level] + ("3" if level == 7 else "5"))
        x = torch.cat([maps.pop(), norm(F.conv_transpose2d(F.relu(x), *up, 2, 1))], 1)
    return F.conv_transpose2d(F.relu(x), *layer(prefixes[0] + "3"), 2, 1).tanh()


def test_the_network_computes_what_the_layers_written_out_compute(network):
    x = torch.rand(1, 3, 256, 512) * 2 - 1
    with torch.inference_mode():
        assert (network(x) - by_hand(network.state_dict(), x)).abs().max() < 1e-4


def test_the_lines_are_the_output_of_the_network_in_levels(network, weights):
    image = picture(2, 512, 256)
    pixels = torch.from_numpy(image / 127.5 - 1).float().permute(2, 0, 1)[None]
    with torch.inference_mode():
        expected = 127.5 * (network(pixels)[0, 0].numpy() + 1)
    drawn = draw_sketch(image, Sketch(method="learned", weights=weights))
    assert drawn.shape == (256, 512)
    assert np.abs(drawn - expected).max() < 0.6
    assert drawn.std() > 1


@pytest.mark.parametrize("shape", [(1, 1), (100, 60), (300, 420)])
def test_lines_have_the_size_of_the_picture_and_gray_counts_as_rgb(weights, shape):
    gray = cv2.cvtColor(picture(3, shape[1], shape[0]), cv2.COLOR_RGB2GRAY)
    drawn = extract_lines(gray, weights)
    assert (drawn.shape, drawn.dtype) == (shape, np.uint8)
    np.testing.assert_array_equal(drawn, extract_lines(np.dstack([gray] * 3), weights))


def test_the_number_of_threads_changes_no_pixel_and_is_restored(image, weights):
    before = torch.get_num_threads()
    drawn = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            drawn.append(extract_lines(image, weights))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*drawn)


def test_weights_load_from_both_file_formats_and_from_a_data_parallel_training(network, weights, tmp_path):
    tensors = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    save_file(tensors, tmp_path / "parallel.safetensors")
    torch.save(tensors, tmp_path / "parallel.pth")
    torch.save(network.state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    torch.save(network.half().state_dict(), tmp_path / "half.pth")
    image = picture(1, 256, 256)
    expected = extract_lines(image, weights)
    for name in ("parallel.safetensors", "parallel.pth", "old.pth"):
        np.testing.assert_array_equal(extract_lines(image, str(tmp_path / name)), expected)
    assert np.abs(extract_lines(image, str(tmp_path / "half.pth")).astype(int) - expected).mean() < 2


def test_the_weights_are_loaded_once(weights, image, monkeypatch):
    extract_lines(image, weights)
    monkeypatch.setattr(anime2sketch, "read_weights", None)
    extract_lines(image, weights)


class Evil:
    """An object that runs code when it is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('code was run')",)


def misfits(tensors):
    """Yield names of files and contents that do not fit the network."""
    first = "model.model.0.weight"
    yield "missing.pth", {name: tensor for name, tensor in tensors.items() if name != "model.model.3.bias"}
    yield "without.pth", {name: tensor for name, tensor in tensors.items() if name != first}
    yield "more.pth", tensors | {"more": torch.zeros(1)}
    yield "shape.pth", tensors | {"model.model.3.bias": torch.zeros(2)}
    yield "flat.pth", tensors | {first: torch.tensor(1.0)}
    yield "numbers.pth", {name: tensor.int() for name, tensor in tensors.items()}
    yield "empty.pth", {}
    yield "list.pth", [1, 2]
    yield "nested.pth", {"state": tensors}
    yield "code.pth", {"model": Evil()}


def test_a_file_that_does_not_fit_is_rejected_in_one_sentence_and_no_code_in_it_runs(
    network, weights, tmp_path
):
    for name, tensors in misfits(network.state_dict()):
        torch.save(tensors, tmp_path / name)
    whole = Path(weights).read_bytes()
    torch.save(network.state_dict(), tmp_path / "whole.pth")
    for name, data in {
        "bytes.pth": b"nothing",
        "none.pth": b"",
        "cut.pth": (tmp_path / "whole.pth").read_bytes()[:5000],
        "bytes.safetensors": b"nothing",
        "cut.safetensors": whole[:-8],
        "kind.pth": whole,
    }.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "whole.pth").unlink()
    for path in tmp_path.glob("*"):
        if str(path) != weights:
            with pytest.raises(Halt, match=f"{path.name} does not hold the weights of an Anime2Sketch"):
                extract_lines(picture(1), str(path))


@pytest.mark.parametrize("name", ["nowhere.pth", "."])
def test_a_missing_file_is_reported_before_a_picture_is_drawn(tmp_path, name):
    sketch = Sketch(method="learned", weights=str(tmp_path / name))
    with pytest.raises(Halt, match=r"^.* is missing: download the weights, and name their file$"):
        pin_weights(sketch)
    with pytest.raises(Halt, match="is missing"):
        make_sketch(png.encode_png(picture(1)), "1", sketch)


def test_other_weights_at_the_same_path_have_another_fingerprint(weights):
    sketch = Sketch(method="learned", weights=weights)
    pinned = pin_weights(sketch)
    assert pinned.sha256 == hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    assert pin_weights(pinned) == pinned
    save_file(Extractor(WIDTH).state_dict(), weights)
    assert Step(make_sketch, pin_weights(sketch)).fingerprint() != Step(make_sketch, pinned).fingerprint()
    with pytest.raises(Halt, match=r"has the SHA-256 .*: name the file that was asked for, or change sha256"):
        pin_weights(pinned)
    assert pin_weights(Sketch()) == Sketch()


def test_the_metadata_have_the_name_and_the_hash_of_the_weights_but_not_their_folder(weights, image):
    sketch = pin_weights(Sketch(method="learned", weights=weights))
    metadata = make_sketch(png.encode_png(image), "1", sketch).metadata
    assert metadata["weights"] == "netG.safetensors"
    assert len(metadata["sha256"]) == 64
