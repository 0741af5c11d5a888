"""What the programs of this folder share: TAP, and psql as the one to compare with.

A row of a view is (microseconds since 1970, metric, value, lower, upper, kind), numbers as
the hex digits of their bits, so that "equal" means equal.
"""
import os
import struct
import subprocess
import sys

VIEWS = ["wind", "spring", "autumn"]
QUERY = "SELECT time, metric, value, lower, upper, kind FROM {} ORDER BY kind, metric, time"
MODELS = "SELECT name, version, deployed, trained_at, rows, joint FROM lstm.models ORDER BY name"

_count = [0, 0]


def ok(passed, name, *details):
    _count[0] += 1
    if not passed:
        _count[1] += 1
    print("%sok %d - %s" % ("" if passed else "not ", _count[0], name))
    for detail in details if not passed else ():
        for line in str(detail).splitlines():
            print("# " + line)
    return passed


def equal(got, expected, name):
    """Lists or values; says where the first difference is."""
    detail = ""
    if got != expected and isinstance(got, list) and isinstance(expected, list):
        detail = "%d and %d elements" % (len(got), len(expected))
        for i, (g, e) in enumerate(zip(got, expected)):
            if g != e:
                detail += "\nfirst difference at %d\ngot      %r\nexpected %r" % (i, g, e)
                break
    elif got != expected:
        detail = "got      %r\nexpected %r" % (got, expected)
    return ok(got == expected, name, detail)


def done():
    print("1..%d" % _count[0])
    sys.exit(_count[1] > 0)


def bits(number):
    return None if number is None else struct.pack(">d", number).hex()


def psql(query, *options, zone="UTC"):
    """The rows of a query, fields as text, NULL as None."""
    environment = dict(os.environ, PGTZ=zone, PGDATABASE="clients")
    command = ["psql", "-X", "-A", "-t", "-F", "\x1f", "-R", "\x1e", "-P", r"null=\N", "-v", "ON_ERROR_STOP=1", "-c", query]
    result = subprocess.run(command + list(options), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            universal_newlines=True)
    if result.returncode != 0:
        raise RuntimeError("psql: " + result.stderr)
    text = result.stdout[:-1] if result.stdout.endswith("\n") else result.stdout
    if text == "":
        return []
    return [[None if f == r"\N" else f for f in row.split("\x1f")] for row in text.split("\x1e")]


def reference(view):
    """The rows of a view as psql has them."""
    rows = psql("SELECT (extract(epoch FROM time) * 1000000)::bigint, metric, encode(float8send(value), 'hex'), "
                "encode(float8send(lower), 'hex'), encode(float8send(upper), 'hex'), kind FROM (" + QUERY.format(view) + ") v")
    return [(int(row[0]),) + tuple(row[1:]) for row in rows]
