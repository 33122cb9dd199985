"""Looking at a dataset in the studio: searches of its samples, and the pairs that grouping links."""
