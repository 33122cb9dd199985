"""A project as a whole.

`explain.py` says what each stage decided about a sample. `forget.py` removes posts for good: `traces.py`
finds what was made of them, `staging.py` changes the columns, and `params_file.py` edits params.yaml.
`verify.py` compares columns with their seals, `cache.py` keeps the cache within a size, and `report.py`
describes the metrics of all stages.
"""
