"""Measures that pretrained networks compute: LPIPS, FID and KID.

Their weights come from a file that the user names, or from torch's cache. Nothing is downloaded: a measure
without weights is absent, with a reason.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.batches.dataset import to_tensor
from pipeline.errors import Halt
from pipeline.evaluation.measures import check_pictures
from pipeline.weights import halt_on_misfit, parse_weights, read_weights

LPIPS_LEAST = 31  # pixels a side, of which AlexNet leaves one
POOL_LEAST = 2  # a covariance needs two pictures
INCEPTION_BATCH = 16  # pictures that Inception takes at once
NETWORK_MEASURES = {"lpips": ("lpips",), "inception": ("fid", "kid")}  # that each network computes


@dataclass(frozen=True)
class LearnedMeasures:
    """The networks that loaded, and for every measure without one the reason, in `absent`.

    `weights` holds the SHA-256 of their files: only numbers by the same weights can be compared.
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
        check_pictures(first, second, LPIPS_LEAST)
        network, device = self.find("lpips")
        return float(network(*(to_tensor(image)[None].to(device) for image in (first, second))))

    @torch.inference_mode()
    def describe(self, pictures: Sequence[np.ndarray]) -> Tensor:
        """Return the Inception features of uint8 RGB pictures of one shape, float32 (N, 2048), on the CPU.

        They are resized to 299x299 by the bilinear interpolation of TensorFlow 1, without antialiasing, as
        FID was published. Raise ValueError if FID and KID are absent, or if there is no picture.
        """
        if not len(pictures):
            raise ValueError("pictures must be one or more, got none")
        network, device = self.find("inception")
        batches = (
            np.stack(pictures[start : start + INCEPTION_BATCH])
            for start in range(0, len(pictures), INCEPTION_BATCH)
        )
        levels = (torch.from_numpy(batch.transpose(0, 3, 1, 2)) for batch in batches)  # (B, 3, H, W)
        return torch.cat([network(batch.to(device))[0].cpu() for batch in levels])

    def find(self, option: str) -> tuple[nn.Module, torch.device]:
        """Return a network and where it is. Raise ValueError if its measures are absent."""
        if option not in self.networks:
            raise ValueError(f"{option} must be there, got none: {self.absent[NETWORK_MEASURES[option][0]]}")
        return self.networks[option], next(self.networks[option].parameters()).device


def fid_and_kid(reals: Tensor, fakes: Tensor) -> dict[str, float]:
    """Return FID and KID of two sets of equally many pictures, from their features (N, 2048).

    `fid` is that of Heusel et al., GANs Trained by a Two Time-Scale Update Rule, 2017; its bias
    vanishes only with many more than 2048 pictures. `kid` is that of Binkowski et al., Demystifying MMD
    GANs, 2018: the unbiased squared MMD with the kernel (x y / 2048 + 1)^3, over one subset, which is all
    pictures, so that it does not depend on a seed; it may be below 0. Raise ValueError for sets of unequal
    sizes, or of fewer than POOL_LEAST.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance  # these import for seconds
    from torchmetrics.image.kid import poly_mmd

    if reals.shape != fakes.shape or len(reals) < POOL_LEAST:
        raise ValueError(
            f"sets must have {POOL_LEAST} or more pictures, as many each, got {len(reals)} and {len(fakes)}"
        )
    reals, fakes = reals.double(), fakes.double()
    # N pictures span at most N of the 2048 dimensions: in that basis a few hundred take no time
    span = torch.linalg.qr(torch.cat([reals, fakes]).T).Q
    through = nn.Identity()
    through.num_features = span.shape[1]
    fid = FrechetInceptionDistance(feature=through)
    fid.update(reals @ span, real=True)
    fid.update(fakes @ span, real=False)
    return {"fid": float(fid.compute()), "kid": float(poly_mmd(reals, fakes))}


def load_measures(lpips: str = "", inception: str = "", device: str = "cpu") -> LearnedMeasures:
    """Load the networks from files of weights: "" for the one in torch's cache, "none" to leave one out.

    Files are state dicts, .pth or .safetensors: that of torchvision's AlexNet, and that of the Inception of
    torch-fidelity. Raise Halt if a file that is named is missing, or holds other weights.
    """
    networks: dict[str, nn.Module] = {}
    absent: dict[str, str] = {}
    weights: dict[str, str] = {}
    for option, file in {"lpips": lpips, "inception": inception}.items():
        try:
            network, weights[option] = load_judge(option, file)
            networks[option] = network.requires_grad_(False).eval().to(device)
        except Halt as reason:  # the measures are absent, unless a file was named
            if file not in ("", "none"):
                raise
            absent |= dict.fromkeys(NETWORK_MEASURES[option], str(reason))
    return LearnedMeasures(networks, absent, weights)


def load_judge(option: str, file: str) -> tuple[nn.Module, str]:
    """Load a network; return it with the SHA-256 of its file of weights. Raise Halt if it fails."""
    if file == "none":
        raise Halt(f"evaluate.{option} is none: set it to a file of weights")
    build, published = NETWORKS[option]
    name = file or f"{published} in torch's cache"
    advice = f"set evaluate.{option} to a file of weights, or to none"
    path = Path(file) if file else Path(torch.hub.get_dir(), "checkpoints", published)
    data = read_weights(path, name=name, advice=advice if file else f"put it there, or {advice}")
    with halt_on_misfit(name, build.__name__, advice):
        return build(parse_weights(data, path)), hashlib.sha256(data).hexdigest()


def alexnet(weights: dict) -> nn.Module:
    """Build LPIPS on torchvision's AlexNet; the weights of its linear layers come with torchmetrics."""
    from torchmetrics.functional.image.lpips import _LPIPS  # the public class would download AlexNet

    network = _LPIPS(net="alex", pnet_rand=True)
    names = network.net.state_dict()  # "slice2.3.weight" is torchvision's "features.3.weight"
    network.net.load_state_dict({name: weights["features." + name.split(".", 1)[1]] for name in names})
    return network


def inception(weights: dict) -> nn.Module:
    """Build the Inception of FID: uint8 (B, 3, H, W) -> a tuple of its features (B, 2048)."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    memory = BytesIO()  # given a path, it would unpickle any object; given none, download
    torch.save(weights, memory)
    memory.seek(0)
    return FeatureExtractorInceptionV3("inception", ["2048"], memory)


NETWORKS = {  # the builder of each network, and the file name of its weights as published
    "lpips": (alexnet, "alexnet-owt-7be5be79.pth"),
    "inception": (inception, "weights-inception-2015-12-05-6726825d.pth"),
}
