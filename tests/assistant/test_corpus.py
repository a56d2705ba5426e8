"""The documentation as passages: every page is in it, none of its text is lost, and its anchors are the page's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clew.assistant.corpus import find_docs, load_corpus, split_page
from clew.errors import UnavailableError

DOCS = Path(__file__).resolve().parents[2] / "docs"

PAGE = """\
# Title

Before, with a [link](other.md#there).

## First `one`

```console
# no heading
| no | table |

a fence
```

| name | meaning |
|---|---|
| `a\\|b` | the [first](x.md) |
| `c` |  |
| plain | cell |
| more | cells |

After.

**Term**: what it means.

<a id="x"></a>**Other**: another.

### Deeper, and more!

Last
line.
"""


def test_a_page_is_cut_at_headings_terms_and_blocks() -> None:
    found = [(each.section, each.anchor, each.text) for each in split_page("p.md", PAGE)]
    assert found == [
        ("Title", "", "Before, with a link."),
        (
            "First one",
            "first-one",
            "```console\n# no heading\n| no | table |\n\na fence\n```",
        ),
        ("a|b", "first-one", "- `a|b`; meaning: the first"),
        ("c", "first-one", "- `c`"),
        ("First one", "first-one", "- plain; meaning: cell\n- more; meaning: cells\n\nAfter."),
        ("Term", "first-one", "**Term**: what it means."),
        ("Other", "first-one", "**Other**: another."),
        ("Deeper, and more!", "deeper-and-more", "Last\nline."),
    ]
    assert {each.title for each in split_page("p.md", PAGE)} == {"Title"}


def test_a_long_section_becomes_several_passages_and_no_block_is_cut() -> None:
    blocks = [f"{n} " + "word " * 60 for n in range(10)]
    found = split_page("p.md", "# T\n\n" + "\n\n".join(blocks))
    assert len(found) > 3
    assert all(len(each.text) <= 1000 for each in found)
    assert "\n\n".join(each.text for each in found) == "\n\n".join(blocks)


def test_a_page_that_ends_within_a_fence_loses_nothing() -> None:
    assert split_page("p.md", "# T\n\n```\nlast")[0].text.startswith("```\nlast")


def test_every_page_but_decisions_and_contents_is_in_the_corpus() -> None:
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    wanted = {page for page in pages if not page.startswith("decisions/")} - {"index.md"}
    assert {each.page for each in load_corpus()} == wanted


def test_every_word_of_a_page_is_in_its_passages() -> None:
    for page in {each.page for each in load_corpus()}:
        shown = re.sub(r"\]\([^)\s]*\)|</?a[^>]*>", " ", (DOCS / page).read_text())
        # What a table's first column is called is not said of its rows.
        shown = re.sub(r"^\|[^|]*\|(.*\n\|[-|: ]+\|)$", r"\1", shown, flags=re.MULTILINE)
        mine = [each for each in load_corpus() if each.page == page]
        kept = " ".join(f"{each.title} {each.section} {each.text}" for each in mine)
        assert set(re.findall(r"\w+", shown)) - set(re.findall(r"\w+", kept)) == set(), page


def test_the_anchors_are_in_the_pages() -> None:
    for each in load_corpus():
        headings = re.findall(r"^#+ (.+)$", (DOCS / each.page).read_text(), re.MULTILINE)
        slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert each.anchor in slugs | {""}, each


def test_a_clone_searches_its_own_pages() -> None:
    assert find_docs() == DOCS


def test_a_folder_without_pages_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no pages"):
        load_corpus(tmp_path)
    (tmp_path / "a.md").write_bytes(b"\xff\xfe")
    with pytest.raises(UnavailableError, match="cannot be read"):
        load_corpus(tmp_path)
