"""One update: its cost may be chosen, its result may not."""

import copy

import pytest
import torch
from made import packed
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from pipeline.batches.dataset import Pairs
from pipeline.batches.loader import single_pass
from pipeline.params import Model, Train
from pipeline.systems import SYSTEMS, present, system
from pipeline.training.hardware import CPU, Hardware, launch_fabric
from pipeline.training.learner import assemble
from pipeline.training.recompute import find_blocks, frozen_statistics, recompute_blocks
from pipeline.training.update import equal_parts, update_networks

pytestmark = pytest.mark.usefixtures("one_thread")

WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "item")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Pack one dataset for all tests."""
    return packed(tmp_path_factory.mktemp("pairs"))


def learner(name, train, hardware=CPU):
    """Build a tiny learner of a system."""
    model = Model(system=name, width=4, depth=4)
    return assemble(model, train, launch_fabric(hardware, train.precision), hardware, print)


def batch(data, name, size=4):
    """Load a batch of a system."""
    return next(iter(single_pass(Pairs(data, "train", "b7", system(name).columns), size, 0)))


def weights(made):
    """Copy all weights and statistics of the networks."""
    state = [network.state_dict() for network in present(made.plain).values()]
    return {(n, name): each.clone() for n, one in enumerate(state) for name, each in one.items()}


class Watch(TorchDispatchMode):
    """Refuse what makes the host wait for a GPU."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Let all other operators pass."""
        assert not any(name in str(func) for name in WAITS), f"the host waits: {func}"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", SYSTEMS)
def test_an_update_never_waits_for_the_gpu(data, name):
    train = Train(vgg="none", ema=0.9, clip=1.0)
    made, given = learner(name, train), batch(data, name)
    with Watch():
        terms = update_networks(made, [given], [0])
    assert all(torch.isfinite(value) for value in terms.values())
    with pytest.raises(AssertionError, match="the host waits"), Watch():
        float(terms.popitem()[1])


@pytest.mark.parametrize("name", ["liu", "mask"])  # which have no BatchNorm, that sees each part by itself
def test_a_batch_in_parts_gives_the_update_of_the_whole(data, name):
    given, found = batch(data, name), []
    for parts in (1, 2, 4):
        made = learner(name, Train(vgg="none", accumulate=parts))
        terms = update_networks(made, equal_parts(given, parts), [0] * parts)
        slopes = [torch.cat([each.grad.flatten() for each in network.parameters()]) for network in made.plain]
        found.append(({each: float(value) for each, value in terms.items()}, slopes))
    (whole_terms, whole), *others = found
    for part_terms, part in others:
        assert part_terms == pytest.approx(whole_terms, rel=1e-4)
        for one, other in zip(part, whole, strict=True):
            assert (one - other).norm() < 1e-3 * other.norm()


def test_a_part_is_colored_twice_to_equal_pictures_and_norms_count_it_once(data):
    train = Train(vgg="none", accumulate=2)
    made, seen = learner("pix2pix", train), []
    made.plain[0].register_forward_hook(lambda module, given, output: seen.append(output.detach().clone()))
    update_networks(made, equal_parts(batch(data, "pix2pix"), 2), [3, 4])
    first, second, first_again, second_again = seen
    assert torch.equal(first, first_again)
    assert torch.equal(second, second_again)
    assert not torch.equal(first, second)
    once_each = learner("pix2pix", train)
    torch.manual_seed(3)
    given = equal_parts(batch(data, "pix2pix"), 2)
    for seed, part in zip((3, 4), given, strict=True):
        torch.manual_seed(seed)
        once_each.plain[0](part["sketch"], part["cue"])
    for name, value in once_each.plain[0].named_buffers():
        if "running" in name:
            torch.testing.assert_close(dict(made.plain[0].named_buffers())[name], value)


@pytest.mark.parametrize("name", SYSTEMS)
def test_recomputing_gives_equal_bits(data, name):
    given = batch(data, name)
    kept, again = (learner(name, Train(vgg="none"), Hardware(recompute=on)) for on in (False, True))
    for seed in range(2):
        one, other = (update_networks(made, [given], [seed]) for made in (kept, again))
        assert {each: float(value) for each, value in one.items()} == {
            each: float(value) for each, value in other.items()
        }
    one, other = weights(kept), weights(again)
    assert all(torch.equal(one[each], other[each]) for each in one if "num_batches" not in each[1])


class Saved:
    """Count the bytes that are kept for backward."""

    def __enter__(self):
        """Begin to count."""
        self.bytes = 0
        self.hooks = torch.autograd.graph.saved_tensors_hooks(self.count, lambda tensor: tensor)
        self.hooks.__enter__()
        return self

    def count(self, tensor):
        """Count one tensor."""
        self.bytes += 0 if isinstance(tensor, nn.Parameter) else tensor.nbytes
        return tensor

    def __exit__(self, *what):
        """Stop."""
        self.hooks.__exit__(*what)


@pytest.mark.parametrize("name", SYSTEMS)
def test_recomputing_keeps_less_for_backward(data, name):
    colorizer, given = system(name), batch(data, name)
    width = 16 if name == "wash" else 4  # or what its propagation keeps would be the most
    network, _ = colorizer.networks(Model(system=name, width=width, depth=4))
    saved = []
    for one in (network, copy.deepcopy(network)):
        if saved:
            recompute_blocks(one)
            assert list(find_blocks(one))
        with Saved() as found:
            one(*colorizer.inputs(given))
        saved.append(found.bytes)
    assert saved[1] < 0.7 * saved[0]


def test_frozen_statistics_of_a_norm_do_not_change():
    norm = nn.BatchNorm2d(2)
    before = norm.running_mean.clone()
    with frozen_statistics(norm):
        found = norm(torch.full((2, 2, 2, 2), 3.0))
    assert torch.equal(norm.running_mean, before)
    assert found.abs().max() < 1e-3  # normalized by its own mean
    norm(torch.full((2, 2, 2, 2), 3.0))
    assert norm.running_mean[0] == pytest.approx(0.3)


def test_parts_of_a_batch_are_equal_and_all_of_it(data):
    given = batch(data, "pix2pix", 6)
    parts = equal_parts(given, 3)
    assert [part["key"] for part in parts] == [given["key"][n : n + 2] for n in (0, 2, 4)]
    assert torch.equal(torch.cat([part["color"] for part in parts]), given["color"])
