#!/usr/bin/env python3
"""Writes the front-end parts that ship with onstudy: src/onstudy/faces/web/static/vendor.

    python scripts/vendor_web.py

Fetches the packages named in PACKAGES through npm, compares their checksums, and keeps of them what the pages use:

- htmx as it is;
- the style sheet of the U.S. Web Design System (USWDS) without its utility classes and without the components in
  LEFT_OUT, with Public Sans as its one typeface, and those icons it refers to;
- of its icons one small sprite with those named in ICONS;
- outlines of the United States and of the world, drawn from public-domain boundaries with the projections of
  `onstudy.registry.cartography`, by which the sites are put onto them.

The same packages give the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
OUT = ROOT / "src/onstudy/faces/web/static/vendor"

PACKAGES = {
    "@uswds/uswds@3.14.0": "kwZ50TqGszxj3+MQhm+c84hI0y8rIKoc7ZLKbuHg+8rTkFisp9lXOMRD2wclyyuYZahpADxMvaPong7bwL7cew==",
    "htmx.org@4.0.1": "oF7JgXhDW9UXCy/k1ZYFUQgzu/rm19ORWPSPNL91vPluB2PB9+MV55tyQdH/w7o2EAbTYUG5SDW1R60mdkdqGg==",
    "us-atlas@3.0.1": "wEIZCq0ImPvGblTd8gZMqNNCPkQshugMUG/8nkSWXb02+XqNFREg9atHOKP9w6prLZTpqcLhSvdBW81MkV3/0Q==",
    "world-atlas@2.0.2": "IXfV0qwlKXpckz1FhwXVwKRjiIhOnWttOskm5CtxMsjgE/MXAYRHWJqgXOpM8IkcPBoXnyTU5lFHcYa5ChG0LQ==",
}
#: Components of USWDS no page here has; the banner says "official U.S. government website", which this is not.
LEFT_OUT = set(
    "banner card collection dark-background embed footer graphic-list header hero icon-list identifier in-page-nav "
    "language language-container layout-docs megamenu menu-btn modal nav nav-container navbar overlay process-list "
    "prose range sidenav site-alert sign-up social-link tooltip validation media-block media_link section intro".split()
)
TYPEFACES = {"Source Sans Pro Web": "Public Sans Web", "Merriweather Web": "Public Sans Web"}
FONTS = {("normal", 400): "Regular", ("italic", 400): "Italic", ("normal", 600): "SemiBold", ("normal", 700): "Bold"}
ICONS = (
    "accessibility_new add arrow_back arrow_downward arrow_forward arrow_upward assessment calendar_today "
    "cancel check check_circle check_circle_outline close content_copy edit error error_outline event "
    "expand_less expand_more favorite file_download file_present filter_list help help_outline highlight_off "
    "home hourglass_empty info info_outline insights launch link list local_hospital location_on mail map "
    "navigate_before navigate_next near_me notifications people person phone print public "
    "radio_button_unchecked remove remove_circle report schedule science search settings timer undo update "
    "upload_file warning zoom_in"
).split()


def main() -> None:
    """Fetch, keep what is used, say how large it is."""
    with tempfile.TemporaryDirectory() as folder:
        packages = {spec.rpartition("@")[0]: fetch(spec, checksum, Path(folder)) for spec, checksum in PACKAGES.items()}
    kept = {**design_system(packages["@uswds/uswds"]), **scripts(packages), **maps(packages)}
    for old in sorted(OUT.rglob("*"), reverse=True):
        old.unlink() if old.is_file() else old.rmdir()
    for name, content in sorted(kept.items()):
        (OUT / name).parent.mkdir(parents=True, exist_ok=True)
        (OUT / name).write_bytes(content)
        print(f"{len(content):8d} {name}")
    print(f"{sum(map(len, kept.values())):8d} in all")


def fetch(spec: str, checksum: str, folder: Path) -> dict[str, bytes]:
    """The files of an npm package, by their path in it. Exits where its checksum is another than written here."""
    command = ["npm", "pack", "--json", "--silent", "--pack-destination", str(folder), spec]
    told = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    packed = (folder / told[0]["filename"]).read_bytes()
    if base64.b64encode(hashlib.sha512(packed).digest()).decode() != checksum:
        sys.exit(f"{spec}: the package is not the one whose checksum is written in {Path(__file__).name}")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        files = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        return {name.partition("/")[2]: file.read() for name, file in files.items() if file is not None}


def scripts(packages: dict[str, dict[str, bytes]]) -> dict[str, bytes]:
    """htmx as it is; of the design system no component is used that needs its scripts."""
    return {"htmx.min.js": packages["htmx.org"]["dist/htmx.min.js"]}


# The design system -------------------------------------------------------------------------------------


def design_system(files: dict[str, bytes]) -> dict[str, bytes]:
    """Style sheet, icons it refers to, sprite and fonts."""
    css = "".join(rules(files["dist/css/uswds.min.css"].decode()))
    for theirs, ours in TYPEFACES.items():
        css = css.replace(theirs, ours)
    faces = "".join(
        f'@font-face{{font-family:"Public Sans Web";font-style:{style};font-weight:{weight};font-display:swap;'
        f'src:url(fonts/PublicSans-{name}.woff2)format("woff2")}}'
        for (style, weight), name in FONTS.items()
    )
    images = sorted(set(re.findall(r"url\(\.\./img/([^)]+)\)", css)))
    css = css.replace("url(../img/", "url(img/")
    head = "/*! USWDS v3.14.0, without utility classes and unused components; see NOTICE */\n"
    kept = {"uswds.css": (head + faces + css + "\n").encode(), "sprite.svg": sprite(files["dist/img/sprite.svg"])}
    kept |= {f"img/{name}": files[f"dist/img/{name}"] for name in images}
    fonts = "dist/fonts/public-sans/PublicSans-"
    return kept | {f"fonts/PublicSans-{name}.woff2": files[f"{fonts}{name}.woff2"] for name in FONTS.values()}


def rules(css: str) -> Iterator[str]:
    """The rules that are kept of a style sheet, in order."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    for rule in top_level(css):
        head, brace, body = rule.partition("{")
        head = head.strip()
        if not brace:
            if head and not head.startswith("@charset"):
                yield head
        elif head.startswith(("@media", "@supports")):
            inner = "".join(rules(body[:-1]))
            if inner:
                yield f"{head}{{{inner}}}"
        elif head.startswith("@font-face"):
            continue  # ours are written anew
        elif head.startswith("@"):
            yield f"{head}{{{body}"
        else:
            selectors = [one for one in split_selectors(head) if wanted(one)]
            if selectors:
                yield f"{','.join(selectors)}{{{body}"


def top_level(css: str) -> Iterator[str]:
    """Each rule that stands in no other."""
    depth = start = 0
    quote = ""
    for place, letter in enumerate(css):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "{":
            depth += 1
        elif letter == "}":
            depth -= 1
        if not quote and depth == 0 and letter in "};":
            yield css[start : place + 1]
            start = place + 1


def split_selectors(head: str) -> list[str]:
    """The selectors of a list; commas in brackets divide nothing."""
    found, depth, start = [], 0, 0
    for place, letter in enumerate(head):
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            found.append(head[start:place])
            start = place + 1
    return [*found, head[start:]]


def wanted(selector: str) -> bool:
    """Whether a page may have what a selector speaks of."""
    classes = re.findall(r"\.((?:[\w-]|\\.)+)", selector)
    return all(_wanted(name) for name in classes)


def _wanted(name: str) -> bool:
    plain = name.replace("\\", "").rpartition(":")[2]
    if plain.startswith("grid-"):
        return not name.startswith(("mobile", "widescreen"))
    if not plain.startswith("usa-"):
        return plain in ("is-hidden", "is-visible")
    block = re.split(r"__|--", plain.removeprefix("usa-"))[0]
    return block not in LEFT_OUT


def sprite(svg: bytes) -> bytes:
    """The icons of ICONS, each a symbol. Exits where one is not there."""
    symbols = dict(re.findall(r'(?s)<symbol[^>]*\bid="([^"]+)"[^>]*>(.*?)</symbol>', svg.decode()))
    boxes = dict(re.findall(r'<symbol(?=[^>]*\bid="([^"]+)")(?=[^>]*\bviewBox="([^"]+)")', svg.decode()))
    if missing := [name for name in ICONS if name not in symbols]:
        sys.exit(f"the design system has no icon {', '.join(missing)}")
    drawn = "".join(f'<symbol viewBox="{boxes[name]}" id="{name}">{symbols[name]}</symbol>' for name in ICONS)
    return f'<svg xmlns="http://www.w3.org/2000/svg">{drawn}</svg>\n'.encode()


# Maps --------------------------------------------------------------------------------------------------

Point = tuple[float, float]


def maps(packages: dict[str, dict[str, bytes]]) -> dict[str, bytes]:
    """The outlines, each an SVG of its own in the size that `cartography` names."""
    sys.path.insert(0, str(ROOT / "src"))
    from onstudy.registry.cartography import US_SIZE, WORLD_SIZE, on_us_map, on_world_map

    states = json.loads(packages["us-atlas"]["states-10m.json"])
    land = json.loads(packages["world-atlas"]["land-110m.json"])
    inside = [simple(line, 0.45) for arc in shared(states) for line in unbroken([on_us_map(y, x) for x, y in arc])]
    nation = [[on_us_map(y, x) for x, y in ring] for ring in rings(states, states["objects"]["nation"])]
    home = [simple([one for one in ring if one], 0.45) for ring in nation if None not in ring]
    coast = [part for ring in rings(land, land["objects"]["land"]) for part in across(ring)]
    return {
        "map-us.svg": drawn(US_SIZE, path(home), path(inside, closed=False)),
        "map-world.svg": drawn(
            WORLD_SIZE,
            path([simple([on_world_map(lat, lon) for lon, lat in ring], 0.25) for ring in coast if _shown(ring)]),
        ),
    }


def arcs(topology: dict[str, Any]) -> list[list[Point]]:
    """The arcs of a TopoJSON file in degrees, longitude first."""
    (scale_x, scale_y), (move_x, move_y) = topology["transform"]["scale"], topology["transform"]["translate"]
    found = []
    for arc in topology["arcs"]:
        x = y = 0
        line = []
        for step_x, step_y in arc:
            x, y = x + step_x, y + step_y
            line.append((x * scale_x + move_x, y * scale_y + move_y))
        found.append(line)
    return found


def shared(topology: dict[str, Any]) -> list[list[Point]]:
    """The arcs that lie between two states."""
    used: Counter[int] = Counter()
    for state in topology["objects"]["states"]["geometries"]:
        polygons = state["arcs"] if state["type"] == "MultiPolygon" else [state["arcs"]]
        used.update({one if one >= 0 else ~one for polygon in polygons for ring in polygon for one in ring})
    return [arc for number, arc in enumerate(arcs(topology)) if used[number] > 1]


def rings(topology: dict[str, Any], shape: dict[str, Any]) -> list[list[Point]]:
    """The outer and inner rings of a shape."""
    lines = arcs(topology)
    if shape["type"] == "GeometryCollection":
        return [ring for one in shape["geometries"] for ring in rings(topology, one)]
    polygons = shape["arcs"] if shape["type"] == "MultiPolygon" else [shape["arcs"]]
    found = []
    for polygon in polygons:
        for ring in polygon:
            parts = [lines[one] if one >= 0 else lines[~one][::-1] for one in ring]
            found.append([point for part in parts for point in part])
    return found


def _shown(ring: list[Point]) -> bool:
    return max(lat for _, lat in ring) > -60


def unbroken(points: list[Point | None]) -> list[list[Point]]:
    """A line cut where it leaves the map."""
    found: list[list[Point]] = [[]]
    for point in points:
        if point is None:
            found.append([])
        else:
            found[-1].append(point)
    return [line for line in found if len(line) > 1]


def across(ring: list[Point]) -> list[list[Point]]:
    """A ring; one that crosses the date line twice, once for each side of the map."""
    unwound = [ring[0]]
    for lon, lat in ring[1:]:
        unwound.append((lon - 360 * round((lon - unwound[-1][0]) / 360), lat))
    if all(-180 <= lon <= 180 for lon, _ in unwound):
        return [unwound]
    other = -360 if max(lon for lon, _ in unwound) > 180 else 360
    both = [unwound, [(lon + other, lat) for lon, lat in unwound]]
    return [part for one in both if len(part := [point for point in one if -180 <= point[0] <= 180]) > 2]


def simple(line: list[Point], most: float) -> list[Point]:
    """A line without points that lie nearer than `most` to it (Douglas and Peucker 1973)."""
    if len(line) < 3:
        return line
    (x1, y1), (x2, y2) = line[0], line[-1]
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    if length:
        away = [abs((x2 - x1) * (y1 - y) - (x1 - x) * (y2 - y1)) / length for x, y in line]
    else:
        away = [((x - x1) ** 2 + (y - y1) ** 2) ** 0.5 for x, y in line]
    far = max(range(len(line)), key=away.__getitem__)
    if away[far] <= most:
        return [line[0], line[-1]]
    return [*simple(line[: far + 1], most)[:-1], *simple(line[far:], most)]


def path(lines: list[list[Point]], closed: bool = True) -> str:
    """The lines as SVG path data in steps of a tenth; what has shrunk to a point is left out."""
    found = []
    for line in lines:
        steps = [(round(x * 10), round(y * 10)) for x, y in line]
        if len(set(steps)) < (3 if closed else 2):
            continue
        x, y = steps[0]
        said = [f"M{_tenth(x)} {_tenth(y)}l"]
        for next_x, next_y in steps[1:]:
            if (next_x, next_y) != (x, y):
                said.append(f"{_tenth(next_x - x)} {_tenth(next_y - y)} ")
            x, y = next_x, next_y
        found.append("".join(said).strip().replace(" -", "-") + ("z" if closed else ""))
    return "".join(found)


def _tenth(number: int) -> str:
    text = f"{number / 10:g}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def drawn(size: Point, land: str, borders: str = "") -> bytes:
    """An outline as a picture of its own."""
    line = 'stroke-width=".8" stroke-linejoin="round" vector-effect="non-scaling-stroke"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]:g} {size[1]:g}" width="{size[0]:g}" '
        f'height="{size[1]:g}"><path d="{land}" fill="#efeae0" stroke="#b9af9c" {line}/>'
        + (f'<path d="{borders}" fill="none" stroke="#cfc7b6" {line}/>' if borders else "")
        + "</svg>\n"
    ).encode()


if __name__ == "__main__":
    main()
