"""An operator applied to every sample of a column, in processes or on a cluster, with a memo."""
