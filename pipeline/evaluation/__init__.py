"""The evaluation protocol, its measures, and the comparison of models."""
