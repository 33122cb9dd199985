"""A trained colorizer at work: its folder, its card, inference on any size, ONNX."""
