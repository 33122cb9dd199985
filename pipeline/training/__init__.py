"""A packed dataset -> a trained colorizer, on one GPU, on many, or on a CPU.

`fit` is the training loop; `update` is one step of it, on the networks and optimizers of a `learner`.
`hardware` has devices, processes, precision and compilation; `recompute` trades time for memory; `checkpoint`
keeps the state of a run; `profile` shows where a step's time goes, and finds the largest batch that fits.
"""
