"""The leaderboard's page in a real browser: sorting, choices, links, colours, widths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from board_support import known_board
from browser_support import Browser, Scheme

from iterate.bench.leaderboard.page.html import page
from iterate.bench.leaderboard.page.links import links_of
from iterate.bench.leaderboard.tables import write_board

ENTRIES = ["big <i>", "middle", "old", "partial", "probe", "small", "unlisted"]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    board = known_board(folder)
    for report in (folder / "mine/report.html", folder / "mine/x/small/report.html"):
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text('<!doctype html><html lang="en"><title>A report</title><p>It.</p></html>')
    out = folder / "board"
    write_board(board, out, page(board, links_of(board, {"mine": folder / "mine"}, out)))
    return out / "leaderboard.html"


def choose(browser: Browser, *titles: str) -> None:
    """Press the buttons of choices, of those that are shown the last of each title."""
    for title in titles:
        shown = [b for b in browser.all(".choice button") if b.is_displayed() and b.text == title]
        shown[-1].click()


def column(browser: Browser, table: str, index: int) -> list[str]:
    """What the first line of each cell of a column says, from top to bottom."""
    cells = browser.texts(f"{table} tbody tr > :nth-child({index})")
    return [text.partition("\n")[0] for text in cells]


def heading(browser: Browser, table: str, title: str) -> Any:
    (found,) = [
        b for b in browser.all(f"{table} th button") if b.is_displayed() and b.text == title
    ]
    return found


FIGURES = "[data-set='full_ft-figure']"
COSTS = "[data-set^='full_ft-cost-']"
SCALES = "[data-set='full_ft-scale']"


def test_tables_are_sorted_by_what_they_say(browser: Browser, path: Path) -> None:
    browser.open(path)
    choose(browser, "Rank")
    # Interquartile means of x, y and z: 70, 61.3, 60.3, 55.8, 53.7, 40.
    assert column(browser, FIGURES, 1) == [
        *("Big <i>", "Old", "unlisted", "middle", "small", "probe", "partial"),
    ]
    assert column(browser, FIGURES, 2) == ["1", "2", "3", "4", "5", "6", "–"]
    by_x = heading(browser, FIGURES, "Only x")
    by_x.click()
    assert column(browser, FIGURES, 3) == ["1", "2", "3", "4", "5", "6", "7"]
    assert column(browser, FIGURES, 1)[:3] == ["small", "Big <i>", "Old"]
    by_x.click()
    assert column(browser, FIGURES, 3) == ["7", "6", "5", "4", "3", "2", "1"]
    heading(browser, FIGURES, "Backbone").click()
    assert column(browser, FIGURES, 1) == [
        *("Big <i>", "middle", "Old", "partial", "probe", "small", "unlisted"),
    ]


def test_a_table_is_sorted_by_the_keyboard(browser: Browser, path: Path) -> None:
    browser.open(path)
    head = heading(browser, FIGURES, "Only x")
    browser.js("arguments[0].focus()", head)
    browser.press("\ue007")  # enter
    assert column(browser, FIGURES, 1)[:2] == ["small", "Big <i>"]  # the largest first
    sorts = "return arguments[0].closest('th').getAttribute('aria-sort')"
    assert browser.js(sorts, head) == "descending"
    browser.press(" ")
    assert browser.js(sorts, head) == "ascending"
    assert column(browser, FIGURES, 1)[:2] == ["probe", "partial"]
    # Gaps stay last, whichever way.
    other = heading(browser, FIGURES, "All of it")
    for order in (["Big <i>", "probe"], ["probe", "Big <i>"]):
        other.click()
        found = column(browser, FIGURES, 1)
        assert [found[0], found[-2], found[-1]] == [*order, "partial"]
    assert browser.js(sorts, head) is None


def test_choices_show_one_panel_each(browser: Browser, path: Path) -> None:
    browser.open(path)
    assert browser.texts("h2")[0] == "Full fine-tuning: capabilities"
    choose(browser, "Frozen backbone")
    assert browser.texts("h2")[0] == "Frozen backbone: capabilities"
    assert column(browser, "[data-set='frozen-figure']", 1) == ["small"]
    choose(browser, "Full fine-tuning")
    pressed = "[data-for='full_ft-figure'] [aria-pressed='true']"
    for title in ("Rank", "As published leaderboards compute it", "Score"):
        choose(browser, title)
        assert browser.texts(pressed) == [title]
    group = browser.all("[data-set='full_ft-group'] > .choice button")
    assert [button.text for button in group if button.is_displayed()] == ["Drawn", "Table"]
    choose(browser, "Table")
    table = "[data-set='full_ft-All of it']"
    assert column(browser, table, 1)[0] == "Big <i>"
    assert column(browser, table, 4)[0] == "70.0"


def test_costs_are_drawn_and_told(browser: Browser, path: Path) -> None:
    browser.open(path)
    (shown,) = [figure for figure in browser.all("figure.costs") if figure.is_displayed()]
    marks = [text.text for text in shown.find_elements("css selector", ".place")]
    assert marks == ["6", "5", "4", "1"]  # the best above all others
    assert column(browser, COSTS, 4) == ["300 M", "100 M", "20 M", "300 M"]
    assert browser.texts(f"{COSTS} .note") == [
        "Not placed, because nothing says what it is: Old, unlisted."
    ]
    heading(browser, COSTS, "Parameters").click()
    assert column(browser, COSTS, 1)[:2] == ["small", "middle"]
    choose(browser, "Training time")
    assert column(browser, COSTS, 4) == ["2 h", "15 min", "5 min", "20 min"]
    assert column(browser, COSTS, 5) == ["yes", "yes", "yes", "no"]
    assert "Timed on CPU." in browser.one("main").text
    # What costs more stands further right, what scores more higher up.
    places = {
        mark.text: mark.rect for mark in browser.all("figure.costs .place") if mark.is_displayed()
    }
    assert places["5"]["x"] < places["4"]["x"] < places["6"]["x"] < places["1"]["x"]
    assert places["6"]["y"] > places["5"]["y"] > places["4"]["y"] > places["1"]["y"]


def test_links_lead_to_the_reports_that_are_there(browser: Browser, path: Path) -> None:
    browser.open(path)
    assert browser.dead_links() == []
    link = browser.one("main a[href='../mine/report.html']")
    assert link.text == "Report of mine"
    browser.one(f"{SCALES} a").click()
    assert browser.driver.title == "A report"
    assert browser.driver.current_url.endswith("/mine/x/small/report.html")


def test_a_filter_leaves_what_is_asked_for(browser: Browser, path: Path) -> None:
    browser.open(path)
    browser.one(".filter input").send_keys("LL")
    assert column(browser, FIGURES, 1) == ["small"]
    assert browser.one(".filter [role=status]").text == "1 of 7"
    assert len([mark for mark in browser.all("figure.costs .place") if mark.is_displayed()]) == 1
    browser.one(".filter input").send_keys("\ue003\ue003")  # backspace
    assert len(column(browser, FIGURES, 1)) == len(ENTRIES)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read_in_both_schemes(browser: Browser, path: Path, scheme: Scheme) -> None:
    browser.open(path, scheme=scheme)
    dark = (
        browser.js("return getComputedStyle(document.body).backgroundColor") != "rgb(251, 251, 249)"
    )
    assert dark == (scheme == "dark")
    everything_shown(browser)
    assert browser.faint() == []


@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_wider_than_the_window(browser: Browser, path: Path, width: int) -> None:
    browser.open(path, width=width)
    assert browser.overflow() == []
    everything_shown(browser)
    assert browser.overflow() == []
    # Tables that need more scroll in their own box.
    boxes = (
        "[...document.querySelectorAll('.scroll')].map((box) => box.scrollWidth > box.clientWidth)"
    )
    assert any(browser.js(f"return {boxes}")) == (width == 390)


def everything_shown(browser: Browser) -> None:
    """All panels of all choices, and what is folded."""
    browser.js(
        "for (const one of document.querySelectorAll('[data-panel]')) one.hidden = false;"
        "for (const one of document.querySelectorAll('details')) one.open = true;"
    )
