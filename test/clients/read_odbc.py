"""ODBC (unixODBC and psqlODBC) reads the views, by libodbc itself: types as the driver
describes them, values, time stamps on the clock of the session's zone.

Usage: read_odbc.py DRIVER, the driver's shared object.
"""
import ctypes
import ctypes.util
import os
import sys

from clients import MODELS, VIEWS, QUERY, bits, done, equal, ok, psql

SQL_SUCCESS, SQL_SUCCESS_WITH_INFO, SQL_NO_DATA = 0, 1, 100
SQL_CHAR_TYPES = {1, 12, -1, -8, -9, -10}
SQL_BIT, SQL_BIGINT, SQL_INTEGER, SQL_FLOAT, SQL_DOUBLE, SQL_TYPE_TIMESTAMP = -7, -5, 4, 6, 8, 93
SQL_C_CHAR, SQL_C_DOUBLE, SQL_C_TYPE_TIMESTAMP = 1, 8, 93
SQL_NULL_DATA = -1


class Timestamp(ctypes.Structure):
    _fields_ = [("year", ctypes.c_short), ("month", ctypes.c_ushort), ("day", ctypes.c_ushort), ("hour", ctypes.c_ushort),
                ("minute", ctypes.c_ushort), ("second", ctypes.c_ushort), ("fraction", ctypes.c_uint)]

    def __str__(self):
        return "%04d-%02d-%02d %02d:%02d:%02d.%06d" % (self.year, self.month, self.day, self.hour, self.minute, self.second,
                                                       self.fraction // 1000)


odbc = ctypes.CDLL(ctypes.util.find_library("odbc") or "libodbc.so.2")
handle_t = ctypes.c_void_p


def allocate(kind, parent):
    handle = handle_t()
    check(odbc.SQLAllocHandle(kind, parent, ctypes.byref(handle)), kind - 1 or 1, parent, "SQLAllocHandle")
    return handle


def check(code, kind, handle, what):
    if ctypes.c_short(code).value in (SQL_SUCCESS, SQL_SUCCESS_WITH_INFO):
        return
    state, native, text, length = ctypes.create_string_buffer(6), ctypes.c_int(), ctypes.create_string_buffer(1000), ctypes.c_short()
    odbc.SQLGetDiagRec(kind, handle, 1, state, ctypes.byref(native), text, 1000, ctypes.byref(length))
    raise RuntimeError("%s: %s %s" % (what, state.value.decode(), text.value.decode("utf-8", "replace")))


def connect(zone):
    environment = allocate(1, None)
    odbc.SQLSetEnvAttr(environment, 200, handle_t(3), 0)
    connection = allocate(2, environment)
    settings = ("DRIVER=%s;SERVER=%s;PORT=%s;UID=%s;DATABASE=clients;BoolsAsChar=0;ConnSettings=SET TimeZone %%3d '%s'" % (
        sys.argv[1], os.environ["PGHOST"], os.environ["PGPORT"], os.environ["PGUSER"], zone)).encode()
    check(odbc.SQLDriverConnect(connection, None, settings, len(settings), None, 0, None, 0), 2, connection, "SQLDriverConnect")
    return connection


def get(statement, column, c_type):
    length = ctypes.c_ssize_t()
    buffer = {SQL_C_DOUBLE: ctypes.c_double, SQL_C_TYPE_TIMESTAMP: Timestamp}.get(c_type, lambda: ctypes.create_string_buffer(4000))()
    check(odbc.SQLGetData(statement, column, c_type, ctypes.byref(buffer), ctypes.sizeof(buffer), ctypes.byref(length)), 3, statement,
          "SQLGetData")
    if length.value == SQL_NULL_DATA:
        return None
    if c_type == SQL_C_TYPE_TIMESTAMP:
        return str(buffer)
    return buffer.value if c_type == SQL_C_DOUBLE else buffer.value.decode()


def read(connection, query, c_types):
    """Types as described, and the rows."""
    statement = allocate(3, connection)
    text = query.encode()
    check(odbc.SQLExecDirect(statement, text, len(text)), 3, statement, query)
    columns = ctypes.c_short()
    odbc.SQLNumResultCols(statement, ctypes.byref(columns))
    types = []
    for i in range(columns.value):
        name, length, kind = ctypes.create_string_buffer(100), ctypes.c_short(), ctypes.c_short()
        size, digits, nullable = ctypes.c_size_t(), ctypes.c_short(), ctypes.c_short()
        check(odbc.SQLDescribeCol(statement, i + 1, name, 100, ctypes.byref(length), ctypes.byref(kind), ctypes.byref(size),
                                  ctypes.byref(digits), ctypes.byref(nullable)), 3, statement, "SQLDescribeCol")
        # FLOAT and DOUBLE are both float8; which it is depends on the driver's version.
        types.append("text" if kind.value in SQL_CHAR_TYPES else {SQL_DOUBLE: SQL_FLOAT}.get(kind.value, kind.value))
    rows = []
    while True:
        code = ctypes.c_short(odbc.SQLFetch(statement)).value
        if code == SQL_NO_DATA:
            break
        check(code, 3, statement, "SQLFetch")
        rows.append(tuple(get(statement, i + 1, c_type) for i, c_type in enumerate(c_types)))
    odbc.SQLFreeHandle(3, statement)
    return types, rows


def clock(view, zone):
    """What psql has, time stamps as the clock in the zone shows them."""
    rows = psql("SELECT to_char(time, 'YYYY-MM-DD HH24:MI:SS.US'), metric, encode(float8send(value), 'hex'), "
                "encode(float8send(lower), 'hex'), encode(float8send(upper), 'hex'), kind FROM (" + QUERY.format(view) + ") v", zone=zone)
    return [tuple(row) for row in rows]


C_TYPES = [SQL_C_TYPE_TIMESTAMP, SQL_C_CHAR, SQL_C_DOUBLE, SQL_C_DOUBLE, SQL_C_DOUBLE, SQL_C_CHAR]
for zone in "UTC", "Europe/Dublin":
    connection = connect(zone)
    for view in VIEWS:
        types, rows = read(connection, QUERY.format(view), C_TYPES)
        equal(types, [SQL_TYPE_TIMESTAMP, "text", SQL_FLOAT, SQL_FLOAT, SQL_FLOAT, "text"], "%s in %s: types" % (view, zone))
        equal([(row[0], row[1], bits(row[2]), bits(row[3]), bits(row[4]), row[5]) for row in rows], clock(view, zone),
              "%s in %s: rows are those of psql" % (view, zone))

types, rows = read(connection, MODELS, [SQL_C_CHAR] * 5)
equal(types[:5], ["text", SQL_INTEGER, SQL_BIT, SQL_TYPE_TIMESTAMP, SQL_BIGINT], "types of lstm.models")
ok(all(row[2] == "1" for row in rows), "booleans of lstm.models are bits", rows)
odbc.SQLDisconnect(connection)
done()
