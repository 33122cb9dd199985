"""An adapter in place of the network, for the tests of web."""

import io

import requests
from requests.adapters import BaseAdapter

from pipeline.web.addresses import domain

API = "https://danbooru.donmai.us"


FILE = "https://cdn.donmai.us/original/a.png"


class Wire(BaseAdapter):
    """An adapter in place of the network: it records every request and sends none."""

    def __init__(self, clock=None, **respond):
        """Answer 200, or as `respond` gives it by domain, such as donmai_us=(403, {})."""
        super().__init__()
        self.clock, self.respond, self.requests, self.starts = clock, respond, [], []
        self.proxies, self.body = None, b"[]"

    def send(self, request, proxies=None, **kwargs):
        self.requests.append(request)
        self.starts.append(self.clock.now if self.clock else 0)
        self.proxies = proxies
        status, headers = self.respond.get(domain(request.url).replace(".", "_"), (200, {}))
        if status == "dead":
            raise requests.ConnectionError
        response = requests.Response()
        response.status_code, response.url, response.request = status, request.url, request
        response.headers.update(headers)
        response.raw = io.BytesIO(self.body)
        return response

    def close(self):
        pass

    @property
    def credentials(self):
        """List the Authorization headers of the requests."""
        return [request.headers.get("Authorization") for request in self.requests]
