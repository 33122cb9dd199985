"""The tests, in the rooms of what they test; a package, so that worker processes find their functions."""
