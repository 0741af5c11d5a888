#!/usr/bin/env python3
"""Writes a data set as CSV without a header, for COPY: load.py NAME, DATA=folder.

classic, airline	series, rows of a season, time, value
m4, tourism		series, period, test or train, number of the row, value (tourism: and its year)
etth1, ili		time, the seven columns
stocks			symbol, date, close
"""
import csv
import gzip
import os
import sys

SEASON = {"daily-max-temperatures": 365, "daily-min-temperatures": 365, "daily-total-female-births": 7,
          "yearly-water-usage": 1}


def rows(*path):
    """The rows of a file of the folder, without its header."""
    name = os.path.join(os.environ["DATA"], *path)
    with (gzip.open(name, "rt") if name.endswith(".gz") else open(name, newline="")) as file:
        yield from list(csv.reader(file))[1:]


def day(text):
    """1949-01 and 1885 as dates; the years 1, 2, ... of series without dates as 2001, 2002, ..."""
    part = [int(x) for x in text.split("-")] + [1, 1]
    return "%04d-%02d-%02d" % (part[0] + 2000 if part[0] < 1000 else part[0], part[1], part[2])


def classic(names):
    for name in names:
        for row in rows("classic", name):
            if len(row) > 1:
                series = name[:-len(".csv")]
                yield series, SEASON.get(series, 12), day(row[0]), row[1]


SETS = {
    "airline": lambda: classic(["airline-passengers.csv"]),
    "classic": lambda: classic(sorted(name for name in os.listdir(os.path.join(os.environ["DATA"], "classic"))
                                      if name.endswith(".csv"))),
    "m4": lambda: ((series, "hourly", part, t, value, "")
                   for series, part, t, value in rows("m4_hourly", "m4_hourly_long.csv.gz")),
    "tourism": lambda: ((series, period.lower(), part, t, value, time)
                        for series, period, _, part, t, time, value in rows("tourism", "tourism_long.csv.gz")
                        if period in ("MONTHLY", "QUARTERLY")),
    "etth1": lambda: rows("etth1", "ETTh1.csv.gz"),
    "ili": lambda: rows("ili_us", "national_illness.csv"),
    "stocks": lambda: ((row[0], row[1], row[5]) for row in rows("stocks", "gafa_stock.csv")),
}

csv.writer(sys.stdout, lineterminator="\n").writerows(SETS[sys.argv[1]]())
