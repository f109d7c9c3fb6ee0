"""Bounds how many DIDs one network address may create; nobody needs an account to create one."""

import ipaddress

from limits import RateLimitItemPerHour
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

IPV6_PREFIX = 64  # what one customer gets: single addresses there are free


class NewDidLimit:
    """As `registry.api.ports.SubmissionLimit`, within one process."""

    def __init__(self, per_hour: int) -> None:
        self._limit = RateLimitItemPerHour(per_hour)
        # Exact: a counter by the hour would let a second batch through when the hour turns.
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def admit(self, client: str) -> bool:
        """Count one attempt of the network that `client` is in."""
        return self._limiter.hit(self._limit, network_of_client(client))


def network_of_client(client: str) -> str:
    """The IPv4 address, or the /64 of an IPv6 address; any other text as it is."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)
