"""Requests to other machines: the only ones that the library sends.

client.py      which address is asked, as whom, how often; what follows a 429 (Retry-After), a 403 and a 5xx
connection.py  connections with a least rate, which check the address that a name leads to
bodies.py      the body of a response, unpacked and bounded
ratelimit.py   when the next request to a domain may start, and after how many failures there is none
responses.py   what a response means, as a sentence with advice; Retry-After
addresses.py   hosts, registered domains, redirects and loopback; addresses without their secrets
"""
