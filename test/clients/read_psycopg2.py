"""Python (psycopg2) reads the views: types, values, instants in two time zones."""
import datetime
import os

import psycopg2

from clients import MODELS, VIEWS, QUERY, bits, done, equal, ok, psql, reference

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def micros(moment):
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


def connect(zone):
    return psycopg2.connect(dbname="clients", options="-c TimeZone=" + zone)


for zone in "UTC", "Europe/Dublin":
    with connect(zone) as connection, connection.cursor() as cursor:
        for view in VIEWS:
            cursor.execute(QUERY.format(view))
            rows = cursor.fetchall()
            name = "%s in %s" % (view, zone)
            ok(all(type(row[0]) is datetime.datetime and row[0].tzinfo is not None for row in rows), name + ": times have a zone")
            ok(all(type(number) in (float, type(None)) for row in rows for number in row[2:5]), name + ": numbers are floats")
            equal([(micros(row[0]), row[1], bits(row[2]), bits(row[3]), bits(row[4]), row[5]) for row in rows],
                  reference(view), name + ": rows are those of psql")

# A row of each view in the words of other programs, beside the same one of the first view.
with connect("UTC") as connection, connection.cursor() as cursor:
    for view, query, names, like in (
            ("wind_superset", "SELECT * FROM wind_superset WHERE series = 'DUB' ORDER BY __timestamp DESC",
             ["__timestamp", "series", "speed", "speed__yhat", "speed__yhat_lower", "speed__yhat_upper"],
             lambda row: (row["__timestamp"], row["speed"], row["speed__yhat"], row["speed__yhat_lower"], row["speed__yhat_upper"])),
            ("wind_prophet", "SELECT * FROM wind_prophet WHERE metric = 'DUB' ORDER BY ds DESC",
             ["ds", "y", "yhat", "yhat_lower", "yhat_upper", "metric", "series", "target"],
             lambda row: (row["ds"], row["y"], row["yhat"], row["yhat_lower"], row["yhat_upper"]))):
        cursor.execute(query)
        columns = [column.name for column in cursor.description]
        equal(columns, names, view + ": its columns")
        rows = [like(dict(zip(columns, row))) for row in cursor.fetchall()]
        ok(all(type(row[0]) is datetime.datetime and row[0].tzinfo is not None for row in rows), view + ": times have a zone")
        ok(all(type(number) in (float, type(None)) for row in rows for number in row[1:]), view + ": numbers are floats")
        ahead = [row for row in rows if row[2] is not None]
        equal([len(ahead), all(row[1] is None and row[3] < row[2] < row[4] for row in ahead)], [7, True], view + ": seven days ahead within their intervals")
        for kind, found in ("forecast", ahead[0]), ("history", next(row for row in rows if row[1] is not None)):
            cursor.execute("SELECT value, lower, upper FROM wind WHERE kind = %s AND metric = 'DUB' AND time = %s", (kind, found[0]))
            value, lower, upper = cursor.fetchone()
            equal([bits(number) for number in found[1:]],
                  [bits(number) for number in ((None, value, lower, upper) if kind == "forecast" else (value, None, None, None))],
                  "%s: its newest %s is that of wind" % (view, kind))

with connect("Europe/Dublin") as connection, connection.cursor() as cursor:
    cursor.execute("SELECT time FROM autumn WHERE kind = 'forecast' ORDER BY time")
    rows = [row[0] for row in cursor.fetchall()]
    equal([(row.hour, int(row.utcoffset().total_seconds())) for row in rows],
          [(0, 3600), (1, 3600), (1, 0), (2, 0), (3, 0), (4, 0)], "autumn: the hour that is twice on the clock")
    cursor.execute(MODELS)
    row = cursor.fetchall()[0]
    equal([type(field).__name__ for field in row], ["str", "int", "bool", "datetime", "int", "NoneType"], "types of lstm.models")
    cursor.execute("SELECT * FROM lstm.forecast(%s, confidence_level => %s) LIMIT 1", ("wind", 0.8))
    equal([column.name for column in cursor.description][:4], ["series", "target", "step", "forecast_timestamp"],
          "parameters of lstm.forecast are bound")
    cursor.execute("SELECT time FROM wind WHERE time > %s ORDER BY time LIMIT 1", (rows[0].replace(year=1978),))
    equal(micros(cursor.fetchone()[0]), int(psql("SELECT (extract(epoch FROM time) * 1000000)::bigint FROM wind "
          "WHERE time > '1978-10-25 00:00+01' ORDER BY time LIMIT 1")[0][0]), "an instant as parameter")
done()
