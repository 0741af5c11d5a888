#!/usr/bin/env python3
"""Writes a data set as CSV without a header, for COPY: load.py NAME, DATA=folder.

classic, airline	series, rows of a season, time, value
m4, tourism		series, period, test or train, number of the row, value (tourism: and its year)
etth1, ili		time, the seven columns
stocks			symbol, date, close
loop			sensor, minutes since the first row, speed; loop_place: sensor, longitude, latitude
bike			time, row, column, the two flows
era5			time, latitude, longitude, temperature
flood			date, precipitation, temperature, potential evaporation, discharge
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


def loop():
    """One line for each sensor and row of five minutes."""
    with open(os.path.join(os.environ["DATA"], "los_loop", "los_speed.csv"), newline="") as file:
        table = list(csv.reader(file))
    for i, row in enumerate(table[1:]):
        for sensor, speed in zip(table[0], row):
            yield sensor, i * 5, speed


SETS = {
    "loop": loop,
    "loop_place": lambda: ((row[1], row[3], row[2]) for row in rows("los_loop", "graph_sensor_locations.csv")),
    "bike": lambda: (row[:5] for row in rows("nycbike_grid", "nycbike1_grid.csv.gz")),
    "era5": lambda: rows("era5_uk_t2m", "era5_uk_t2m_2019_03.csv.gz"),
    "flood": lambda: (row[:4] + row[5:] for row in rows("flood_catchment", "l0123001_daily.csv")),
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
