"""A project as a whole: explain, forget, verify, report, clean the cache."""
