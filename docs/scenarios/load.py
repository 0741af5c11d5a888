#!/usr/bin/env python3
"""Writes a part of the public data as CSV without a header, for COPY: load.py NAME, DATA=folder.

era5            time, latitude, longitude, temperature of every fourth row and column
speed, road     sensor, minutes since the first row, speed; from sensor, to sensor, weight
stocks          symbol, date, close
illness         date, share of visits for influenza-like illness in percent
flood           date, precipitation, potential evaporation, discharge
earthquakes     date, latitude, longitude, magnitude
"""
import csv
import gzip
import os
import sys


def rows(*path):
    """The rows of a file of the folder, with its header."""
    name = os.path.join(os.environ["DATA"], *path)
    with (gzip.open(name, "rt") if name.endswith(".gz") else open(name, newline="")) as file:
        yield from csv.reader(file)


def body(*path):
    """The same without the header."""
    lines = rows(*path)
    next(lines)
    return lines


def speed():
    """One line for each sensor and row of five minutes."""
    table = rows("los_loop", "los_speed.csv")
    sensors = next(table)
    for i, row in enumerate(table):
        for sensor, value in zip(sensors, row):
            yield sensor, i * 5, value


SETS = {
    "era5": lambda: (row for row in body("era5_uk_t2m", "era5_uk_t2m_2019_03.csv.gz")
                     if float(row[1]) % 1 == 0 and float(row[2]) % 1 == 0),
    "speed": speed,
    "road": lambda: (row for row in body("los_loop", "metr_la_weights_dcrnn.csv") if row[0] != row[1]),
    "stocks": lambda: ((row[0], row[1], row[5]) for row in body("stocks", "gafa_stock.csv")),
    "illness": lambda: ((row[0], row[1]) for row in body("ili_us", "national_illness.csv")),
    "flood": lambda: ((row[0], row[1], row[3], row[5]) for row in body("flood_catchment", "l0123001_daily.csv")),
    "earthquakes": lambda: body("earthquakes", "earthquakes_1965_2016.csv"),
}

csv.writer(sys.stdout, lineterminator="\n").writerows(SETS[sys.argv[1]]())
