#!/usr/bin/env python3
"""The benchmarks of accuracy and of space: their tables, and one of what they must show.

usage: run.py --data FOLDER --work FOLDER [--suite space] [--r RSCRIPT] [--r-slow] [--page PAGE] DATASET...

Runs each DATASET.sql beside this file (or in the folder space beside its own) in a fresh database of the cluster that PGHOST
and so on name, prints its tables as they come, and at the end what was judged.  Needs
nothing but Python and psql; with RSCRIPT also figures of R's package forecast (with
--r-slow also of the 793 series of tourism), kept in the work folder.
"""
import argparse
import datetime
import json
import os
import re
import shlex
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from report import machine, page_write, table  # noqa: E402

DATABASE = "bench_accuracy"
SUITES = {"accuracy": "airline classic m4 tourism etth1 ili stocks".split(),
          "space": "loop bike era5 wind blob flood grid sites".split()}


def psql(*arguments):
    return subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"] + list(arguments), check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def markdown(lines):
    """Lines of psql's tables with border 2 as they are in Markdown."""
    rule, blank = 0, True
    for line in lines:
        if blank and not line.strip():
            continue
        blank = not line.strip()
        if re.fullmatch(r"\+[-+]+\+\s*", line):
            rule += 1
            if rule == 2:
                yield line.rstrip().replace("+", "|") + "\n"
        else:
            if not line.startswith("|"):
                rule = 0
            yield line


def r_command(arguments, methods):
    return "%s %s \"$WORK/$NAME.csv\" %s" % (shlex.quote(arguments.r), shlex.quote(os.path.join(HERE, "classical.R")),
                                             shlex.quote(methods))


def dataset_run(name, arguments):
    """Prints the tables; returns their text and what was judged."""
    psql("-d", "postgres", "-c", "SET client_min_messages = warning", "-c", "DROP DATABASE IF EXISTS " + DATABASE,
         "-c", "CREATE DATABASE " + DATABASE)
    environment = dict(
        os.environ, DATA=arguments.data, WORK=arguments.work, LOAD=os.path.join(HERE, "load.py"), PYTHONDONTWRITEBYTECODE="1",
        CLASSICAL=r_command(arguments, "ets arima theta") if arguments.r else "true",
        CLASSICAL_SLOW=r_command(arguments, "ets theta") if arguments.r and arguments.r_slow else "true")
    command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", DATABASE, "-f", os.path.join(os.path.dirname(HERE), arguments.suite, name + ".sql")]
    if arguments.recipe:
        command += ["-v", "recipe=" + arguments.recipe]
    begin = time.monotonic()
    text = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        for line in markdown(process.stdout):
            print(line, end="", flush=True)
            text.append(line)
    if process.returncode:
        raise SystemExit("%s.sql failed" % name)
    seconds = time.monotonic() - begin
    print("\n%s: %.0f s\n" % (name, seconds), flush=True)
    judged = json.loads(psql("-d", DATABASE, "-At", "-c", "SELECT coalesce(json_agg(r ORDER BY place), '[]') FROM ("
                             "SELECT *, CASE WHEN met IS NOT NULL THEN met WHEN must IS NOT NULL THEN coalesce(on_side(value, side, must), false)"
                             " END AS is_met, on_side(value, side, aim) AS is_aim"
                             " FROM result) AS r"))
    return "".join(text), judged, seconds


def yes(flag):
    return {True: "yes", False: "**no**", None: ""}[flag]


def bound(row, key):
    return "" if row[key] is None else "%s %s" % (row["side"], row[key])


def summary(judged):
    rows = [[r["data"], r["figure"], "" if r["value"] is None else r["value"], bound(r, "must"), yes(r["is_met"]),
             bound(r, "aim"), yes(r["is_aim"]).replace("*", "")] for r in judged]
    musts = [r["is_met"] for r in judged if r["is_met"] is not None]
    aims = [r["is_aim"] for r in judged if r["is_aim"] is not None]
    return "%s\n\n%d of %d musts met, %d of %d aims.\n" % (
        table(["data", "figure", "measured", "must", "met", "aim", "reached"], rows), sum(musts), len(musts), sum(aims), len(aims))


def kept(arguments, name):
    """Where the figures of a data set's newest run are."""
    return os.path.join(arguments.work, "%s-%s.json" % (arguments.suite, name))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="*", metavar="DATASET")
    parser.add_argument("--suite", default="accuracy", choices=SUITES, help="which benchmarks")
    parser.add_argument("--data", default="", help="folder of outside data")
    parser.add_argument("--work", required=True, help="folder for what R computed")
    parser.add_argument("--r", help="an Rscript that has the package forecast")
    parser.add_argument("--r-slow", action="store_true", help="also where R takes minutes")
    parser.add_argument("--recipe", help="options for all trainings instead of each script's own, for trials")
    parser.add_argument("--page", help="write the tables into this page")
    arguments = parser.parse_args()
    everything = SUITES[arguments.suite]
    arguments.datasets = arguments.datasets or everything
    for name in arguments.datasets:
        if name not in everything:
            raise SystemExit("there is no data set \"%s\"; known: %s" % (name, " ".join(everything)))
    if arguments.page and arguments.recipe:
        raise SystemExit("a page is of the scripts' own recipes, not of --recipe")
    os.makedirs(arguments.work, exist_ok=True)

    place = "%s. %s. PostgreSQL %s." % (datetime.date.today(), machine(), psql("-d", "postgres", "-At", "-c", "SHOW server_version").strip())
    judged, seconds = [], 0
    for name in arguments.datasets:
        print("== %s\n" % name, flush=True)
        text, figures, took = dataset_run(name, arguments)
        judged += figures
        seconds += took
        with open(kept(arguments, name), "w") as file:
            json.dump([figures, took], file)
        if arguments.page:
            page_write(arguments.page, name, "%s %.0f s.\n\n%s" % (place, took, text))
    print("== summary\n\n%s%.0f s\n" % (summary(judged), seconds))
    if not arguments.page:
        return
    # Data sets may be run one by one: the page's summary is of the newest run of each.
    missing = [name for name in everything if not os.path.exists(kept(arguments, name))]
    if missing:
        print("the page's summary is written when these have run, too: " + " ".join(missing), file=sys.stderr)
        return
    judged, seconds = [], 0
    for name in everything:
        with open(kept(arguments, name)) as file:
            figures, took = json.load(file)
        judged += figures
        seconds += took
    page_write(arguments.page, "summary", "%s %.0f s.\n\n%s" % (place, seconds, summary(judged)))


main()
