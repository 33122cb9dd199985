"""Turn illustrations into datasets for sketch colorization, and train the networks that color."""
