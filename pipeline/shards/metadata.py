"""The metadata of a sample: its JSON member."""

from typing import TypedDict


class Metadata(TypedDict, total=False):
    """The fields of color columns and of packed datasets; a folder of pictures may have others.

    In addition, clean writes complexityN for each block size N: the share of black in that threshold sketch,
    in percent. pack adds the metadata of each other column, which are the parameters and the random draws of
    its picture, as a dictionary under the name of the column.
    """

    # fetch
    id: int  # of the post; the key of the sample is the same number
    family: int | str  # the post that this one is a variant of, or its own id
    rating: str  # g (general), s (sensitive), q (questionable), e (explicit) or unknown
    score: float  # votes of the site's users, or the score that a list gives
    source: str  # where the picture was published
    artist: str  # names, separated by spaces
    license: str
    tags: list[str]  # all of them, sorted
    md5: str  # of the original
    pixel_hash: str  # MD5 of the original's pixels, as the site gives it
    file_md5: str  # of the fetched file, if the source publishes none
    file_sha256: str  # of the same file

    # clean
    width: int  # of the original, in pixels
    height: int
    colors_from: (
        str  # the color space of the original, and if it was not converted; without it, that was sRGB
    )
    gray: float  # mean difference between a pixel's largest and smallest channel, in levels
    colorfulness: float  # after Hasler and Süsstrunk, in levels
    saturation: float  # mean, in percent
    monochrome: float  # color that does not depend on lightness, in CIELAB units
    borders: float  # share of the picture that is a frame, in percent
    text: float  # share of the picture that rows of letters cover, in percent
    blur: float  # width of edges and lines at 256 px, in pixels
    blank: float  # share of the most frequent color, in percent
    pixels: str  # hash of the pixels, equal for duplicates
    colors: str  # perceptual hash of the picture, in hexadecimal
    lines: str  # perceptual hash of its lines, in hexadecimal

    # pack
    group: str  # smallest family of all linked pictures
    split: str  # train, val or test
