"""Chromium opens the pictures and the report: they are drawn, alone, and names stay text.

Usage: read_browser.py PROGRAM FOLDER; FOLDER receives the pages and screenshots.
"""
import collections
import html
import os
import sys
import xml.dom.minidom

from browser import Browser
from clients import done, equal, ok, psql

MARKUP = "<b>&</title><script>x"
program, folder = sys.argv[1:3]
functions = {row[0] for row in psql("SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'lstm'::regnamespace")}
literal = "'" + MARKUP.replace("'", "''") + "'"

has_map = "plot_map" in functions

# name: (query, a part of its title); those of "places" need PostGIS (map.sql)
PAGES = collections.OrderedDict([
    ("forecast", ("SELECT lstm.plot_forecast('wind', series => 'DUB', history => 120)", "wind")),
    ("forecast_spring", ("SELECT lstm.plot_forecast('spring')", "spring")),
    ("forecast_markup", ("SELECT lstm.plot_forecast(%s, series => '</svg><script>alert(1)</script>')" % literal, MARKUP)),
    ("forecast_image", ("SELECT lstm.plot_forecast(%s, series => '\"><img src=x onerror=alert(2)>&amp;')" % literal, MARKUP)),
    ("training", ("SELECT lstm.plot_training('wind')", "wind")),
    ("training_markup", ("SELECT lstm.plot_training(%s)" % literal, MARKUP)),
    ("importance", ("SELECT lstm.plot_importance('wind')", "wind")),
    ("importance_markup", ("SELECT lstm.plot_importance(%s)" % literal, MARKUP)),
    ("report", ("SELECT lstm.report('wind')", "wind")),
    ("report_markup", ("SELECT lstm.report(%s)" % literal, MARKUP)),
    ("map", ("SELECT lstm.plot_map('places', 2)", "places")),
    ("map_report", ("SELECT lstm.report('places', series => 1)", "places")),
])


def drawn(picture):
    """Share of pixels of other colours than the commonest."""
    counts = collections.Counter(picture[2])
    return 1 - counts.most_common(1)[0][1] / len(picture[2]), len(counts), counts.most_common(1)[0][0]


def look(browser, name, path, title):
    browser.scheme("light")
    browser.open("file://" + path)
    ok(not browser.complaints(), name + ": the console is silent", browser.complaints())
    equal([url for url in browser.requests() if not url.startswith("data:")], ["file://" + path], name + ": asks for nothing but itself")
    found = browser.evaluate("document.title || (document.querySelector('title') || {}).textContent")
    ok(found is not None and title in found, name + ": its title names the model", found)
    equal(browser.evaluate("document.querySelectorAll('script, img, iframe, object, embed, foreignObject').length"), 0,
          name + ": has no script and nothing embedded")
    equal(browser.evaluate("Array.from(document.querySelectorAll('*')).filter(e => Array.from(e.attributes).some(a => "
                           "/^on/i.test(a.name) || (/href|src/i.test(a.name) && !/^#/.test(a.value)))).length"), 0,
          name + ": has no handler and no link")
    light = drawn(browser.picture(os.path.join(folder, name + ".png")))
    ok(light[0] > 0.005 and light[1] > 8, name + ": something is drawn", "%.4f of the pixels, %d colours" % light[:2])
    browser.scheme("dark")
    dark = drawn(browser.picture(os.path.join(folder, name + "_dark.png")))
    ok(dark[0] > 0.005 and sum(dark[2]) < 200 < 600 < sum(light[2]), name + ": is dark in the dark, light in the light",
       "%s and %s" % (dark[2], light[2]))


browser = Browser(program)
try:
    for name, (query, title) in PAGES.items():
        function = query.split("(")[0].split(".")[1]
        if function not in functions and function != "plot_map":
            ok(True, "%s # skip lstm.%s is not there" % (name, function))
            continue
        if "'places'" in query and not has_map:
            ok(True, name + " # skip PostGIS is not installed")
            continue
        # Functions that warn of something do so on standard error.
        text = psql(query)[0][0]
        page = function == "report"
        path = os.path.abspath(os.path.join(folder, name + (".html" if page else ".svg")))
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            xml.dom.minidom.parseString(text.encode())
            ok(True, name + ": is well-formed XML")
        except Exception as error:
            ok(False, name + ": is well-formed XML", error)
        look(browser, name, path, title)
        if name == "map":
            equal([browser.evaluate("document.querySelectorAll('.label.halo').length > 0"), text.count("&lt;/svg&gt;&lt;script&gt;") > 0], [True, True],
                  name + ": names places, and a name stays text")
        if name == "map_report":
            equal(browser.evaluate("document.querySelectorAll('#map svg').length"), 1, name + ": has a map")
        if page:
            equal(browser.evaluate("document.querySelectorAll('.failed').length"), 0, name + ": no part has failed")
            ok(browser.evaluate("document.querySelectorAll('#evaluation table')[1].rows.length") >= 5, name + ": has several methods to compare with")
            continue
        # As part of a page, where HTML's rules hold.
        inside = os.path.abspath(os.path.join(folder, name + "_inside.html"))
        with open(inside, "w", encoding="utf-8") as file:
            file.write("<!DOCTYPE html><meta charset=utf-8><title>%s</title><body>%s<p id=after>after</p>"
                       % (html.escape(title), text))
        browser.scheme("light")
        browser.open("file://" + inside)
        equal([browser.evaluate("document.querySelectorAll('script, img').length"), browser.evaluate("document.querySelectorAll('svg').length"),
               browser.evaluate("document.getElementById('after').parentNode.tagName"), browser.complaints()], [0, 1, "BODY", []],
              name + ": is one picture within a page, and the page goes on after it")
finally:
    browser.close()
done()
