"""wash: one network that colors a sketch by any guide, or by none.

A trunk predicts a correction of base colors, how colors flow from pixel to pixel, and details. The base is
the cue if it is a blur, or what `matching` carries from a reference or a palette. `backprojection` lets the
colors blur to the cue, and `propagation` makes them flat within lines and fills in strokes and points.
Nothing is adversarial, and nothing is normalized.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, leaky_relu, pixel_shuffle, pixel_unshuffle

from pipeline.params import GUIDES, Model, Reference, Train
from pipeline.systems import Batch, FeatureMaps, Networks, Optimizers, System, Terms
from pipeline.systems.backprojection import cue_blur, lacking, sharpen
from pipeline.systems.layers import SLOPE, Residual, Shrink, enlarge, ssim_map, to_rgb, to_yuv
from pipeline.systems.matching import Carried, LineEncoder, Match, own_sketch, place_loss
from pipeline.systems.muon import Muon
from pipeline.systems.propagation import NEIGHBORS, neighbor_weights, propagate

DISTANCES = (1, 2, 4, 8, 2)  # of the neighbors in each pass of the propagation, in pixels at 1/2
CHANNELS = (12, 3, 1, NEIGHBORS * len(DISTANCES))  # of details, correction, own weight and propagation
SSIM, CARRIED, PLACE = 0.2, 0.5, 0.05  # weights of the losses beside that of the L1 loss
SOFTNESS = 0.01  # where the L1 loss becomes squared
LEAST_WEIGHT = 1e-3  # of a color that is propagated, so that none is divided by 0


class Washed(NamedTuple):
    """The output of the generator."""

    picture: Tensor  # (B, 3, H, W), in [-1, 1] or just beyond
    carried: Tensor  # (B, 3, H / 4, W / 4): the colors that the reference or the palette gave, or 0
    logits: Tensor  # (B, places, places of the reference): see `matching.Carried`


class Given(NamedTuple):
    """A guide by what it is used for: whatever it is not is 0."""

    cue: Tensor  # (B, 3, H, W): a blur
    is_cue: Tensor  # (B, 1, 1, 1)
    hints: Tensor  # (B, 3, H, W): strokes or points, times their opacity
    opacity: Tensor  # (B, 1, H, W), of the hints
    source: Tensor  # (B, 3, H, W): a reference or a palette, times its opacity
    shown: Tensor  # (B, 1, H, W): the opacity of the source
    is_reference: Tensor  # (B, 1, 1, 1)


def sort_guide(guide: Tensor, kinds: Tensor) -> Given:
    """Sort guides (B, 4, H, W), of which `kinds` (B, len(GUIDES)) has a one where a guide is of that kind."""
    kind = dict(zip(GUIDES, kinds.mT[..., None, None, None].unbind(), strict=True))
    opacity = guide[:, 3:]
    colors = guide[:, :3] * opacity
    hint, source = kind["strokes"] + kind["points"], kind["reference"] + kind["palette"]
    return Given(
        kind["cue"] * colors,
        kind["cue"],
        hint * colors,
        hint * opacity,
        source * colors,
        source * opacity,
        kind["reference"],
    )


class Trunk(nn.Module):
    """A U-Net from 1/2 to 1/16 of the side whose skip connections are added: maps -> maps of equal size."""

    def __init__(self, inputs: int, side: int, outputs: int, width: int):
        super().__init__()
        widths = [width, 2 * width, 4 * width, 4 * width]
        self.stem = nn.Conv2d(inputs, width, 3, padding=1)
        self.down = nn.ModuleList(map(Residual, widths))
        self.halve = nn.ModuleList(Shrink(*pair) for pair in pairwise(widths))
        self.side = nn.Conv2d(side, widths[2], 1)
        self.whole = nn.Linear(widths[3] + len(GUIDES), widths[3])
        self.past = nn.ModuleList(nn.Conv2d(after, before, 1) for before, after in pairwise(widths))
        self.up = nn.ModuleList(map(Residual, widths[:-1]))
        self.last = nn.Conv2d(width, outputs, 3, padding=1)

    def forward(self, x: Tensor, side: Tensor, kind: Tensor) -> Tensor:
        """Join `side` at 1/8, and at 1/16 the kind of guide (B, len(GUIDES)), with a mean of the picture."""
        x = self.stem(x)
        skips = []
        for level, block in enumerate(self.down):
            x = block(x + self.side(side) if level == 2 else x)
            if level < 3:
                skips.append(x)
                x = self.halve[level](x)
        mean = leaky_relu(x, SLOPE).mean(dim=(2, 3))
        x = x + self.whole(torch.cat([mean, kind], dim=1))[:, :, None, None]
        for past, up in zip(reversed(self.past), reversed(self.up), strict=True):
            x = up(enlarge(past(x)) + skips.pop())
        return self.last(leaky_relu(x, SLOPE))


class WashGenerator(nn.Module):
    """Color a sketch (B, 1, H, W) by a guide (B, 4, H, W); all sides are multiples of 16.

    Sketch and colors are in [-1, 1]; the fourth channel of a guide is its opacity, from 0 to 1. `kind` (B) is
    the place of the guide in GUIDES. A gray picture takes the place of the sketch. The first maps have
    `width` channels.
    """

    def __init__(self, width: int):
        super().__init__()
        self.lines = LineEncoder(width)
        self.match = Match(2 * width)
        self.trunk = Trunk(4 * 11, 2 * width + 13, sum(CHANNELS), width)
        self.force = nn.Parameter(torch.tensor(1.5))  # the logarithm of the weight of strokes and points
        self.begin()

    @torch.no_grad()
    def begin(self) -> None:
        """Begin with the base colors, with details without a checkerboard, and with little propagation.

        Aitken et al., Checkerboard artifact free sub-pixel convolution, 2017.
        """
        weights, biases = (each.split(CHANNELS) for each in self.trunk.last.parameters())
        weights[0].copy_((0.02 * torch.randn_like(weights[0][::4])).repeat_interleave(4, dim=0))
        for weight, bias, begin in zip(weights[1:], biases[1:], (0.0, 1.0, 0.0), strict=True):
            weight.mul_(0.3)
            bias.fill_(begin)
        biases[0].zero_()
        biases[3][NEIGHBORS // 2 :: NEIGHBORS] = 1.5  # each pixel itself
        for parameter in self.trunk.whole.parameters():
            parameter.zero_()

    def forward(self, sketch: Tensor, guide: Tensor, kind: Tensor) -> Washed:
        kinds = (kind[:, None] == torch.arange(len(GUIDES), device=kind.device)).to(sketch.dtype)
        given = sort_guide(guide, kinds)
        lines = self.lines(sketch)
        carried = self.carry(lines, given)
        base = given.cue + enlarge(carried.colors, 4)
        parts = [sketch, given.hints, given.opacity + given.is_cue, base, sharpen(given.cue)]
        local = torch.cat(parts, dim=1)
        side = torch.cat([lines, pixel_unshuffle(carried.colors, 2), carried.confidence], dim=1)
        predicted = self.trunk(pixel_unshuffle(local, 2), side, kinds)
        detail, correction, own, logits = predicted.split(CHANNELS, dim=1)
        flat = self.flow(avg_pool2d(base, 2) + correction, own.sigmoid(), logits, given)
        picture = enlarge(flat) + pixel_shuffle(detail, 2)
        cue = avg_pool2d(given.cue, 4)
        picture = picture + given.is_cue * lacking(picture, cue, cue_blur(cue), 4)
        return Washed(picture, carried.colors, carried.logits)

    def carry(self, lines: Tensor, given: Given) -> Carried:
        """Take colors from a reference or a palette; 0 without one."""
        carried = self.match(
            lines, self.lines(own_sketch(given.source)), given.source, given.shown, given.is_reference[:, 0]
        )
        has_source = given.shown.amax(dim=(2, 3), keepdim=True)
        return carried._replace(
            colors=has_source * carried.colors, confidence=has_source * carried.confidence
        )

    def flow(self, flat: Tensor, own: Tensor, logits: Tensor, given: Given) -> Tensor:
        """Let colors (B, 3, H / 2, W / 2) blur to the cue and flow to their neighbors, twice in turn.

        `own` (B, 1, H / 2, W / 2) is the weight of each pixel's own color, which hints replace.
        """
        weights = neighbor_weights(logits, len(DISTANCES))
        cue = avg_pool2d(given.cue, 4)
        blur = cue_blur(cue)
        opacity, hints = avg_pool2d(given.opacity, 2), avg_pool2d(given.hints, 2)
        flat = flat + given.is_cue * lacking(flat, cue, blur)
        own, force = own * (1 - opacity) + LEAST_WEIGHT, self.force.exp()
        weighted = torch.cat([own * flat + force * hints, own + force * opacity], dim=1)
        flat, weight = unweigh(propagate(weighted, weights, DISTANCES))
        for _ in range(2):  # after the first pass more is lacking, and it costs little
            flat = flat + given.is_cue * lacking(flat, cue, blur)
        return unweigh(propagate(torch.cat([weight * flat, weight], dim=1), weights, DISTANCES))[0]


def unweigh(weighted: Tensor) -> tuple[Tensor, Tensor]:
    """Split colors times their weight, and the weight, (B, 3 + 1, H, W), into colors and weight."""
    colors, weight = weighted.split([3, 1], dim=1)
    return colors / weight, weight


class Wash(System):
    """The generator, with an L1 loss, an SSIM loss, and losses of what it carries from a reference."""

    width = 16
    guides = GUIDES
    columns = ("guide", "reference", "flow")
    reference = Reference(grid=3, strength=0.25, jitter=50.0, order="before")
    lr = 2e-2
    clip = 1.0
    stride = 16

    def networks(self, model: Model) -> Networks:
        generator = WashGenerator(model.width or self.width)
        return Networks(generator.to(memory_format=torch.channels_last))  # a seventh faster on a CPU

    def optimizers(self, networks: Networks, lr: float) -> Optimizers:
        return Optimizers(Muon(networks.generator.parameters(), lr))

    def inputs(self, batch: Batch) -> tuple[Tensor, ...]:
        return batch["sketch"], batch["guide"], batch["kind"]

    def picture(self, output: Washed, batch: Batch) -> Tensor:
        """Return the picture; a gray picture keeps its brightness, and takes colors within the mask alone."""
        picture = output.picture.clamp(-1, 1)
        mask = batch["guide"][:, 3:]
        kept = to_rgb(batch["sketch"] / 2, mask * to_yuv(picture).colors)
        return torch.where(is_gray(batch), kept, picture)

    def target(self, batch: Batch) -> Tensor:
        target = batch["target"]
        gray, colors = to_yuv(target)
        return torch.where(is_gray(batch), to_rgb(gray, batch["guide"][:, 3:] * colors), target)

    def generator_loss(
        self, networks: Networks, batch: Batch, output: Washed, train: Train, features: FeatureMaps
    ) -> Terms:
        """Return the L1 and the SSIM loss, and where references were bent, those of colors and places."""
        target = batch["target"]
        difference = output.picture - target
        terms = {
            "l1": (difference.square() + SOFTNESS**2).sqrt(),
            "ssim": SSIM * (1 - ssim_map(output.picture, target)),
        }
        if "flow" not in batch:
            return terms
        is_reference = (batch["kind"] == GUIDES.index("reference")).float()
        carried = (output.carried - avg_pool2d(target, 4)).abs()
        place = place_loss(output.logits, batch["flow"])
        return terms | {
            "carried": CARRIED * is_reference[:, None, None, None] * carried,
            "place": PLACE * is_reference[:, None] * place,
        }


def is_gray(batch: Batch) -> Tensor:
    return (batch["kind"] == GUIDES.index("gray"))[:, None, None, None]


SYSTEM = Wash()
