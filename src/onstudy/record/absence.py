"""Whose absence is taken as "no" where nobody recorded it: what a user may ask for."""

from __future__ import annotations

from collections.abc import Iterable

from onstudy.errors import OptionError, nearest
from onstudy.record.catalogue import Catalogue

#: In place of a kind: every kind whose absence can be assumed.
ALL = "all"


def assumable(kinds: Iterable[str], catalogue: Catalogue) -> frozenset[str]:
    """The kinds (or "all") whose absence is to be assumed. OptionError names one of which it never is."""
    found = frozenset(kinds)
    for name in sorted(found - {ALL}):
        if name not in catalogue.kinds:
            near = nearest(name, [ALL, *(kind.name for kind in catalogue if kind.assumable)])
            raise OptionError("assume_complete", f": there is no kind {name[:60]!r}{near}")
        if not catalogue.kinds[name].assumable:
            raise OptionError("assume_complete", f": the absence of {name} is never assumed; record it or deny it")
    return found
