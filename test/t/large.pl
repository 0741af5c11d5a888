#!/usr/bin/perl
# large.pl
#		One model of 1,000 series: trains, and forecasts each series exactly once.
#		Prints how long that takes.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LstmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my ($SERIES, $ROWS, $HORIZON) = (1000, 200, 7);
my $node = lstm_node('primary', "lstm.progress = 0\n");

# Runs a query; its time in seconds is printed.
sub timed
{
	my ($what, $query) = @_;
	my $begin = time;
	my $result = $node->safe_psql('postgres', $query);

	diag sprintf('%d series of %d rows: %-20s %6.2f s', $SERIES, $ROWS, $what, time - $begin);
	return $result;
}

$node->safe_psql('postgres', qq{
	CREATE TABLE sales AS
	SELECT date '2022-01-01' + d AS day, 'item ' || s AS item,
		round((s * (10 + 3 * sin(d * 2 * pi() / 7 + s) + sin((d * s)::float8)))::numeric, 2)::float8 AS sold
	FROM generate_series(1, $SERIES) s, generate_series(0, $ROWS - 1) d;
});
like(timed('train, 2 epochs', qq{SELECT parameters, epochs, skill > 0 FROM lstm.train('sales', 'sales', target => 'sold',
		time_column => 'day', series => 'item', horizon => $HORIZON, context => 14,
		options => '{"units": 16, "epochs": 2, "batch_size": 256, "loss": "gaussian", "scale_by_series": true, "learning_rate": 0.01}')}),
	qr/^\d+\|2\|t$/, 'trains, and is better than the season before');
is($node->safe_psql('postgres', q{SELECT rows, pg_column_size(model) < 1000000 FROM lstm.models
		JOIN lstm.model_values USING (name, version)}), $SERIES * $ROWS . '|t', 'all rows; below 1 MB');

timed('forecast', 'CREATE TABLE ahead AS SELECT * FROM lstm.forecast(\'sales\')');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT series), count(DISTINCT (series, step)), count(DISTINCT series_key) FROM ahead'),
	join('|', $SERIES * $HORIZON, $SERIES, $SERIES * $HORIZON, $SERIES), 'each series and step exactly once');
is($node->safe_psql('postgres', q{SELECT count(*) FROM ahead FULL JOIN (SELECT DISTINCT item FROM sales) s ON item = series
		WHERE item IS NULL OR series IS NULL OR series_key <> jsonb_build_object('item', item)}), '0', 'of the names in the table');
is($node->safe_psql('postgres', qq{SELECT count(*) FROM ahead
		WHERE forecast_timestamp::date <> date '2022-01-01' + $ROWS - 1 + step}), '0', 'on the days that follow');
is($node->safe_psql('postgres', q{SELECT count(*) FROM ahead WHERE NOT (prediction_interval_lower_bound < forecast_value
		AND forecast_value < prediction_interval_upper_bound) OR forecast_value NOT BETWEEN
		0.5 * substr(series, 6)::int * 10 AND 1.5 * substr(series, 6)::int * 10}), '0', 'each at its own scale, within its interval');

# One series alone is forecast as among the others.
is($node->safe_psql('postgres', q{SELECT max(abs(a.forecast_value - f.forecast_value)) < 1e-4 FROM ahead a
		JOIN lstm.forecast('sales', source => $$SELECT * FROM sales WHERE item = 'item 77'$$) f USING (series, step)}), 't',
	'one alone as among all');

is(timed('evaluate, stride 30', q{SELECT count(*) FILTER (WHERE level = 'series'), count(*) FILTER (WHERE level = 'all'),
		bool_and(skill > 0) FILTER (WHERE level = 'all') FROM lstm.evaluate('sales', stride => 30)}), "$SERIES|1|t", 'evaluate');
is(timed('hindcast, stride 60', qq{SELECT count(DISTINCT series), count(*) = count(DISTINCT (series, issued_at, step))
		FROM lstm.hindcast('sales', stride => 60)}), "$SERIES|t", 'hindcast');
timed('a model each (100)', q{CREATE TABLE each AS SELECT item,
	lstm.fit(day, sold, '{"units": 8, "epochs": 2, "context": 14}') AS model
	FROM sales WHERE substr(item, 6)::int <= 100 GROUP BY item});
is(timed('predict with those', q{SELECT count(*) FROM (SELECT lstm.predict(model, history, 1) AS p
	FROM each JOIN (SELECT item, array_agg(sold ORDER BY day) AS history FROM sales GROUP BY item) h USING (item)) v
	WHERE p[1] > 0}), '100', 'a model for each of 100 series');

$node->stop;
done_testing();
