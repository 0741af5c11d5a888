#!/usr/bin/perl
# refresh.pl
#		The store of forecasts among several sessions: two that refresh at once, one
#		that is killed, one that listens, a model dropped meanwhile, a dump, a standby.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LstmSession;
use LstmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = lstm_node('primary', "lstm.progress = 0\ndeadlock_timeout = 200ms\n", allows_streaming => 1);
my ($a, $b, $listener, @heard);

# Rows of the store as text.
my $stored = q{SELECT coalesce(md5(string_agg(f::text, ',' ORDER BY series, target, issued_at, step, version)), 'none') || ' ' || count(*) FROM lstm.forecasts f};

# Notifications that came, after a statement that lets psql look.
sub heard
{
	my ($session) = @_;
	my $text = $session->query('SELECT 1');

	return map { s/" received from server process.*//r } $text =~ /notification "[^"]+" with payload "(.*)/g;
}

$node->safe_psql('postgres', q{
	CREATE TABLE water AS SELECT timestamptz '2024-01-01' + i * interval '1 hour' AS ts, 's' || s AS place, 10 + s + sin(i / 4.0) AS y
		FROM generate_series(0, 199) i, generate_series(1, 3) s;
	CREATE VIEW slow AS SELECT w.* FROM water w, LATERAL (SELECT pg_sleep(CASE WHEN place = 's1' AND ts = '2024-01-01' THEN nullif(current_setting('test.sleep', true), '')::float8 ELSE 0 END)) s;
	SET client_min_messages = error;
	SELECT lstm.train('water', 'slow', 'y', 'ts', 'place', horizon => 4, context => 24, options => '{"units": 4, "epochs": 5}');
});
($a, $b, $listener) = map { LstmSession->new($node) } 1 .. 3;

# Two at once: the second steps aside, while the first reads and while it has not committed.
$a->query("SET test.sleep = 2");
$a->send("CALL lstm.refresh_forecasts('water')");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = 1819502179") or die;
like($b->query("CALL lstm.refresh_forecasts('water')"), qr/"water" are being refreshed by another session: nothing to do/,
	'a second session steps aside');
like($a->wait, qr/forecasts written 12,/, 'the first writes');
$a->query("RESET test.sleep");
like($b->query("CALL lstm.refresh_forecasts('water')"), qr/forecasts written 0,/, 'the second finds it done');
$a->query('BEGIN');
$a->query("CALL lstm.refresh_forecasts('water', horizon => 2)");
like($b->query("CALL lstm.refresh_forecasts('water')"), qr/nothing to do/, 'until the first has committed');
$a->query('COMMIT');

# Killed while it reads, and after it wrote: nothing is left.
my $before = $node->safe_psql('postgres', $stored);
$node->safe_psql('postgres', q{INSERT INTO water SELECT '2024-01-09 08:00', 's' || s, 15 + s FROM generate_series(1, 3) s});
foreach my $way ('pg_cancel_backend', 'pg_terminate_backend')
{
	my $session = LstmSession->new($node);

	$session->query('SET test.sleep = 60');
	$session->send("CALL lstm.refresh_forecasts('water')");
	$node->poll_query_until('postgres', 'SELECT wait_event = \'PgSleep\' FROM pg_stat_activity WHERE pid = ' . $session->pid) or die;
	$node->safe_psql('postgres', "SELECT $way(" . $session->pid . ')');
	$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pg_stat_activity WHERE state = \'active\' AND pid = ' . $session->pid);
	is($node->safe_psql('postgres', $stored), $before, "$way while it reads: nothing is left");
	$session->close;
}
{
	my $session = LstmSession->new($node);

	$session->query('BEGIN');
	like($session->query("CALL lstm.refresh_forecasts('water')"), qr/forecasts written 12, actual values filled in 3/, 'written');
	$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $session->pid . ')');
	$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = ' . $session->pid);
	is($node->safe_psql('postgres', $stored), $before, 'killed before the commit: nothing is left');
	$session->close;
}

# A threshold: one notification of each series that passes it, at the commit, and not again.
$listener->query('LISTEN lstm');
$listener->query('LISTEN "Deep Water"');
my $threshold = $node->safe_psql('postgres', q{SELECT avg(most) FROM (SELECT max(forecast_value) AS most FROM lstm.forecast('water') GROUP BY series ORDER BY 1 LIMIT 2) m});
$a->query('BEGIN');
like($a->query("CALL lstm.refresh_forecasts('water', notify_above => $threshold)"), qr/2 notifications on channel "lstm"/, 'two series pass');
is(scalar heard($listener), 0, 'nothing is heard before the commit');
$a->query('COMMIT');
@heard = heard($listener);
is(scalar @heard, 2, 'two are heard');
is($node->safe_psql('postgres', qq{
	SELECT count(*) = 2 AND bool_and(n->>'model' = 'water' AND n->>'target' = 'y' AND (n->>'threshold')::float8 = $threshold AND s.value = (n->>'value')::float8 AND s.value > $threshold
		AND s.lower = (n->>'lower')::float8 AND s.upper = (n->>'upper')::float8 AND s.step = (n->>'step')::int
		AND NOT EXISTS (SELECT FROM lstm.forecasts e WHERE e.series = s.series AND e.issued_at = s.issued_at AND e.step < s.step AND e.value > $threshold))
	FROM unnest(ARRAY[} . join(', ', map { "\$n\$$_\$n\$" } @heard) . q{]::json[]) n
	JOIN lstm.forecasts s ON s.series = n->>'series' AND s.forecast_timestamp = (n->>'forecast_timestamp')::timestamptz AND s.issued_at = '2024-01-09 08:00'}),
	't', 'they say the first step that passes, as it is stored');
$a->query("CALL lstm.refresh_forecasts('water', notify_above => $threshold)");
$a->query("CALL lstm.refresh_forecasts('water', notify_above => $threshold, confidence_level => 0.8)");
is(scalar heard($listener), 0, 'the same origin is not told again');
$node->safe_psql('postgres', q{INSERT INTO water SELECT '2024-01-09 09:00', 's' || s, 15 + s FROM generate_series(1, 3) s});
$a->query("CALL lstm.refresh_forecasts('water', notify_below => -1000, channel => 'Deep Water')");
is(scalar heard($listener), 0, 'nothing below');
$node->safe_psql('postgres', q{INSERT INTO water SELECT '2024-01-09 10:00', 's' || s, 15 + s FROM generate_series(1, 3) s});
$a->query(q{CALL lstm.refresh_forecasts('water', notify_below => 1000, channel => 'Deep Water')});
is(scalar heard($listener), 3, 'all below, on a channel of another name');

# Long and hostile names stay below the limit of a payload.
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE TABLE odd AS SELECT i, repeat(chr(1) || '"\\', 2000) || s AS place, s + sin(i / 4.0) AS "the ""target""" FROM generate_series(1, 60) i, generate_series(1, 2) s;
	SELECT lstm.train('it''s "odd"', 'odd', time_column => 'i', series => 'place', context => 8, options => '{"units": 2, "epochs": 1}');
});
$a->query(q{CALL lstm.refresh_forecasts('it''s "odd"', notify_above => -1000)});
@heard = heard($listener);
is(scalar @heard, 2, 'long names: heard');
cmp_ok(length $_, '<', 8000, 'short enough') foreach @heard;
is($node->safe_psql('postgres', 'SELECT n->>\'target\', n->\'forecast_index\', length(n->>\'series\') FROM (SELECT $n$' . $heard[0] . '$n$::json) t(n)'),
	'the "target"|61|500', 'and valid');

# Dropped or renamed while it reads.
foreach my $change ("lstm.drop_model('gone')", "lstm.rename_model('gone', 'went')")
{
	my $session = LstmSession->new($node);

	$node->safe_psql('postgres', q{SET client_min_messages = error; SELECT lstm.train('gone', 'slow', 'y', 'ts', 'place', context => 24, options => '{"units": 2, "epochs": 1}')});
	$session->query('SET test.sleep = 1.5');
	$session->send("CALL lstm.refresh_forecasts('gone')");
	$node->poll_query_until('postgres', 'SELECT wait_event = \'PgSleep\' FROM pg_stat_activity WHERE pid = ' . $session->pid) or die;
	$node->safe_psql('postgres', "SELECT $change");
	like($session->wait, qr/ERROR:  42704: model "gone" does not exist/, "$change meanwhile");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM lstm.forecasts WHERE model IN ('gone', 'went')}), '0', 'no forecast without a model');
	$session->close;
}

# A dump has the rows, and the restored ones go on.
my $dump = $node->basedir . '/dump';
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
$node->command_ok([ 'pg_restore', '-e', '-j', '2', '-d', $node->connstr('restored'), $dump ], 'pg_restore');
is($node->safe_psql('restored', $stored), $node->safe_psql('postgres', $stored), 'the store is equal');
like($node->safe_psql('postgres', 'SELECT count(*) FROM lstm.forecasts WHERE error = actual - value'), qr/^[1-9]/, 'errors are there');
$node->safe_psql('restored', q{CALL lstm.refresh_forecasts('water', horizon => 6)});
is($node->safe_psql('restored', q{SELECT count(*) FROM lstm.forecasts WHERE issued_at = '2024-01-09 10:00'}), '18', 'and goes on');

# A standby shows the rows and cannot write.
my $standby = PostgreSQL::Test::Cluster->new('standby');
$node->backup('base');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
is($standby->safe_psql('postgres', $stored), $node->safe_psql('postgres', $stored), 'a standby shows them');
my ($status, $out, $err) = $standby->psql('postgres', q{CALL lstm.refresh_forecasts('water')});
like($err, qr/cannot execute CALL lstm.refresh_forecasts\(\) in a read-only transaction/, 'and refuses to write');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM lstm.drift('water', 'SELECT * FROM water UNION ALL SELECT ts + interval ''8 days'', place, y FROM water WHERE ts > ''2024-01-03'''
	)}), '1', 'drift is judged there');

$_->close foreach $a, $b, $listener;
$standby->stop;
$node->stop;
done_testing();
