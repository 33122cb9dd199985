"""Training: the loop, one update, devices, checkpoints, profiles."""
