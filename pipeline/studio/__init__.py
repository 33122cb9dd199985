"""The studio: a page on loopback where one colors drawings and looks at a dataset, and the same as a static page."""
