#!/usr/bin/perl
# cron.pl
#		Models that are trained anew and forecast by a schedule: pg_cron's, and that of the
#		operating system, as docs/scheduling.md has them.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LstmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $share = `pg_config --sharedir`;
chomp $share;
plan skip_all => 'no pg_cron (Debian: postgresql-15-cron)' if !-e "$share/extension/pg_cron.control";

my $node = lstm_node('cron', qq{
shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
cron.use_background_workers = on
max_worker_processes = 16
max_parallel_maintenance_workers = 0
});

# A role that is nobody special owns the rows, the model and the schedule.
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_cron;
	CREATE ROLE nightly LOGIN;
	GRANT USAGE ON SCHEMA cron TO nightly;
	CREATE SCHEMA nightly AUTHORIZATION nightly;
	CREATE ROLE other LOGIN;
});

sub nightly
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query, extra_params => [ '-U', 'nightly' ]);
}

# Waits until the query answers t, but for so many seconds at the most.
sub becomes
{
	my ($query, $seconds) = @_;

	for (1 .. $seconds * 2)
	{
		return 1 if $node->safe_psql('postgres', $query) eq 't';
		sleep 0.5;
	}
	return 0;
}

# A swing that the model learns, and afterwards rows in which it swings around another level.
nightly(q{
	CREATE TABLE nightly.swing AS
		SELECT timestamptz '2026-01-01 00:00+00' + t * interval '1 hour' AS ts, 10 + 3 * sin(t * pi() / 12) AS y
		FROM generate_series(1, 480) t;
	SELECT * FROM lstm.train('swing', 'nightly.swing', horizon => 6, context => 24,
		options => '{"layers": [{"type": "lstm", "units": 8}, {"type": "dense"}], "epochs": 20, "seed": 1}');
	INSERT INTO nightly.swing
		SELECT timestamptz '2026-01-01 00:00+00' + t * interval '1 hour', 40 + 9 * sin(t * pi() / 8)
		FROM generate_series(481, 960) t;
});
my $before = nightly(q{SELECT md5(array_agg(f.forecast_value ORDER BY step)::text) FROM lstm.forecast('swing', as_of => '2026-01-21 00:00+00') f});

is(nightly(q{SELECT lstm.schedule('swing', 'retrain', '* * * * *', '{"keep_versions": 5}') > 0}), 't', 'retrain scheduled');
is(nightly(q{SELECT lstm.schedule('swing', 'refresh_forecasts', '* * * * *', '{"keep": "90 days"}') > 0}), 't',
	'refresh_forecasts scheduled');
is(nightly(q{SELECT lstm.schedule('swing', 'retrain', '* * * * *', '{"keep_versions": 4}') > 0}), 't', 'scheduled again');
is(nightly(q{SELECT count(*) FROM cron.job}), '2', 'an entry is replaced, not added');
is(nightly(q{SELECT command FROM cron.job WHERE jobname = 'lstm.retrain swing'}),
	q{CALL lstm.retrain('swing', keep_versions => 4)}, 'the command is a CALL to read');
like(query_error($node, q{SET SESSION AUTHORIZATION nightly; SELECT lstm.schedule('swing', 'retrain', 'every night')}), qr/invalid schedule/,
	'times that pg_cron does not know');

ok(becomes(q{SELECT EXISTS (SELECT FROM lstm.models WHERE name = 'swing' AND version = 2)}, 150),
	'pg_cron has retrained');
is(nightly(q{SELECT deployed FROM lstm.models WHERE name = 'swing' AND version = 2}), 't', 'and promoted what is better');
ok(becomes(q{SELECT count(*) = 2 FROM (SELECT DISTINCT j.jobname FROM cron.job_run_details d JOIN cron.job j USING (jobid)
	WHERE d.status = 'succeeded') x}, 90), 'pg_cron calls both a success')
	or diag $node->safe_psql('postgres', 'SELECT command, status, return_message FROM cron.job_run_details');
ok(becomes(q{SELECT count(*) >= 6 FROM lstm.forecasts WHERE model = 'swing'}, 90), 'forecasts are in the store');
is(nightly(q{SELECT bool_and(value BETWEEN -1000 AND 1000 AND lower < upper) FROM lstm.forecasts}), 't',
	'with intervals');
is($node->safe_psql('postgres', 'SELECT count(*) FROM lstm.forecasts', extra_params => [ '-U', 'other' ]), '0',
	'others do not see them');
is(nightly(q{SELECT string_agg(DISTINCT username, ',') FROM cron.job_run_details}), 'nightly', 'all of it as that role');

is(nightly(q{SELECT lstm.unschedule('swing')}), '2', 'unscheduled');
is(nightly(q{SELECT count(*) FROM cron.job}), '0', 'nothing is left in cron.job');

is(nightly(q{SELECT lstm.rollback('swing')}), '1', 'rolled back');
is(nightly(q{SELECT md5(array_agg(f.forecast_value ORDER BY step)::text)
	FROM lstm.forecast('swing', as_of => '2026-01-21 00:00+00') f}), $before,
	'the forecasts of before, bit for bit');

# The line of a crontab: a shell that knows almost nothing.
nightly(q{
	INSERT INTO nightly.swing SELECT timestamptz '2026-01-01 00:00+00' + t * interval '1 hour', 40 + 9 * sin(t * pi() / 8)
		FROM generate_series(961, 990) t;
});
my $psql = (split /\n/, `which psql`)[0];

sub crontab
{
	my ($call) = @_;
	my $line = sprintf q{%s -XqAt "host=%s port=%d dbname=postgres user=nightly" -c "%s"}, $psql, $node->host, $node->port, $call;

	return system('env', '-i', 'PATH=/usr/bin:/bin', 'SHELL=/bin/sh', '/bin/sh', '-c', "$line >/dev/null 2>&1");
}

is(crontab(q{CALL lstm.retrain('swing', keep_versions => 10)}), 0, 'retrain from the crontab of the operating system');
is(nightly(q{SELECT max(version) > 2 FROM lstm.models WHERE name = 'swing'}), 't', 'which has trained, too');
is(crontab(q{CALL lstm.refresh_forecasts('swing', keep => '90 days')}), 0, 'refresh_forecasts from there');
is(nightly(q{SELECT count(*) FROM lstm.forecasts WHERE model = 'swing' AND issued_at = (SELECT max(ts) FROM nightly.swing)}), '6',
	'which has forecast from the newest row');

$node->stop;
done_testing();
