"""A trained colorizer at work.

`folder` writes and reads a model; `card` makes its README.md from the prose in card.md. `tiles` runs a
generator on pictures of any size; `colorize` colors the samples of a column by a guide; `export` writes ONNX.
`guides` reads cues, references, masks and strokes; `flatting` fills flats without a network.
"""
