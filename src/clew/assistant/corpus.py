"""The documentation that ships with clew, cut into passages: what the assistant searches.

An installed clew has it as package data, a clone has it in `docs`. The decisions are left out, since they tell what was decided
on a day and are not kept up, and so is the table of contents. The text stays Markdown, but links become their words and tables
become lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import UnavailableError

SHIPPED: Final = Path(__file__).parent / "docs"
"""Where a wheel has the pages."""
CLONE: Final = Path(__file__).parents[3]
LEFT_OUT: Final = ("decisions/", "index.md")
MOST: Final = 900
"""Characters of a passage, where its blocks allow it: a block is never cut."""

_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_HEADING = re.compile(r"^(#{1,6}) +(.+?) *#*$")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_ANCHOR = re.compile(r"</?a(?: [^>]*)?>")
_TERM = re.compile(r"^\*\*([^*]+)\*\*: ")
_ROW = re.compile(r"^- `([^`]+)`(?:; |$)")
_RULE = re.compile(r"^\|[\s:|-]+\|$")
_CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a page that can be read by itself.

    Attributes:
        page: the page's path below `docs`, with forward slashes, as "backends/redis.md".
        title: the page's title.
        section: the heading it stands under, or the term that it defines, as in a glossary or the first column of a table; the
            title again for what stands before the first heading.
        anchor: that heading's anchor in the page, empty for the title.
        text: Markdown, at most about 900 characters where its blocks allow it.
    """

    page: str
    title: str
    section: str
    anchor: str
    text: str

    @property
    def heading(self) -> str:
        """The page's title and the section, as one line."""
        return self.title if self.section == self.title else f"{self.title}: {self.section}"


def find_docs() -> Path:
    """Return the folder of the documentation.

    Raises:
        UnavailableError: neither the package nor a clone has it.
    """
    if SHIPPED.is_dir():
        return SHIPPED
    if (CLONE / "pyproject.toml").is_file() and (CLONE / "docs" / "index.md").is_file():
        return CLONE / "docs"
    raise UnavailableError("clew's documentation is not installed with it: install clew from a wheel, or run it from a clone")


def load_corpus(folder: Path | None = None) -> list[Passage]:
    """Return the passages of every page, in order.

    Args:
        folder: of Markdown pages, those below it too; None for clew's own.

    Raises:
        UnavailableError: the folder is not there, cannot be read, or has no page.
    """
    top = find_docs() if folder is None else folder
    found: list[Passage] = []
    try:
        for path in sorted(top.rglob("*.md")):
            page = path.relative_to(top).as_posix()
            if not page.startswith(LEFT_OUT):
                found += split_page(page, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(f"the documentation cannot be read ({type(error).__name__}): look at its folder") from error
    if not found:
        raise UnavailableError("the documentation has no pages: give a folder of Markdown files")
    return found


def split_page(page: str, markdown: str) -> list[Passage]:
    """Return the passages of one page."""
    title = section = page
    anchor = ""
    blocks: list[str] = []
    found: list[Passage] = []

    def close() -> None:
        found.extend(Passage(page, title, section, anchor, text) for text in _join(blocks))
        blocks.clear()

    for block in _blocks(markdown):
        heading = _HEADING.match(block)
        if heading is None:
            term = _TERM.match(block) or _ROW.match(block)
            if term is None:
                blocks.append(block)
            else:
                close()
                found.append(Passage(page, title, term[1], anchor, block))
            continue
        close()
        section = _plain(heading[2]).replace("`", "")
        if len(heading[1]) == 1:
            title, anchor = section, ""
        else:
            anchor = make_anchor(heading[2])
    close()
    return found


def make_anchor(heading: str) -> str:
    """Return the anchor that a Markdown page gives a heading: what GitHub makes of it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _blocks(markdown: str) -> Iterator[str]:
    """Yield headings, fenced blocks, paragraphs, and tables row by row."""
    paragraph: list[str] = []
    head: list[str] = []
    fence = ""

    for line in [*markdown.splitlines(), ""]:
        opening = _FENCE.match(line)
        if fence:
            paragraph.append(line)
            if opening and opening[1] == fence:
                yield "\n".join(paragraph)
                paragraph, fence = [], ""
            continue
        is_row = line.startswith("|")
        if paragraph and (not line.strip() or opening or is_row or _HEADING.match(line)):
            yield _plain("\n".join(paragraph))
            paragraph = []
        if not is_row:
            head = []
        if opening:
            fence, paragraph = opening[1], [line]
        elif is_row:
            if _RULE.match(line):
                continue
            cells = [_plain(cell.strip().replace("\\|", "|")) for cell in _CELL.split(line.strip())[1:-1]]
            if head:
                yield _row(head, cells)
            head = head or cells
        elif _HEADING.match(line):
            yield line
        elif line.strip():
            paragraph.append(line)
    if paragraph:
        yield "\n".join(paragraph)


def _join(blocks: list[str]) -> Iterator[str]:
    """Yield the blocks as texts of at most about `MOST` characters."""
    text = ""
    for block in blocks:
        if text and len(text) + len(block) > MOST:
            yield text
            text = ""
        between = "\n" if text.rpartition("\n")[2].startswith("- ") and block.startswith("- ") else "\n\n"
        text = f"{text}{between}{block}" if text else block
    if text:
        yield text


def _row(head: list[str], cells: list[str]) -> str:
    """Return a row as a line that can be read by itself: the first cell, and each other one behind its column's name."""
    named = [f"{name}: {cell}" if name else cell for name, cell in zip(head[1:], cells[1:], strict=False) if cell]
    return "- " + "; ".join([*cells[:1], *named, *(cell for cell in cells[len(head) :] if cell)])


def _plain(text: str) -> str:
    return _ANCHOR.sub("", _LINK.sub(r"\1", text))
