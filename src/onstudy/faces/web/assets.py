"""Style sheets, scripts, fonts and pictures: read once, packed once, served under an address that names their content.

Since the address changes with the content, a browser keeps them for good. Nothing is looked up on disk by what a
request says.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, HTTPException, Request, Response

FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}
_PACKED = (".css", ".js", ".svg", ".txt")

router = APIRouter(include_in_schema=False)


class Asset(NamedTuple):
    """One file: its type, its bytes, and the same packed with gzip (empty where that saves nothing)."""

    type: str
    plain: bytes
    packed: bytes


@cache
def assets() -> dict[str, Asset]:
    """Every file that is served, by its path below `static`."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in _TYPES:
            plain = path.read_bytes()
            packed = gzip.compress(plain, 9, mtime=0) if path.suffix in _PACKED else b""
            found[path.relative_to(FOLDER).as_posix()] = Asset(_TYPES[path.suffix], plain, packed)
    return found


@cache
def digest() -> str:
    """Tells one set of files from another."""
    seen = hashlib.blake2b(digest_size=6)
    for name, asset in assets().items():
        seen.update(name.encode() + b"\0" + asset.plain + b"\0")
    return seen.hexdigest()


def address(name: str) -> str:
    """Where a file is found. Raises `KeyError` where there is none of that name, so that no page points nowhere."""
    if name not in assets():
        raise KeyError(f"there is no static file {name}")
    return f"/static/{digest()}/{name}"


@router.get("/static/{version}/{name:path}")
async def static(version: str, name: str, request: Request) -> Response:
    """One file."""
    asset = assets().get(name)
    if asset is None:
        raise HTTPException(404)
    kept = "public, max-age=31536000, immutable" if version == digest() else "no-cache"
    headers = {"Cache-Control": kept, "Vary": "Accept-Encoding"}
    if asset.packed and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, media_type=asset.type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(asset.plain, media_type=asset.type, headers=headers)
