"""Limits attempts to sign in: per network, per account, and for all unknown clients together.

A failed attempt costs most of a second of processor time, so there is a limit for all unknown clients together, however many
addresses they use. The 2^64 IPv6 addresses of one household or server count as one network. A network from which somebody has
signed in to an account keeps a separate allowance for that account, and so does this machine. So attempts of strangers lock
neither of them out.

Only attempts that were allowed are counted. So the limit for strangers also limits the memory, and no entry that still matters
is ever removed.
"""

import hashlib
from collections import OrderedDict, deque
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

# At most so many attempts within so many seconds.
NETWORK_LIMIT, NETWORK_SECONDS = 10, 60.0
STRANGERS_LIMIT, STRANGERS_SECONDS = 30, 60.0
ACCOUNT_LIMIT, ACCOUNT_SECONDS = 30, 900.0
# The most pairs of network and account that are remembered. Only a successful sign-in adds one; the least recently used one is
# removed.
MOST_KNOWN = 1000
IPV6_PREFIX = 64
ALL = ""


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt that was allowed. `account` is a digest of the account's name."""

    network: str
    account: str
    at: float
    is_known: bool


class Budget:
    """Allows at most `limit` events per key within any `seconds`."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        # Ordered by last use.
        self._spent: OrderedDict[str, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._spent)

    def wait(self, key: str, now: float) -> float:
        """The seconds until the next event of `key` is allowed; 0 if it is allowed now."""
        spent = self._spent.get(key, ())
        recent = [at for at in spent if now - at < self._seconds]
        return self._seconds - (now - recent[-self._limit]) if len(recent) >= self._limit else 0.0

    def spend(self, key: str, now: float) -> None:
        """Count one."""
        spent = self._spent.setdefault(key, deque(maxlen=self._limit))
        spent.append(now)
        self._spent.move_to_end(key)
        while now - next(iter(self._spent.values()))[-1] >= self._seconds:
            self._spent.popitem(last=False)

    def give_back(self, key: str, at: float) -> None:
        """Remove the event that was counted at the time `at`."""
        spent = self._spent.get(key)
        if spent is not None and at in spent:
            spent.remove(at)
            if not spent:
                del self._spent[key]


class Attempts:
    """The attempts to sign in to one server. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._networks = Budget(NETWORK_LIMIT, NETWORK_SECONDS)
        self._accounts = Budget(ACCOUNT_LIMIT, ACCOUNT_SECONDS)
        self._strangers = Budget(STRANGERS_LIMIT, STRANGERS_SECONDS)
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._networks) + len(self._accounts) + len(self._strangers) + len(self._known)

    def begin(self, address: str, account: str, now: float, *, is_local: bool) -> Try | float:
        """Count an attempt from `address` and return it if it is allowed, or else the seconds until one is. `is_local` says
        that it comes from this machine."""
        name = account.strip().lower().encode(errors="surrogatepass")
        network, digest = network_of(address), hashlib.sha256(name).hexdigest()
        is_known = is_local or (digest, network) in self._known
        wait = self._networks.wait(network, now)
        if not is_known:
            wait = max(wait, self._strangers.wait(ALL, now), self._accounts.wait(digest, now))
        if wait > 0:
            return wait
        self._networks.spend(network, now)
        if not is_known:
            self._strangers.spend(ALL, now)
            self._accounts.spend(digest, now)
        return Try(network, digest, now, is_known)

    def succeeded(self, done: Try) -> None:
        """Remember the network and account of a successful attempt, and do not count it against the limits."""
        if not done.is_known:
            self._strangers.give_back(ALL, done.at)
            self._accounts.give_back(done.account, done.at)
        self._known[done.account, done.network] = None
        self._known.move_to_end((done.account, done.network))
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)


def network_of(address: str) -> str:
    """The network that counts as one client: an IPv4 address (also in IPv6 notation), or the /64 of an IPv6 address."""
    # Some front ends add the port.
    if address.startswith("["):
        address = address[1:].partition("]")[0]
    elif address.count(":") == 1:
        address = address.partition(":")[0]
    try:
        found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        # All addresses that cannot be parsed count as one network.
        return "unknown"
    if isinstance(found, IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(IPv6Address(int(found) >> (128 - IPV6_PREFIX) << (128 - IPV6_PREFIX)))
