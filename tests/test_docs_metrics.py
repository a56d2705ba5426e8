"""The page on operations names every metric there is, and its alerts and its dashboard ask for no other."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml  # type: ignore[import-untyped]  # it has no types
from prometheus_client import REGISTRY

import clew.service.measuring
import clew.wrappers.observing.metrics

from .test_docs import TOP, fenced
from .test_docs_tables import rows, words

PAGE = TOP / "docs/operations.md"
MODULES = (clew.service.measuring, clew.wrappers.observing.metrics)
"""Imported, they have registered what they count."""


def metrics() -> dict[str, tuple[str, ...]]:
    """Return clew's metrics by the names they are scraped under, with their labels."""
    found = {}
    # What is registered has no public names for its labels.
    collectors: set[Any] = {each for each in REGISTRY._names_to_collectors.values() if hasattr(each, "_labelnames")}
    for collector in collectors:
        name = collector._name + ("_total" if collector._type == "counter" else "")
        if name.startswith("clew_"):
            found[name] = collector._labelnames
    return found


def asked(expression: str) -> set[str]:
    """Return the metrics that an expression of Prometheus asks for."""
    known = metrics()
    names = re.findall(r"clew_\w+", expression)
    assert names, expression
    found = {name if name in known else re.sub(r"_(bucket|count|sum)$", "", name) for name in names}
    for name, labels in re.findall(r"(clew_\w+)\{([^}]*)\}", expression):
        has = known[name if name in known else re.sub(r"_(bucket|count|sum)$", "", name)]
        assert set(re.findall(r"(\w+)\s*[=!]~?", labels)) <= set(has)
    return found


def test_the_page_has_every_metric_with_its_labels() -> None:
    shown = {words(name)[0]: tuple(words(labels)) for name, labels, *_ in rows(PAGE.read_text(), "metric")}
    assert shown == metrics()


def test_the_alerts_and_the_dashboard_ask_for_metrics_that_there_are() -> None:
    ((_, alerts),) = fenced(PAGE, "yaml")
    rules = [rule for group in yaml.safe_load(alerts)["groups"] for rule in group["rules"]]
    ((_, text),) = fenced(PAGE, "json")
    panels = json.loads(text)["panels"]
    expressions = [rule["expr"] for rule in rules] + [target["expr"] for panel in panels for target in panel["targets"]]
    assert {name for each in expressions for name in asked(each)} <= set(metrics())
    assert all(rule["alert"].startswith("Clew") and rule["annotations"]["summary"] for rule in rules)
    assert len({rule["alert"] for rule in rules}) == len(rules) == 8


def test_errors_that_alerts_name_are_clews() -> None:
    ((_, alerts),) = fenced(PAGE, "yaml")
    named = {name for found in re.findall(r'error=~?"([^"]+)"', alerts) for name in found.split("|")}
    assert named
    assert named <= {name for name in dir(clew) if name.endswith("Error")}
