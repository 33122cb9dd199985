"""A project as a whole.

`explain.py` says what each stage decided about a sample. `forget.py` removes posts for good, and
`params_file.py` notes them in params.yaml. `verify.py` compares columns with their seals, `cache.py` keeps
the cache within a size, and `report.py` describes the metrics of all stages.
"""
