"""The contract of every system with training and with use."""

import pytest
import torch
from learning import build, kind_of, learn, painted, random_batch
from safetensors.torch import load, save
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from pipeline.params import Model, Train
from pipeline.systems import SYSTEMS, Networks, System, present, system
from pipeline.systems.layers import count_parameters

pytestmark = pytest.mark.usefixtures("one_thread")

MODELS = {
    "pix2pix": Model("pix2pix", 4, 4),
    "nerk": Model("nerk", 4),
    "liu": Model("liu", 4),
    "finetune": Model("liu", 4, variant="finetune"),
    "scft": Model("scft", 2),
    "mask": Model("mask", 4),
    "wash": Model("wash", 4),
}
MIXING = ("pix2pix",)  # through BatchNorm, in training
SIZES = {  # the published ones, in millions of parameters
    "pix2pix": (54.41, 2.77),
    "nerk": (13.58, 18.88),
    "finetune": (78.2, 1.19),
    "scft": (82.1, 2.77),
    "mask": (7.84, 16.76),
    "wash": (0.456,),
}
LR = {"pix2pix": 2e-4, "nerk": 1e-4, "liu": 1e-4, "finetune": 1e-3, "scft": 1e-4, "mask": 1e-4, "wash": 2e-2}
CLIP = {"nerk": 1.0, "wash": 1.0}
OPTIMIZERS = {  # the rates in units of the generator's, and the betas
    "pix2pix": ((1, 1), ((0.5, 0.999), (0.5, 0.999))),
    "nerk": ((1, 4), ((0.5, 0.99), (0.0, 0.99))),
    "liu": ((1, 1), ((0.9, 0.999), (0.9, 0.999))),
    "finetune": ((1, 1), ((0.9, 0.999), (0.9, 0.999))),
    "scft": ((1, 2), ((0.5, 0.999), (0.5, 0.999))),
    "mask": ((1, 1), ((0.5, 0.999), (0.5, 0.999))),
}
LOSSES = {  # the shapes of the terms for two pictures of 64 x 64
    "pix2pix": {
        "adversarial": (2, 1, 6, 6),
        "l1": (2, 3, 64, 64),
        **dict.fromkeys(("real", "fake"), (2, 1, 6, 6)),
    },
    "nerk": {
        "adversarial": (2, 1, 2, 2),
        "l1": (2, 3, 64, 64),
        "consistency": (2, 64, 4, 4),
        **dict.fromkeys(("real", "fake"), (2, 1, 2, 2)),
    },
    "liu": dict.fromkeys(("adversarial", "pixel", "real", "fake", "penalty"), (2,)),
    "finetune": dict.fromkeys(("adversarial", "pixel", "real", "fake", "penalty"), (2,)),
    "scft": {
        "adversarial": (2, 1, 6, 6),
        "l1": (2, 3, 64, 64),
        "triplet": (2, 16),
        **dict.fromkeys(("real", "fake"), (2, 1, 6, 6)),
    },
    "mask": {"squared": (2, 2, 64, 64), **dict.fromkeys(("adversarial", "real", "fake"), (2, 1, 1, 1))},
    "wash": {"l1": (2, 3, 64, 64), "ssim": (2, 3, 15, 15), "carried": (2, 3, 16, 16), "place": (2, 64)},
}


def discriminator_terms(colorizer, networks, batch, output):
    """Return the losses of the discriminator, if there is one."""
    if networks.discriminator is None:
        return {}
    return colorizer.discriminator_loss(networks.discriminator, batch, output)


@pytest.fixture(params=MODELS)
def name(request) -> str:
    """Name each system, and the variant of liu."""
    return request.param


@pytest.fixture
def model(name) -> Model:
    """Give the parameters of a small model."""
    return MODELS[name]


@pytest.fixture
def colorizer(model) -> System:
    """Give its system."""
    return system(model.system)


@pytest.fixture
def networks(model) -> Networks:
    """Build the networks, always with the same weights."""
    return build(model)


def test_the_systems_are_those_that_can_be_chosen():
    assert set(SYSTEMS) == set(Model.__dataclass_fields__["system"].metadata["names"])
    with pytest.raises(KeyError):
        system("layers")


@pytest.mark.parametrize("name", SIZES)
def test_the_networks_have_the_published_size(name):
    """A width of zero stands for the published one."""
    found = system(MODELS[name].system).networks(Model(MODELS[name].system, variant=MODELS[name].variant))
    sizes = tuple(count_parameters(network) / 1e6 for network in present(found).values())
    assert sizes == pytest.approx(SIZES[name], rel=0.005)


def test_no_convolution_of_stride_2_gets_a_single_column(colorizer, networks):
    """The gradient of its weights in bfloat16 would depend on memory that oneDNN forgets to fill."""
    batch = random_batch(32)

    def watch(module, given):
        if isinstance(module, nn.Conv2d) and module.stride != (1, 1):
            assert given[0].shape[-1] > 1

    with register_module_forward_pre_hook(watch):
        output = networks.generator(*colorizer.inputs(batch))
        discriminator_terms(colorizer, networks, batch, output)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96)])
@torch.inference_mode()
def test_the_picture_has_the_size_of_the_sketch(model, colorizer, networks, height, width):
    assert height % colorizer.multiple(model) == width % colorizer.multiple(model) == 0
    batch = random_batch(96, 1)
    batch |= {each: values[..., :height, :width] for each, values in batch.items() if values.ndim == 4}
    shown = colorizer.picture(networks.generator.eval()(*colorizer.inputs(batch)), batch)
    assert shown.shape == (1, 3, height, width)
    assert shown.abs().max() <= 1
    assert colorizer.target(batch).shape == shown.shape


@torch.inference_mode()
def test_the_picture_depends_on_every_input(colorizer, networks):
    batch = random_batch()
    generator, given = networks.generator.eval(), colorizer.inputs(batch)
    first = colorizer.picture(generator(*given), batch)
    for changed in ((-given[0], *given[1:]), (given[0], 1 - given[1], *given[2:])):
        assert not torch.equal(colorizer.picture(generator(*changed), batch), first)


@torch.inference_mode()
def test_the_generator_does_not_mix_a_batch(name, colorizer, networks):
    """In use none does, and without BatchNorm not even while it learns."""
    batch = random_batch()
    alone = {each: values[:1] for each, values in batch.items()}
    generator = networks.generator.train(name not in MIXING)
    both, one = (colorizer.picture(generator(*colorizer.inputs(each)), each) for each in (batch, alone))
    torch.testing.assert_close(both[:1], one, rtol=0, atol=1e-5)


def test_losses_are_maps_by_which_a_sample_can_be_found(name, colorizer, networks):
    batch = random_batch(64)
    output = networks.generator(*colorizer.inputs(batch))
    terms = colorizer.generator_loss(networks, batch, output, Train(), None)
    terms |= discriminator_terms(colorizer, networks, batch, output)
    assert {each: tuple(term.shape) for each, term in terms.items()} == LOSSES[name]


def test_gradients_reach_every_weight_and_only_of_the_network_that_learns(name, colorizer, networks):
    generator, discriminator = networks
    batch = random_batch(64) | {"kind": torch.cat([kind_of("reference"), kind_of("strokes")])}
    if name == "wash":  # which begins with zeros, that let no gradient pass
        for parameter in generator.parameters():
            parameter.data += 0.01 * torch.randn_like(parameter)
    output = generator(*colorizer.inputs(batch))
    if discriminator is not None:
        terms = colorizer.discriminator_loss(discriminator, batch, output)
        sum(term.mean() for term in terms.values()).backward()
        assert all(parameter.grad is None for parameter in generator.parameters())
        assert all(parameter.grad is not None for parameter in discriminator.parameters())
        if name not in ("liu", "finetune"):  # whose hinge losses of real and fake cancel for the last bias
            assert all(parameter.grad.any() for parameter in discriminator.parameters())
        discriminator.requires_grad_(False)
    terms = colorizer.generator_loss(networks, batch, output, Train(), None)
    sum(term.mean() for term in terms.values()).backward()
    silent = [each for each, p in generator.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


def test_the_optimizers_are_the_published_ones(name, model, colorizer, networks):
    assert colorizer.learning_rate(model) == LR[name]
    assert colorizer.clip == CLIP.get(name, 0.0)
    if name == "wash":
        return  # the tests of muon have its groups
    rates, betas = OPTIMIZERS[name]
    for network, optimizer, rate, beta in zip(
        networks, colorizer.optimizers(networks, 0.25), rates, betas, strict=True
    ):
        (group,) = optimizer.param_groups
        assert (group["lr"], group["betas"]) == (0.25 * rate, beta)
        assert group["weight_decay"] == (1e-5 if name == "nerk" else 0)
        assert list(map(id, group["params"])) == list(map(id, network.parameters()))


@torch.inference_mode()
def test_a_saved_and_loaded_generator_gives_equal_pictures(model, colorizer, networks):
    batch = random_batch()
    torch.manual_seed(9)
    other = colorizer.networks(model).generator
    state = {each: values.contiguous() for each, values in networks.generator.state_dict().items()}
    colorizer.load(other, load(save(state)))
    one, same = (
        colorizer.picture(each.eval()(*colorizer.inputs(batch)), batch)
        for each in (networks.generator, other)
    )
    assert torch.equal(one, same)


@torch.no_grad()
def test_it_compiles_whole_and_computes_in_bfloat16(name, colorizer, networks):
    batch = random_batch()
    generator, discriminator = networks
    exact = colorizer.picture(generator.eval()(*colorizer.inputs(batch)), batch)
    compiled = torch.compile(generator, backend="eager", fullgraph=True)
    with torch.autocast("cpu", torch.bfloat16):
        output = compiled(*colorizer.inputs(batch))
        terms = colorizer.generator_loss(Networks(compiled, discriminator), batch, output, Train(), None)
    tolerance = 0.1 if name in ("liu", "finetune") else 0.06
    torch.testing.assert_close(colorizer.picture(output, batch).float(), exact, rtol=0, atol=tolerance)
    assert all(term.isfinite().all() for term in terms.values())


def test_all_networks_learn_in_bfloat16(colorizer, networks):
    batch = random_batch()
    with torch.autocast("cpu", torch.bfloat16):
        output = networks.generator(*colorizer.inputs(batch))
        terms = colorizer.generator_loss(networks, batch, output, Train(), None)
        terms |= discriminator_terms(colorizer, networks, batch, output)
    loss = sum(term.float().mean() for term in terms.values())
    loss.backward()
    assert loss.isfinite()


def test_blank_pictures_have_finite_gradients(name, colorizer, networks):
    batch = {each: torch.zeros_like(values) for each, values in random_batch(32, 1).items()}
    batch |= {each: torch.ones_like(batch[each]) for each in ("sketch", "target", "color")}
    output = networks.generator(*colorizer.inputs(batch))
    terms = colorizer.generator_loss(networks, batch, output, Train(), None)
    terms |= discriminator_terms(colorizer, networks, batch, output)
    sum(term.mean() for term in terms.values()).backward()
    for network in present(networks).values():
        assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


def test_a_few_steps_bring_the_picture_closer(model):
    psnr = learn(model, painted(), 20, 3e-2 if model.system == "wash" else 3e-3).psnr
    assert psnr[-1] > psnr[0] + 1


@pytest.mark.slow
def test_one_picture_is_learned_by_heart_by_finetune():
    """The others are, in the tests of training."""
    assert learn(Model("liu", 8, variant="finetune"), painted(), 450, 5e-3).psnr[-1] > 30
