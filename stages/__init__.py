"""The stages of the pipeline: each a command of `prep`, thin, over the library in `pipeline`."""
