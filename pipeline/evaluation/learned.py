"""Measures that pretrained networks compute: LPIPS, FID and KID.

Weights come from a file that the user names, or from torch's cache. Nothing is downloaded: a measure without
weights is absent, with a reason.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.batches.dataset import to_tensor
from pipeline.errors import Halt
from pipeline.evaluation.measures import check_pictures
from pipeline.weights import halt_on_misfit, parse_weights, read_weights

LPIPS_LEAST = 31  # pixels a side; AlexNet shrinks them to one
POOL_LEAST = 2  # a covariance needs two pictures
INCEPTION_BATCH = 16  # pictures
NETWORK_MEASURES = {"lpips": ("lpips",), "inception": ("fid", "kid")}  # the measures of each network


@dataclass(frozen=True)
class LearnedMeasures:
    """The networks that loaded, and in `absent` the reason for every measure that lacks its network.

    `weights` holds the SHA-256 of their files: only numbers by the same weights can be compared.
    """

    networks: dict[str, nn.Module]
    absent: dict[str, str]
    weights: dict[str, str]

    @torch.inference_mode()
    def lpips(self, first: np.ndarray, second: np.ndarray) -> float:
        """Return the LPIPS of two uint8 RGB pictures of at least LPIPS_LEAST pixels a side, at their size.

        Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, 2018: version
        0.1, AlexNet. Raise ValueError if LPIPS is absent, for unequal shapes, and for smaller pictures.
        """
        check_pictures(first, second, LPIPS_LEAST)
        network, device = self.network("lpips")
        return float(network(*(to_tensor(image)[None].to(device) for image in (first, second))))

    @torch.inference_mode()
    def inception_features(self, pictures: Sequence[np.ndarray]) -> Tensor:
        """Return the Inception features of uint8 RGB pictures of one shape: float32 (N, 2048), on the CPU.

        Pictures are resized to 299x299 by the bilinear interpolation of TensorFlow 1, without antialiasing,
        as FID was published. Raise ValueError if FID and KID are absent, or if there is no picture.
        """
        if not pictures:
            raise ValueError("pictures must be one or more, got none")
        network, device = self.network("inception")
        levels = torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2))
        return torch.cat([network(batch.to(device))[0].cpu() for batch in levels.split(INCEPTION_BATCH)])

    def network(self, option: str) -> tuple[nn.Module, torch.device]:
        """Return a network and its device. Raise ValueError if its measures are absent."""
        if option not in self.networks:
            raise ValueError(f"{option} is not loaded: {self.absent[NETWORK_MEASURES[option][0]]}")
        return self.networks[option], next(self.networks[option].parameters()).device


def fid_and_kid(reals: Tensor, fakes: Tensor) -> dict[str, float]:
    """Return FID and KID of two equally large sets of pictures from their features (N, 2048).

    `fid` is that of Heusel et al., GANs Trained by a Two Time-Scale Update Rule, 2017; its bias vanishes only
    with many more than 2048 pictures. `kid` is that of Binkowski et al., Demystifying MMD GANs, 2018: the
    unbiased squared MMD with the kernel (x y / 2048 + 1)^3. It uses all pictures as one subset, so that it
    does not depend on a seed, and may be below 0. Raise ValueError for sets of unequal sizes, or of fewer
    than POOL_LEAST.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance  # these imports take seconds
    from torchmetrics.image.kid import poly_mmd

    if reals.shape != fakes.shape or len(reals) < POOL_LEAST:
        raise ValueError(
            f"sets must have {POOL_LEAST} or more pictures, as many each, got {len(reals)} and {len(fakes)}"
        )
    reals, fakes = reals.double(), fakes.double()
    # N pictures span at most N of the 2048 dimensions: FID is fast in a basis of that span
    basis = torch.linalg.qr(torch.cat([reals, fakes]).T).Q
    identity = nn.Identity()
    identity.num_features = basis.shape[1]
    fid = FrechetInceptionDistance(feature=identity)
    fid.update(reals @ basis, real=True)
    fid.update(fakes @ basis, real=False)
    return {"fid": float(fid.compute()), "kid": float(poly_mmd(reals, fakes))}


def load_measures(lpips: str = "", inception: str = "", device: str = "cpu") -> LearnedMeasures:
    """Load the networks from files of weights: "" for the file in torch's cache, "none" to leave one out.

    Files hold the state dicts of torchvision's AlexNet and of torch-fidelity's Inception, as .pth or
    .safetensors. Raise Halt if a named file is missing or holds other weights.
    """
    loaded = LearnedMeasures({}, {}, {})
    for option, file in {"lpips": lpips, "inception": inception}.items():
        try:
            network, loaded.weights[option] = load_network(option, file)
            loaded.networks[option] = network.requires_grad_(False).eval().to(device)
        except Halt as reason:
            if file not in ("", "none"):
                raise
            loaded.absent.update(dict.fromkeys(NETWORK_MEASURES[option], str(reason)))
    return loaded


def load_network(option: str, file: str) -> tuple[nn.Module, str]:
    """Load a network; return it and the SHA-256 of its file of weights. Raise Halt if that fails."""
    if file == "none":
        raise Halt(f"evaluate.{option} is none: set it to a file of weights")
    build, published = NETWORKS[option]
    name = file or f"{published} in torch's cache"
    advice = f"set evaluate.{option} to a file of weights, or to none"
    path = Path(file) if file else Path(torch.hub.get_dir(), "checkpoints", published)
    data = read_weights(path, name=name, advice=advice if file else f"put it there, or {advice}")
    with halt_on_misfit(name, build.__name__, advice):
        return build(parse_weights(data, path)), hashlib.sha256(data).hexdigest()


def alexnet(weights: dict[str, Tensor]) -> nn.Module:
    """Build LPIPS on torchvision's AlexNet; torchmetrics brings the weights of its linear layers."""
    from torchmetrics.functional.image.lpips import _LPIPS  # the public class would download AlexNet

    network = _LPIPS(net="alex", pnet_rand=True)
    names = network.net.state_dict()  # "slice2.3.weight" is torchvision's "features.3.weight"
    network.net.load_state_dict({name: weights["features." + name.split(".", 1)[1]] for name in names})
    return network


def inception(weights: dict[str, Tensor]) -> nn.Module:
    """Build the Inception of FID: uint8 (B, 3, H, W) -> a tuple of its features (B, 2048)."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    file = BytesIO()  # from a path it would unpickle any object, and without one download
    torch.save(weights, file)
    file.seek(0)
    return FeatureExtractorInceptionV3("inception", ["2048"], file)


NETWORKS = {  # the builder of each network, and the published file name of its weights
    "lpips": (alexnet, "alexnet-owt-7be5be79.pth"),
    "inception": (inception, "weights-inception-2015-12-05-6726825d.pth"),
}
