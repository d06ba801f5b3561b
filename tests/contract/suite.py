"""The cases of the contract: async functions that get a Service, in the order in which they stand in their files."""

from collections.abc import Awaitable, Callable

from service import Service

CASES: dict[str, Callable[[Service], Awaitable[None]]] = {}


def case(test: Callable[[Service], Awaitable[None]]) -> Callable[[Service], Awaitable[None]]:
    assert test.__name__ not in CASES
    CASES[test.__name__] = test
    return test
