"""A trained colorizer at work.

`folder` writes and reads a model; `card` makes its README.md from the prose in card.md. `tiles` runs a
generator on pictures of any size; `colorize` colors the samples of a column by a guide, at the size that the
model learned, and `lineart` brings the colors under the full-size lines. `guides` reads cues, references,
masks and strokes, `scans` levels paper, `doubts` says what cannot work. `flatting` fills flats without a
network. `export` writes ONNX.
"""
