"""Small models that color, and drawings and strokes for them."""

from dataclasses import asdict

import cv2
import numpy as np
import torch

from pipeline import files
from pipeline.images import png
from pipeline.models.folder import save_model
from pipeline.params import Cue, Model
from pipeline.systems import system


def write_model(folder, trained: Cue, side=0):
    """Save a model with fresh weights, which learned pictures of a side."""
    torch.manual_seed(0)
    generator, _ = system("pix2pix").networks(Model(width=4, depth=3))
    config = asdict(Model(width=4, depth=3)) | {"columns": {"cue": asdict(trained)}}
    save_model(folder, generator.state_dict(), config | ({"side": side} if side else {}), "")
    return folder


def other(folder, name, side=32):
    """Save a small model of another system."""
    torch.manual_seed(0)
    shape = Model(system=name, width=4)
    generator = system(name).networks(shape).generator
    save_model(folder, generator.state_dict(), asdict(shape) | {"columns": {}, "side": side}, "")
    return folder


def write(path, pixels):
    files.write(path, png.encode_png(pixels))
    return path


def disc(side=96, thick=2):
    """Draw a circle, RGB, with a third of the side as its radius."""
    drawing = np.full((side, side, 3), 255, np.uint8)
    cv2.circle(drawing, (side // 2, side // 2), side // 3, (0, 0, 0), thick)
    return drawing


def stroke(color, side=96, place=None):
    """Paint one stroke on a transparent layer, in the middle unless a place is given."""
    x, y = place or (side // 2, side // 2)
    hints = np.zeros((side, side, 4), np.uint8)
    hints[y - 3 : y + 3, x - 8 : x + 8] = (*color, 255)
    return hints
