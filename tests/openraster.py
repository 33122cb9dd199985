"""A second reader of OpenRaster, by its specification: a zip of PNGs and a stack, composed in floats."""

import io
import zipfile
from xml.etree import ElementTree

import numpy as np
from PIL import Image


def layers(data):
    """Return the layers of a file from the top down: pairs of a name and RGBA of the whole canvas."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(layer.get("name"), place(archive, root, layer)) for root, layer in listed(archive)]


def compose(data):
    """Lay the visible layers over each other, from the bottom up; return uint8 RGBA."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        below = None
        for root, layer in reversed(list(listed(archive))):
            if below is None:
                below = np.zeros((int(root.get("h")), int(root.get("w")), 4))
            if layer.get("visibility", "visible") == "visible":
                source = place(archive, root, layer) / 255
                source[..., 3] *= float(layer.get("opacity", 1))
                below = lay(source, below, layer.get("composite-op", "svg:src-over"))
    return np.rint(below * 255).astype(np.uint8)


def merged(data):
    """Return the composed picture that the file itself brings."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return np.asarray(Image.open(io.BytesIO(archive.read("mergedimage.png"))).convert("RGBA"))


def listed(archive):
    """Check the form of a file; yield its root and each layer, from the top down."""
    first = archive.infolist()[0]
    assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
    assert archive.read("mimetype") == b"image/openraster"
    assert archive.testzip() is None
    assert {"mergedimage.png", "Thumbnails/thumbnail.png"} <= {*archive.namelist()}
    root = ElementTree.fromstring(archive.read("stack.xml"))
    assert root.tag == "image"
    for layer in root.iter("layer"):
        yield root, layer


def place(archive, root, layer):
    """Return a layer's pixels at their place on the canvas."""
    pixels = np.asarray(Image.open(io.BytesIO(archive.read(layer.get("src")))).convert("RGBA"))
    canvas = np.zeros((int(root.get("h")), int(root.get("w")), 4), np.uint8)
    x, y = int(layer.get("x", 0)), int(layer.get("y", 0))
    canvas[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
    return canvas


def lay(source, below, operation):
    """Lay colors with alpha, from 0 to 1, over others."""
    alpha, under = source[..., 3:], below[..., 3:]
    color = source[..., :3]
    if operation == "svg:src-atop":
        return np.dstack([color * alpha + below[..., :3] * (1 - alpha), under])
    if operation == "svg:multiply":
        color = (1 - under) * color + under * color * below[..., :3]
    else:
        assert operation == "svg:src-over", operation
    whole = alpha + under * (1 - alpha)
    mixed = color * alpha + below[..., :3] * under * (1 - alpha)
    return np.dstack([np.divide(mixed, whole, out=np.zeros_like(mixed), where=whole > 0), whole])
