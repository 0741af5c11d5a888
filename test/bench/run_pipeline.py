#!/usr/bin/env python3
"""The benchmarks inside a server: end to end beside Python, and reading rows.

usage: run_pipeline.py [--data FOLDER] [--python PYTHON] [--reps N] [--page PAGE]

Runs on the cluster that PGHOST and so on name, in a database of its own.  With a
FOLDER of outside data: train and forecast Beijing's PM2.5, once in SQL and once
in PYTHON (one with PyTorch and psycopg2), taking turns.  Server and clients
share one core.  Times are those of the whole client, from start to end.
"""
import argparse
import datetime
import os
import subprocess
import sys
import time

from report import machine, median, one_thread, page_write, pinned, quantity, table

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pipeline")
DATABASE = "bench_pipeline"
ROWS = 2000000


def psql(core, *arguments):
    command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", DATABASE]
    return subprocess.run(pinned(core, command + list(arguments)), check=True, capture_output=True,
                          text=True, env=one_thread()).stdout


def figures(text):
    """Lines of "name value" as a dictionary."""
    return {name: value for name, _, value in (line.partition(" ") for line in text.splitlines())}


def client_run(core, command):
    """Seconds and figures of one client."""
    before = time.perf_counter()
    text = subprocess.run(pinned(core, command), check=True, stdout=subprocess.PIPE, text=True,
                          env=dict(one_thread(), PGDATABASE=DATABASE)).stdout
    return time.perf_counter() - before, figures(text)


def error_of_prediction(core):
    return float(psql(core, "-At", "-c", "SELECT sqrt(avg((yhat - pm25) ^ 2)) FROM prediction JOIN pollution USING (i)"))


def row_of(name, runs, error):
    seconds = median(s for s, _ in runs)
    server = median(int(f["server"]) for _, f in runs) / 1024
    client = median(int(f["client"]) for _, f in runs) / 1024
    return [name, "%.2f" % seconds, "%.0f" % server, "%.0f" % client, "%.0f" % (server + client), "%.2f" % error]


def end_to_end(arguments):
    core = arguments.core
    psql(core, "-v", "data=" + os.path.abspath(arguments.data), "-f", os.path.join(HERE, "load.sql"))
    clients = {"lstm": ["psql", "-X", "-f", os.path.join(HERE, "ours.sql")]}
    if arguments.python:
        clients["PyTorch"] = [arguments.python, os.path.join(HERE, "pytorch.py")]
    runs = {name: [] for name in clients}
    errors = {}
    for _ in range(arguments.reps + 1):
        for name, command in clients.items():
            runs[name].append(client_run(core, command))
            errors[name] = error_of_prediction(core)
            print("%-8s %.3f s %s" % (name, runs[name][-1][0], runs[name][-1][1]), file=sys.stderr)
    rows = [row_of(name, runs[name][1:], errors[name]) for name in clients]
    text = table(["", "seconds", "server, MB", "client, MB", "together, MB", "test RMSE"], rows)
    if arguments.python:
        times = [median(s for s, _ in runs[name][1:]) for name in ("PyTorch", "lstm")]
        memory = [float(row[4]) for row in reversed(rows)]
        middle = sorted(runs["PyTorch"][1:], key=lambda run: run[0])[(len(runs["PyTorch"]) - 1) // 2]
        text += "\n\n%.1f times as fast, with %.0f %% of the memory. Of PyTorch's time: %s." % (
            times[0] / times[1], 100 * memory[1] / memory[0], middle[1]["parts"])
    return text


def reading(core):
    seconds = {k: float(v) for k, v in figures(psql(core, "-f", os.path.join(HERE, "reading.sql"))).items()}
    rows = []
    for order, what in (("by_time", "by time, series interleaved"), ("by_series", "by series")):
        read, plain = seconds["read_" + order], seconds["sum_" + order]
        rows.append([what, quantity(ROWS / read), "%.0f" % (1e3 * read), "%.0f" % (1e3 * plain), "%.1f" % (read / plain)])
    return table(["2 million rows stored", "rows/s", "read, ms", "sum(v), ms", "ratio"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of outside data")
    parser.add_argument("--python", help="a Python with PyTorch and psycopg2")
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--core", type=int, default=(os.cpu_count() or 1) - 1)
    parser.add_argument("--page", help="write the tables into this page")
    arguments = parser.parse_args()

    subprocess.run(["psql", "-X", "-q", "-d", "postgres", "-c", "SET client_min_messages = warning",
                    "-c", "DROP DATABASE IF EXISTS " + DATABASE,
                    "-c", "CREATE DATABASE " + DATABASE], check=True)
    psql(arguments.core, "-c", "CREATE EXTENSION lstm")
    place = "%s. %s. PostgreSQL %s.\n\n" % (datetime.date.today(), machine(), psql(
        arguments.core, "-At", "-c", "SHOW server_version").strip())
    parts = {"reading": place + reading(arguments.core)}
    if arguments.data:
        parts["end to end"] = place + end_to_end(arguments)
    for part, text in parts.items():
        print("%s:\n\n%s\n" % (part, text))
        if arguments.page:
            page_write(arguments.page, part, text)


main()
