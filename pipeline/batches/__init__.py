"""A packed dataset -> batches of tensors, with augmentation."""
