"""The studio: a page that colors drawings and shows a dataset, served on loopback or written as files."""
