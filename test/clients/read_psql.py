"""psql reads the views: what the other clients are compared with is right itself."""
from clients import VIEWS, QUERY, done, equal, ok, psql, reference

TYPES = [["time", "timestamp with time zone"], ["metric", "text"], ["value", "double precision"],
         ["lower", "double precision"], ["upper", "double precision"], ["kind", "text"]]

for view in VIEWS:
    described = psql("SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a "
                     "WHERE a.attrelid = '%s'::regclass AND a.attnum BETWEEN 1 AND 6 ORDER BY a.attnum" % view)
    equal(described, TYPES, view + ": types of the columns")
    rows = reference(view)
    ok(all((row[3] is None) == (row[5] == "history") for row in rows), view + ": bounds are NULL in the history only")
    forecast = psql("SELECT encode(float8send(forecast_value), 'hex'), encode(float8send(prediction_interval_lower_bound), 'hex'), "
                    "encode(float8send(prediction_interval_upper_bound), 'hex') FROM lstm.forecast('%s') "
                    "ORDER BY series, forecast_timestamp" % view)
    equal([list(row[2:5]) for row in rows if row[5] == "forecast"], forecast, view + ": forecasts are those of lstm.forecast")
    ok(reference(view) == rows, view + ": reading twice gives the same")
    local = psql("SELECT (extract(epoch FROM time) * 1000000)::bigint FROM (" + QUERY.format(view) + ") v", zone="Europe/Dublin")
    equal([int(row[0]) for row in local], [row[0] for row in rows], view + ": the zone of the session changes no instant")

equal(psql("SELECT to_char(time, 'HH24:MI TZH') FROM spring WHERE kind = 'forecast' ORDER BY time", zone="Europe/Dublin"),
      [["23:00 +00"], ["00:00 +00"], ["02:00 +01"], ["03:00 +01"], ["04:00 +01"], ["05:00 +01"]],
      "spring: an hour lacks on the clock")
equal(psql("SELECT to_char(time, 'HH24:MI TZH') FROM autumn WHERE kind = 'forecast' ORDER BY time", zone="Europe/Dublin"),
      [["00:00 +01"], ["01:00 +01"], ["01:00 +00"], ["02:00 +00"], ["03:00 +00"], ["04:00 +00"]],
      "autumn: an hour is twice on the clock")
equal(psql("SELECT to_char(time, 'HH24:MI'), count(*) FROM wind GROUP BY 1", zone="Europe/Dublin")[0][0], "00:00",
      "wind: days begin at midnight of the model's zone")
done()
