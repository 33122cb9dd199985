"""A Danbooru on loopback, for tests and the embedded sample.

site.py answers requests, search.py finds posts, variants.py resizes pictures, server.py is the HTTP server,
faults.py makes answers fail on demand. catalog.py has the posts of a folder of pictures, and sample.py those
of the embedded sample, drawn by artist/.
"""
