"""The page of --html in a headless Chromium: what it shows, on which screens, and what it never does."""

import json
import re
import time

import pytest

from conftest import BINARY
from support import images
from support.browser import Browser
from support.hawser import DISK, OK, USAGE, Hawser

HOSTILE = "</script><img src=x onerror=alert(1)><!-- \u202e\u2028 &lt;b&gt; " + "W" * 200
DATA = re.compile(r'(<script type="application/json" id="document">)(.*)(</script>\n)')


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.stop()


def push(registry):
    return registry.push("report/image", images.Image([images.random_layer(1, 300_000),
                                                       images.random_layer(2, 9_000)]), "1")


@pytest.fixture
def image(registry):
    return push(registry)


@pytest.fixture(scope="module")
def measured(registries, tmp_path_factory):
    """The page and the JSON text of one bench."""
    hawser = Hawser(BINARY, tmp_path_factory.mktemp("measured"))
    result = hawser.run("bench", "--connections", "1,2,auto", "--runs", "3", "--json", "--html", "page.html",
                        push(registries()))
    assert result.code == OK, result.err
    assert hawser.leftovers() == ["page.html"]
    return hawser.directory / "page.html", result.out


@pytest.fixture
def bench(measured):
    page, text = measured
    return page, json.loads(text)


def with_document(page, document):
    """A page of another document, made as hawser makes it."""
    text = json.dumps(document).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    other = page.with_name("other.html")
    # Not with the name of the file as the pattern's replacement: a backslash would count there.
    other.write_text(DATA.sub(lambda found: found[1] + text + found[3], page.read_text()))
    return other


def timeline(connections, requests, **more):
    """A pull of so many connections, with so many requests on each."""
    made, exchanges = [], []
    for i in range(connections):
        made.append({"id": i + 1, "origin": "https://registry.example", "address": "192.0.2.1:443", "began": 0.01 + i / 1000,
                     "resolved": 0.02 + i / 1000, "connected": 0.12 + i / 1000, "secured": 0.32 + i / 1000, "ended": 3.0})
        for k in range(requests):
            begun = 0.5 + 2.4 * k / requests
            exchanges.append({"connection": i + 1, "method": "GET", "purpose": "layer", "range": [k, k + 1000], "status": 206,
                              "url": "https://registry.example/v2/a/blobs/sha256:" + "5" * 64, "began": begun, "sent": begun,
                              "first_byte": begun + 0.8 / requests, "ended": begun + 2.2 / requests, "received": 1000})
    return {"began": "2026-11-29T12:00:00Z", "elapsed": 3.1, "connections": made, "exchanges": exchanges,
            "arrivals": [[0.7 + i / 500, (i + 1) * 1000] for i in range(1000)], **more}


def pull(connections=3, requests=4, **more):
    return {"kind": "timeline", "hawser": "0.1.0", "images": ["registry.example/a:1"], "exit_code": 0,
            **timeline(connections, requests), **more}


def shows(browser, file):
    """Opens a file that must be content with itself and ask nobody."""
    browser.open(file)
    assert browser.complaints == []
    assert browser.requests == [file.resolve().as_uri()]
    return browser.run("document.querySelector('main').innerText")


def rows(browser):
    """The table of a bench: of each row its name, and the exact figures in its cells."""
    return browser.run("""[...document.querySelectorAll('table')[0].tBodies[0].rows].map(row => [row.cells[0].textContent,
        [...row.cells].map(cell => [...cell.querySelectorAll('data')].map(each => [Number(each.value), each.textContent]))])""")


def test_a_bench_shows_what_the_json_has(browser, bench):
    page, document = bench
    browser.show_as()
    text = shows(browser, page)
    assert json.loads(browser.run("document.getElementById('document').textContent")) == document
    table = rows(browser)
    assert [name for name, _ in table] == ["1", "2", "auto"]
    for (_, cells), setting in zip(table, document["settings"]):
        exact = [[value for value, _ in cell] for cell in cells]
        assert exact[1:7] == [[len(setting["samples"])], [setting["median"]], [setting["q1"], setting["q3"]],
                              [setting["rate"]], [setting["first_byte"]],
                              [setting["reduction"]] if "reduction" in setting else []]
        assert exact[7] == ([] if setting["name"] == document["best"] else [setting["ratio"]])
        assert float(cells[2][0][1].removesuffix(" s")) == pytest.approx(setting["median"], abs=0.006)
    assert document["image"] in text and document["recommended"]["why"][1:] in text
    name = document["recommended"]["name"]
    assert f"Take {'1 connection' if name == '1' else name}" in text
    assert f"hawser {document['recommended']['options']}".strip() in text
    for warning in document["warnings"]:
        assert warning in text
    # The chart: a dot a sample, and for who can't see it, in words.
    chart = "document.querySelector('.chart svg')"
    assert browser.run(f"{chart}.querySelectorAll('.dot').length") == 9
    assert browser.run(f"{chart}.getAttribute('role')") == "img"
    described = browser.run(f"{chart}.getElementById({chart}.getAttribute('aria-labelledby').split(' ')[1]).textContent")
    assert f"auto: {document['settings'][2]['median']:.2f} s" in described


def test_what_is_not_known_is_left_out(browser, bench):
    page, document = bench
    browser.show_as()
    document["link"] = {"measured_by": "nothing"}
    for setting in document["settings"][1:]:
        setting["samples"] = []
        for member in ("median", "q1", "q3", "rate", "ratio", "ratio_interval", "first_byte", "reduction", "apart"):
            setting.pop(member, None)
    text = shows(browser, with_document(page, document))
    assert "not known" in text and browser.run("document.querySelectorAll('.limit-line').length") == 0
    assert [cells[2] for _, cells in rows(browser)][1:] == [[], []]
    document["settings"], document["ended"] = [], "it was stopped"
    del document["recommended"], document["best"]
    text = shows(browser, with_document(page, document))
    assert "No pull was completed" in text and "Ended early: it was stopped." in text
    assert not re.search("undefined|NaN|null|Infinity", text)


def test_the_limit_of_the_link_is_a_line(browser, bench):
    page, document = bench
    browser.show_as()
    slowest = max(sample["seconds"] for setting in document["settings"] for sample in setting["samples"])
    document["link"].update(limit=slowest / 2, bandwidth=1e6, round_trip=0.1)
    shows(browser, with_document(page, document))
    at, label = browser.run("""[Number(document.querySelector('.limit-line').getAttribute('x1')),
        document.querySelector('text.limit').textContent]""")
    left, end = browser.run("""(() => { const axis = document.querySelector('.chart .axis');
        return [Number(axis.getAttribute('x1')), Number(axis.getAttribute('x2'))]; })()""")
    assert at == pytest.approx(left + (end - left) / 1.03 / 2, abs=1)  # the axis is 3 % longer than the slowest
    assert label == f"limit of the link {slowest / 2:.2f} s"


def test_a_bench_with_timelines_shows_the_chosen_one(browser, bench):
    page, document = bench
    browser.show_as()
    for i, setting in enumerate(document["settings"]):
        setting["timeline"] = timeline(i + 1, 5)
    document["recommended"]["name"] = "2"
    shows(browser, with_document(page, document))
    connections = "document.querySelectorAll('.item').length"
    assert browser.run(connections) == 2 + 2 * 5
    browser.run("(setting => { setting.value = 2; setting.dispatchEvent(new Event('change')); })(document.getElementById('setting'))")
    browser.settle()
    assert browser.run(connections) == 3 + 3 * 5
    assert browser.complaints == []


def test_no_text_becomes_markup(browser, bench):
    page, document = bench
    browser.show_as(width=390, height=800)
    document.update(image=HOSTILE, digest=HOSTILE, ended=HOSTILE, warnings=[HOSTILE], best=HOSTILE, hawser=HOSTILE, began=HOSTILE)
    document["recommended"] = {"name": HOSTILE, "options": HOSTILE, "why": HOSTILE}
    document["link"]["measured_by"] = HOSTILE
    document["settings"][0]["name"] = HOSTILE
    hostile_pull = pull(images=[HOSTILE] * 4)
    for each in hostile_pull["connections"] + hostile_pull["exchanges"]:
        each.update({name: HOSTILE for name in ("origin", "address", "proxy", "error", "method", "url", "purpose")})
    document["settings"][0]["timeline"] = hostile_pull
    for shown in (document, hostile_pull):
        text = shows(browser, with_document(page, shown))
        assert "</script><img src=x onerror=alert(1)>" in text and "\\u202e\\u2028" in text
        browser.run("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        browser.settle()
        assert browser.run("document.querySelectorAll('img, a, iframe, link, object').length") == 0
        assert browser.run("document.scripts.length") == 2
        assert browser.complaints == []
        assert browser.run("document.documentElement.scrollWidth") == 390


def test_no_other_script_runs(browser, bench):
    """Should markup get in after all."""
    page, _ = bench
    browser.show_as()
    other = page.with_name("other.html")
    other.write_text(page.read_text().replace("<body>", "<body><script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"))
    browser.open(other)
    assert browser.run("window.ran") is None
    assert browser.requests == [other.resolve().as_uri()]
    assert any("Content Security Policy" in complaint for complaint in browser.complaints)


def test_a_pull_can_be_looked_into_by_mouse_and_keys(browser, bench):
    page, _ = bench
    browser.show_as()
    shown = pull()
    shown["exchanges"][1].update(error="connection reset by peer")
    shown["exchanges"][1].pop("first_byte")
    shown["exchanges"].append({"method": "GET", "url": "https://registry.example/v2/", "began": 1, "ended": 2, "error": "refused"})
    text = shows(browser, with_document(page, shown))
    assert "3.10 s" in text and "1.0 MB" in text and "2 failed or given up" in text
    items = "document.querySelectorAll('.item')"
    assert browser.run(f"{items}.length") == 3 + 3 * 4 + 1
    assert browser.run("document.querySelectorAll('svg .item .cross').length") == 2
    tip = "document.querySelector('.tip')"
    assert browser.run(f"{tip}.hidden")
    browser.run(f"{items}[1].scrollIntoView({{block: 'center'}})")
    browser.hover(*browser.run(f"(r => [r.x + r.width / 2, r.y + r.height / 2])({items}[1].getBoundingClientRect())"))
    browser.settle()
    assert "GET /v2/a/blobs/sha256:555555555555…" in browser.run(f"{tip}.innerText")
    browser.run(f"{items}[0].focus()")
    assert "Connection 1 to 192.0.2.1:443" in browser.run(f"{tip}.innerText")
    for key, index in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowDown", 7)):
        browser.press(key)
        assert browser.run(f"[...{items}].indexOf(document.activeElement)") == index
        assert browser.run(f"document.activeElement.getAttribute('aria-label')").startswith("GET /v2/a/blobs/")
    assert browser.run(f"document.querySelectorAll('.item[tabindex=\"0\"]').length") == 1
    browser.press("Escape")
    assert browser.run(f"{tip}.hidden")


def test_a_large_pull_stays_usable(browser, bench):
    page, _ = bench
    browser.show_as(width=390, height=800)
    text = shows(browser, with_document(page, pull(500, 20, left_out=7)))
    assert "400 of 500 connections are drawn" in text and "7 requests more were made" in text
    assert browser.run("document.querySelectorAll('*').length") < 40_000
    browser.run("document.querySelectorAll('details')[1].open = true")
    browser.settle()
    tables = "document.querySelectorAll('details')[1].querySelectorAll('tbody tr').length"
    assert browser.run(tables) == 1000
    browser.run("document.querySelector('details button').click()")
    assert browser.run(tables) == 2000
    assert browser.run("document.documentElement.scrollWidth") == 390


def test_an_empty_pull(browser, bench):
    page, _ = bench
    text = shows(browser, with_document(page, {"kind": "timeline", "hawser": "0.1.0", "images": [], "exit_code": 5, "elapsed": 0,
                                               "connections": [], "exchanges": [], "arrivals": []}))
    assert "No byte of a blob arrived." in text and "There was no connection." in text and "exit code 5" in text
    assert not re.search("undefined|NaN|null|Infinity", text)
    killed = pull()
    del killed["exit_code"]
    assert "It was killed before it had ended." in shows(browser, with_document(page, killed))


@pytest.mark.parametrize("kind", ["bench", "timeline"])
def test_phones_darkness_and_paper(browser, bench, kind):
    page, document = bench
    if kind == "bench":
        document["settings"][0]["timeline"] = timeline(30, 10)
    file = with_document(page, document if kind == "bench" else pull(30, 10))
    browser.show_as(width=390, height=800)
    shows(browser, file)
    assert browser.run("[document.documentElement.scrollWidth, innerWidth]") == [390, 390]
    assert browser.run("Math.max(...[...document.querySelectorAll('.chart text')].map(each => each.getBoundingClientRect().right))") <= 390
    background = "getComputedStyle(document.body).backgroundColor"
    light = browser.run(background)
    browser.show_as(dark=True)
    shows(browser, file)
    assert browser.run(background) != light
    printed = browser.print()
    assert printed.startswith(b"%PDF") and len(printed) > 10_000
    # Paper is white, whatever the screen.
    browser.show_as(dark=True, media="print")
    assert browser.run(background) == "rgb(255, 255, 255)"


def test_it_can_be_read_aloud(browser, bench):
    page, document = bench
    document["settings"][0]["timeline"] = timeline(3, 4)
    browser.show_as()
    shows(browser, with_document(page, document))
    browser.run("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    browser.settle()
    lacking = browser.run("""[
        ...[...document.querySelectorAll('table')].filter(each => !each.caption || each.caption.textContent === ''),
        ...[...document.querySelectorAll('th')].filter(each => !each.scope),
        ...[...document.querySelectorAll('.chart svg[role=img]')].filter(each => !each.querySelector('title') || !each.querySelector('desc')),
        ...[...document.querySelectorAll('svg')].filter(each => !each.closest('[aria-hidden]') && !each.role),
        ...[...document.querySelectorAll('select')].filter(each => each.labels.length !== 1),
        ...[...document.querySelectorAll('.item')].filter(each => !each.ariaLabel)].map(each => each.outerHTML)""")
    assert lacking == []
    assert browser.run("[document.documentElement.lang, document.querySelectorAll('h1').length]") == ["en", 1]


def test_it_is_written_when_the_bench_ends_early(browser, hawser, image):
    (hawser.directory / "page.html").symlink_to("target.html")
    result = hawser.run("bench", "--runs", "1000", "--max-time", "1s", "--connections", "2", "--json", "--html", "page.html", image)
    assert (hawser.directory / "page.html").is_symlink() and (hawser.directory / "target.html").is_file()
    assert result.code == OK
    browser.show_as()
    assert "Ended early: " in shows(browser, hawser.directory / "page.html")


def test_a_pull_writes_where_its_time_went(browser, hawser, image):
    result = hawser.run("pull", "--no-cache", "--timeline", "pull.html", "-o", "image.tar", image)
    assert result.code == OK, result.err
    browser.show_as()
    text = shows(browser, hawser.directory / "pull.html")
    document = json.loads(browser.run("document.getElementById('document').textContent"))
    assert document["images"] == [image] and image in text and f"{document['elapsed']:.2f} s" in text
    assert browser.run("document.querySelectorAll('.item .receive').length") > 0
    browser.run("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    browser.settle()
    received = browser.run("""[...document.querySelectorAll('details')[1].querySelectorAll('tbody tr')].map(
        row => Number([...row.querySelectorAll('data')].at(-1).value))""")
    assert received == [exchange["received"] for exchange in document["exchanges"]]


def test_a_bench_shows_the_timeline_of_each_setting(browser, bench):
    page, document = bench
    browser.show_as()
    shows(browser, page)
    for i, setting in enumerate(document["settings"]):
        browser.run(f"(s => {{ s.value = {i}; s.dispatchEvent(new Event('change')); }})(document.getElementById('setting'))")
        browser.settle()
        shown = browser.run("[...document.querySelectorAll('details summary')].map(each => each.textContent)")
        timeline = setting["timeline"]
        assert shown[-2:] == [f"Connections ({len(timeline['connections'])})", f"Requests ({len(timeline['exchanges'])})"]
    assert browser.complaints == []


def test_where_it_cant_be_written(hawser, registry, image):
    """Known before anything is asked for; or else what was measured is told nevertheless."""
    for path, code in (("missing/page.html", DISK), (".", DISK), ("-", USAGE)):
        refused = hawser.run("bench", "--html", path, image)
        assert refused.code == code and refused.out == b""
        assert "downloaded" not in refused.err
    directory = hawser.directory / "pages"
    directory.mkdir()
    run = hawser.start("bench", "--runs", "1000", "--max-time", "3s", "--connections", "2", "--json", "--html",
                       "pages/page.html", image)
    time.sleep(0.5)
    directory.rmdir()
    result = run.wait()
    assert result.code == DISK and "pages" in result.err
    assert json.loads(result.out)["settings"][0]["samples"]
