"""A tree of files in the order of their keys, and the names that keys have in it.

On file systems that take `A` for `a`, capitals are encoded too, and names that are devices there: else one owner could
reach another's files by writing the name otherwise.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final

_CAPITAL: Final = re.compile(r"[A-Z]")
_ESCAPE: Final = re.compile(r"%[0-9A-F]{2}")
_DEVICE: Final = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)")


def name_of(part: str, *, folded: bool) -> str:
    """Return the name that an encoded part has in the tree."""
    if not folded:
        return part
    # The escapes stay as they are: they are always written with capitals, so two of them differ in more than that.
    kept = _ESCAPE.findall(part)
    texts = [_CAPITAL.sub(lambda found: f"%{ord(found[0]):02X}", text) for text in _ESCAPE.split(part)]
    name = "".join(text + escape for text, escape in zip(texts, [*kept, ""], strict=True))
    return f"%{ord(name[0]):02X}{name[1:]}" if _DEVICE.match(name) else name


def part_of(name: str, *, folded: bool) -> str:
    """Return the encoded part that has this name in the tree."""
    if not folded:
        return name
    plain = re.sub(r"%(4[1-9A-F]|5[0-9A])", lambda found: chr(int(found[1], 16)), name)
    first = re.match(r"%(6[1-9A-F]|7[0-9A])", plain)
    return chr(int(first[1], 16)) + plain[3:] if first else plain


def walk(root: str, below: str, after: str, *, folded: bool) -> Iterator[str]:
    """Yield the paths of the files below, in order, that follow `after`.

    Args:
        root: the folder of the tree.
        below: "" or the path of a folder that ends in a slash.
        after: a path; "" for all.
        folded: as `name_of` takes it.
    """
    folder = os.path.join(root, *(name_of(part, folded=folded) for part in below.split("/") if part))
    try:
        with os.scandir(folder) as entries:
            found = [
                (part_of(each.name, folded=folded), each.is_dir(follow_symlinks=False)) for each in entries if each.name[0] != "."
            ]
    except (FileNotFoundError, NotADirectoryError):
        return
    # A folder sorts as its paths do, with the slash: "a-b" stands before "a/x".
    for path, is_folder in sorted((below + part + "/" * is_folder, is_folder) for part, is_folder in found):
        if is_folder:
            if path > after or after.startswith(path):
                yield from walk(root, path, after, folded=folded)
        elif path > after:
            yield path
