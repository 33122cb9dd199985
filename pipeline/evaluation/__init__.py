"""The protocol of evaluation, its measures, and the comparison of models."""
