#!/usr/bin/env python3
"""Latency of forecasts in a session that has the model, and a mix of sessions.

usage: run_latency.py [--calls N] [--seconds S] [--core CORE] [--reps N] [--page PAGE]

Runs on the cluster that PGHOST and so on name, in databases of its own.  One
pgbench session runs all statements prepared, in turns at random, about N of each;
times are the client's, from sending a statement to its whole answer.  Then four
sessions forecast, train, retrain and deploy one model for S seconds: no error may come,
and every forecast must be what one of its versions says (test/t/mix).
"""
import argparse
import datetime
import glob
import os
import subprocess
import tempfile

from report import machine, median, page_write, quantity, table

HERE = os.path.dirname(os.path.abspath(__file__))
LATENCY = os.path.join(HERE, "latency")
MIX = os.path.join(HERE, "..", "t", "mix")
STATEMENTS = [
    ("one", "`SELECT 1`"),
    ("rows", "the newest 70 rows, read by themselves"),
    ("forecast", "`lstm.forecast`, stored source"),
    ("source", "`lstm.forecast`, a `source` given"),
    ("members", "`lstm.forecast`, with two simple members: 2,000 rows"),
    ("predict", "`lstm.predict`, model and history from tables"),
]


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def psql(database, *arguments):
    return run("psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", database, *arguments).strip()


def database_create(name, *setup):
    psql("postgres", "-c", "SET client_min_messages = error", "-c", "DROP DATABASE IF EXISTS %s WITH (FORCE)" % name, "-c", "CREATE DATABASE %s" % name)
    psql(name, *setup)


def script(folder, name, weight=1):
    return ["-f", "%s@%d" % (os.path.join(folder, name + ".sql"), weight)]


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def latency(calls):
    """Milliseconds of each statement's calls."""
    database_create("bench_latency", "-f", os.path.join(LATENCY, "setup.sql"))
    scripts = [part for name, _ in STATEMENTS for part in script(LATENCY, name)]
    times = [[] for _ in STATEMENTS]
    with tempfile.TemporaryDirectory() as folder:
        run("pgbench", "-n", "-M", "prepared", "-c", "1", "-t", str(calls * len(STATEMENTS)), "-l",
            "--log-prefix", os.path.join(folder, "log"), *scripts, "bench_latency", stderr=subprocess.STDOUT)
        for name in glob.glob(os.path.join(folder, "log*")):
            for line in open(name):
                field = line.split()
                times[int(field[3])].append(int(field[2]) / 1000)
    return times


def latency_table(times):
    base = median(times[0])
    rows = [[text, len(t), "%.3f" % median(t), "%.3f" % percentile(t, 0.99),
             "" if i == 0 else "%.3f" % (median(t) - base)]
            for i, ((_, text), t) in enumerate(zip(STATEMENTS, times))]
    return table(["statement", "calls", "median, ms", "99th percentile, ms", "median above `SELECT 1`, ms"], rows)


def mix(seconds):
    """One line about the mix; fails where anything in it did."""
    database_create("bench_mix", "-c", "CREATE EXTENSION lstm", "-f", os.path.join(MIX, "setup.sql"))
    run("pgbench", "-n", "-M", "prepared", "-c", "4", "-j", "2", "-T", str(seconds), *script(MIX, "forecast", 990),
        *script(MIX, "deploy", 9), *script(MIX, "train", 1), *script(MIX, "retrain", 1), "bench_mix",
        stderr=subprocess.STDOUT)
    forecasts, seen, versions, retrained, other = (int(x) for x in psql("bench_mix", "-F", " ", "-c", """
        SELECT count(*), count(DISTINCT version), (SELECT count(*) FROM mix_answer),
            (SELECT count(*) FROM lstm.models WHERE metrics ? 'retrain'),
            (SELECT count(*) FROM mix_answer WHERE digest IS DISTINCT FROM mix_digest(version))
        FROM mix_seen""").split())
    if other or seen < 2:
        raise SystemExit("%d versions answer otherwise than before, %d were seen" % (other, seen))
    return ("Four sessions for %d s: %s forecasts, %d versions trained, %d of them by `lstm.retrain`, %d deployed "
            "and seen; no error, and every forecast was what one version says." %
            (seconds, quantity(forecasts), versions, retrained, seen))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=10000)
    parser.add_argument("--seconds", type=int, default=250)
    parser.add_argument("--core")
    parser.add_argument("--reps")
    parser.add_argument("--page")
    arguments = parser.parse_args()
    figures = latency_table(latency(arguments.calls))
    print(figures, flush=True)
    words = mix(arguments.seconds)
    print(words)
    if arguments.page:
        server = psql("postgres", "-c", "SHOW server_version")
        page_write(arguments.page, "latency", "%s. %s. PostgreSQL %s.\n\n%s\n\n%s" % (
            datetime.date.today().isoformat(), machine(), server, figures, words))


if __name__ == "__main__":
    main()
