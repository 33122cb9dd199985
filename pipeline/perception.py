"""What networks that were trained on photographs say of pictures: LPIPS, FID and KID.

Their weights come from a file that the user names, or from torch's cache if they are there. Nothing is ever
downloaded: a measure without weights is absent, and has a reason.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipeline import Halt
from pipeline.dataset import tensor
from pipeline.measures import check
from pipeline.systems.features import read

LPIPS_LEAST = 31  # pixels a side, of which AlexNet leaves one
POOL_LEAST = 2  # pictures that have a covariance
BATCH = 16  # pictures that Inception sees at once
MEASURES = {"lpips": ("lpips",), "inception": ("fid", "kid")}  # of each network


@dataclass(frozen=True)
class Judges:
    """The networks that could be had, and why each measure is `absent` whose network could not.

    `weights` holds the SHA-256 of their files, without which nobody could compare the numbers.
    """

    networks: dict[str, nn.Module]
    absent: dict[str, str]
    weights: dict[str, str] = field(default_factory=dict)

    @torch.inference_mode()
    def distance(self, first: np.ndarray, second: np.ndarray) -> float:
        """Return the LPIPS of two uint8 RGB pictures of at least LPIPS_LEAST pixels a side, at their size.

        Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, 2018: version
        0.1, AlexNet. Raise ValueError if it is absent, for unequal shapes, and for smaller pictures.
        """
        check(first, second, LPIPS_LEAST)
        network, device = self.find("lpips")
        return float(network(*(tensor(image)[None].to(device) for image in (first, second))))

    @torch.inference_mode()
    def describe(self, pictures: Sequence[np.ndarray]) -> Tensor:
        """Return what Inception sees in uint8 RGB pictures of one shape, float32 (N, 2048), on the CPU.

        They are resized to 299x299 by the bilinear interpolation of TensorFlow 1, without antialiasing, as
        FID was published. Raise ValueError if FID and KID are absent, or for no picture.
        """
        if not len(pictures):
            raise ValueError("pictures must be one or more, got none")
        network, device = self.find("inception")
        batches = (np.stack(pictures[start : start + BATCH]) for start in range(0, len(pictures), BATCH))
        levels = (torch.from_numpy(batch.transpose(0, 3, 1, 2)) for batch in batches)  # (B, 3, H, W)
        return torch.cat([network(batch.to(device))[0].cpu() for batch in levels])

    def find(self, option: str) -> tuple[nn.Module, torch.device]:
        """Return a network and where it is. Raise ValueError if its measures are absent."""
        if option not in self.networks:
            raise ValueError(f"{option} must be there, got none: {self.absent[MEASURES[option][0]]}")
        return self.networks[option], next(self.networks[option].parameters()).device


def pooled(reals: Tensor, fakes: Tensor) -> dict[str, float]:
    """Return FID and KID of two sets of as many pictures, from what `describe` says of them (N, 2048).

    `fid` is that of Heusel et al., GANs Trained by a Two Time-Scale Update Rule, 2017; it is too large for
    few pictures, and asks for many more than 2048. `kid` is that of Binkowski et al., Demystifying MMD GANs,
    2018: the unbiased squared MMD with the kernel (x y / 2048 + 1)^3, over one subset, which is all pictures,
    so that nothing is drawn; it may be below 0. Raise ValueError for unequal sets, or fewer than POOL_LEAST.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance  # these import for seconds
    from torchmetrics.image.kid import poly_mmd

    if reals.shape != fakes.shape or len(reals) < POOL_LEAST:
        raise ValueError(
            f"sets must have {POOL_LEAST} or more pictures, as many each, got {len(reals)} and {len(fakes)}"
        )
    reals, fakes = reals.double(), fakes.double()
    # N pictures span at most N of the 2048 dimensions: turned into these, a few hundred are done at once
    span = torch.linalg.qr(torch.cat([reals, fakes]).T).Q
    through = nn.Identity()
    through.num_features = span.shape[1]
    fid = FrechetInceptionDistance(feature=through)
    fid.update(reals @ span, real=True)
    fid.update(fakes @ span, real=False)
    return {"fid": float(fid.compute()), "kid": float(poly_mmd(reals, fakes))}


def judges(lpips: str = "", inception: str = "", device: str = "cpu") -> Judges:
    """Build the networks from weights: files, "" for those in torch's cache, "none" to leave one out.

    Files are state dicts, .pth or .safetensors: that of torchvision's AlexNet, and that of the Inception of
    torch-fidelity. Raise Halt if a file that is named is missing, or holds no such weights.
    """
    networks, absent, weights = {}, {}, {}
    for option, file in {"lpips": lpips, "inception": inception}.items():
        try:
            networks[option] = judge(option, file).requires_grad_(False).eval().to(device)
            weights[option] = hashlib.sha256(locate(option, file).read_bytes()).hexdigest()
        except Halt as reason:  # which stops nobody who named no file
            if file not in ("", "none"):
                raise
            absent |= dict.fromkeys(MEASURES[option], str(reason))
    return Judges(networks, absent, weights)


def locate(option: str, file: str) -> Path:
    """Return the file of weights that is named, or where torch's cache would have it."""
    return Path(file or Path(torch.hub.get_dir(), "checkpoints", NETWORKS[option][1]))


def judge(option: str, file: str) -> nn.Module:
    """Build a network of the weights that `judges` is given. Raise Halt if there are none, or others."""
    if file == "none":
        raise Halt(f"evaluate.{option} is none: set it to a file of weights")
    build, published = NETWORKS[option]
    name = file or f"{published} in torch's cache"
    advice = f"set evaluate.{option} to a file of weights, or to none"
    weights = read(locate(option, file), name, advice if file else f"put it there, or {advice}")
    try:
        return build(weights)
    except (KeyError, RuntimeError, TypeError) as error:
        raise Halt(f"{name} holds no weights of {build.__name__}: {advice}") from error


def alexnet(weights: dict) -> nn.Module:
    """Build LPIPS of torchvision's AlexNet, and of the weights for its maps, which come with torchmetrics."""
    from torchmetrics.functional.image.lpips import _LPIPS  # what is public would download AlexNet

    network = _LPIPS(net="alex", pnet_rand=True)
    names = network.net.state_dict()  # "slice2.3.weight" is torchvision's "features.3.weight"
    network.net.load_state_dict({name: weights["features." + name.split(".", 1)[1]] for name in names})
    return network


def inception(weights: dict) -> nn.Module:
    """Build the Inception of FID, which returns a tuple of its last maps, averaged: (B, 2048)."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    memory = BytesIO()  # it would unpickle whatever a file holds, and download without one
    torch.save(weights, memory)
    memory.seek(0)
    return FeatureExtractorInceptionV3("inception", ["2048"], memory)


NETWORKS = {  # how to build each of weights, and the name of these as published
    "lpips": (alexnet, "alexnet-owt-7be5be79.pth"),
    "inception": (inception, "weights-inception-2015-12-05-6726825d.pth"),
}
