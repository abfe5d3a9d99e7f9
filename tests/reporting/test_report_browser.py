"""A report in a real browser: readable at both widths and in both schemes, sorted and switched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from browser_support import Browser, Scheme
from report_support import summary_of

from iterate import report

LONG = "class" * 44


@pytest.fixture(scope="module")
def both(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("both")
    other = shutil.copytree(small_run, folder / "other")
    summary = summary_of(other)
    summary["studies"][0]["dataset"] = "generated-classification-8f7afb381f6474d4" * 2
    classes = summary["studies"][0]["test_classes"]
    summary["studies"][0]["test_classes"] = [one | {"name": LONG + one["name"]} for one in classes]
    (other / "summary.json").write_text(json.dumps(summary))
    for file in other.glob("repeats/*/model.json"):
        described = json.loads(file.read_text())
        info = described["info"]
        info["classes"] = [LONG + name for name in info["classes"]]
        file.write_text(json.dumps(described))
    return report([small_run, other], folder / "report.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_it_is_readable(browser: Browser, small_page: Path, width: int, scheme: Scheme) -> None:
    browser.open(small_page, width, scheme=scheme)
    assert browser.overflow() == []
    assert browser.faint() == []
    assert browser.errors() == []
    sizes = browser.js(
        "return [...document.images].map((image) => image.complete && image.naturalWidth)"
    )
    assert sizes
    assert all(sizes)
    charts = "[...document.querySelectorAll('svg.chart')]"
    drawn = browser.js(f"return {charts}.map((chart) => chart.getBoundingClientRect().width)")
    assert len(drawn) >= 4
    assert all(wide > 300 for wide in drawn)


def test_trials_sort_by_keyboard(browser: Browser, small_page: Path) -> None:
    browser.open(small_page)
    table = "h3 + p + .tall"
    head = browser.one(f"{table} thead th:nth-child(3) button")
    column = f"{table} tbody tr td:nth-child(3)"
    browser.js("arguments[0].focus()", head)
    browser.press(" ")
    first = [float(text) for text in browser.texts(column)]
    browser.press(" ")
    second = [float(text) for text in browser.texts(column)]
    assert first == sorted(first, reverse=first[0] > first[-1])
    assert second == first[::-1] or sorted(first) == sorted(second)
    assert second == sorted(second, reverse=first == sorted(first))
    assert len(first) == 5


def test_what_is_hovered_tells_its_point(browser: Browser, small_page: Path) -> None:
    browser.open(small_page)
    titles = browser.js(
        "return [...document.querySelectorAll('svg.chart circle title')].map((t) => t.textContent)"
    )
    assert any("optimiser.lr = " in title for title in titles)
    counts = browser.js(
        "return [...document.querySelectorAll('.matrix td[title]')].map((t) => t.title)"
    )
    assert all(" of " in count for count in counts)
    assert counts


def test_studies_are_chosen(browser: Browser, both: Path) -> None:
    browser.open(both)
    first, second = browser.all(".choice button")
    shown = "return [...document.querySelectorAll('[data-set=study]')].map((s) => !s.hidden)"
    assert browser.js(shown) == [True, False]
    second.click()
    assert browser.js(shown) == [False, True]
    assert second.get_attribute("aria-pressed") == "true"
    assert first.get_attribute("aria-pressed") == "false"
    browser.resize(390)
    assert browser.overflow() == []
    assert browser.errors() == []


def test_long_names_are_cut_short_and_whole_on_hover(browser: Browser, both: Path) -> None:
    browser.open(both, 1400)
    inside = """
        const card = document.querySelector('h2 + .card.scroll');
        return [card.scrollWidth, card.clientWidth]
    """
    needed, there = browser.js(inside)
    assert needed <= there
    browser.all(".choice button")[1].click()
    browser.resize(390)
    shown = """
        return [...document.querySelectorAll('table .short')]
            .filter((name) => name.title.startsWith(arguments[0]) && name.offsetParent)
            .map((name) => [name.getBoundingClientRect().width, name.title, name.textContent,
                            name.closest('tr').getBoundingClientRect().height])
    """
    names = browser.js(shown, LONG)
    assert len(names) >= 4
    for width, title, text, height in names:
        assert width < 160
        assert title == text
        assert height < 60
    assert browser.overflow() == []
