"""The page of `auditlog report`, as Chromium shows it: at both widths, in both schemes, with a hostile log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import pytest

from tests.report.browser import Browser, browser, chromium
from tests.unit.events.generate import ALICE, encode, events
from tests.unit.events.incident import incident, request
from tests.unit.events.test_command_line import auditlog

HOSTILE = (
    "</script></title><script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">'&\x1b[31m"
)
WIDTHS = {"phone": 390, "desktop": 1280}

_WORST_CONTRAST = """(() => {
    const channel = (x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
    const light = (colour) => {
        const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((each) => channel(each / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const back = (element) => {
        for (let each = element; each; each = each.parentElement) {
            const colour = getComputedStyle(each).backgroundColor;
            if (!/, 0\\)$/.test(colour)) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    let worst = [99, ''];
    const texts = 'h1,h2,h3,p,a,td,th,caption,li,time,dt,dd,figcaption,label,summary,code,pre';
    for (const each of document.querySelectorAll(texts)) {
        const [more, less] = [light(getComputedStyle(each).color), light(back(each))].sort((x, y) => y - x);
        const ratio = (more + 0.05) / (less + 0.05);
        if (ratio < worst[0]) worst = [ratio, each.outerHTML.slice(0, 80)];
    }
    return worst;
})()"""
_FOCUS = "(({tagName, id, dataset}) => `${tagName} ${id || dataset.chart || ''}`)(document.activeElement)"
_SHOWN = "[...document.querySelectorAll('ol.story li')].filter((each) => !each.hidden).map((each) => each.textContent)"

pytestmark = pytest.mark.skipif(chromium() is None, reason="needs Chromium: make test-report installs it")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    hostile = request(ALICE, "delete", "configmaps", HOSTILE, 70)
    hostile["userAgent"] = hostile["user"]["username"] = hostile["sourceIPs"][0] = HOSTILE
    hostile["annotations"] |= {"audit-annotations-deleted/labels": HOSTILE, "audit-annotations-x/y": HOSTILE}
    log = folder / "audit.log"
    made = islice(events(2025, seconds_between=5), int(os.environ.get("REPORT_EVENTS", "5000")))
    log.write_bytes(b"".join(map(encode, (*incident(), hostile, *made))))
    words = ("--policy", "preset:baseline", "--audit-log-maxsize", "100", "--audit-log-maxbackup", "10")
    done = auditlog("report", f"cp1={log}", *words, "--title", HOSTILE, "-o", folder / "report.html")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    return folder / "report.html"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_and_nothing_complains(page: Path, shown: Browser, width: str, scheme: str) -> None:
    seconds = shown.open(page, WIDTHS[width], 900, scheme)
    assert shown.complaints == []
    assert shown.requests == [page.as_uri()] or all(url.startswith(("file:", "data:")) for url in shown.requests)
    assert shown.evaluate("document.scrollingElement.scrollWidth") <= WIDTHS[width]
    assert shown.evaluate("document.querySelectorAll('.chart canvas').length") == 2
    back = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert back == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(13, 17, 23)")
    print(f"{page.stat().st_size} bytes, opened in {seconds:.2f} s")
    if pictures := os.environ.get("REPORT_PICTURES"):
        shown.picture(Path(pictures) / f"{width}-{scheme}.png")


def test_what_a_log_says_is_only_text(page: Path, shown: Browser) -> None:
    shown.open(page, 1280, 900, "light")
    visible = HOSTILE.replace("\x1b", "\\x1b")
    assert shown.evaluate("document.title") == visible
    assert shown.evaluate("document.querySelectorAll('img, main script').length") == 0
    assert visible in shown.evaluate("document.querySelector('main').textContent")
    # What got in all the same would still not run.
    shown.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=1\">')")
    shown.evaluate(
        "{const s = document.createElement('script'); s.textContent = 'document.title=2'; document.body.append(s)}"
    )
    assert shown.evaluate("new Promise(done => setTimeout(() => done(document.title), 200))") == visible
    assert any("Content Security Policy" in each for each in shown.complaints)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_on_its_background(page: Path, shown: Browser, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 to 1."""
    shown.open(page, 1280, 900, scheme)
    worst = shown.evaluate(_WORST_CONTRAST)
    assert worst[0] >= 4.5, worst


def test_everything_is_reached_and_used_by_keyboard(page: Path, shown: Browser) -> None:
    shown.open(page, 1280, 900, "light")
    shown.press("Tab")
    assert shown.evaluate("document.activeElement.className") == "skip"
    names = []
    for _ in range(60):
        shown.press("Tab")
        names.append(shown.evaluate(_FOCUS))
        if names[-1] == "INPUT search":
            break
    assert {"A ", "DIV ", "SUMMARY ", "INPUT callers", "INPUT cluster", "INPUT search"} <= set(names)
    shown.call("Input.insertText", text="alice settings-1")
    lines = shown.evaluate(_SHOWN)
    assert lines
    assert all("alice" in line and "settings-1" in line for line in lines)
    assert shown.evaluate("document.getElementById('found').textContent").startswith(f"{len(lines)} of ")


def test_a_checkbox_hides_its_line(page: Path, shown: Browser) -> None:
    shown.open(page, 1280, 900, "light")
    drawn = "document.querySelector('#callers canvas').toDataURL()"
    before = shown.evaluate(drawn)
    shown.evaluate("document.querySelector('input[data-chart=callers]').focus()")
    shown.press(" ")
    shown.evaluate("new Promise(done => setTimeout(done, 200))")
    assert shown.evaluate("document.querySelector('input[data-chart=callers]').checked") is False
    assert shown.evaluate(drawn) != before


def test_a_screen_reader_finds_names_for_everything(page: Path, shown: Browser) -> None:
    shown.open(page, 1280, 900, "light")
    nodes = shown.call("Accessibility.getFullAXTree")["nodes"]
    roles: dict[str, list[str]] = {}
    for node in nodes:
        if not node.get("ignored"):
            roles.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    assert {"banner", "navigation", "main", "contentinfo", "table", "image", "checkbox", "searchbox"} <= roles.keys()
    for role in ("table", "image", "checkbox", "searchbox", "region", "navigation", "heading", "link"):
        assert all(name.strip() for name in roles[role]), (role, roles[role])
    assert "people and outside programs" in roles["image"][0]
    levels = shown.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(e => +e.tagName[1])")
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
