"""A packed dataset -> batches of tensors.

`dataset` reads samples from shards and draws the augmentation of each; `augment` computes it in batches, on
the device where the networks run; `loader` orders the samples, loads them in processes, and can resume at any
step. `stream` does so with shards behind a URL, which `remote` reads.
"""
