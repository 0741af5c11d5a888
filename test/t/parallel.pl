#!/usr/bin/perl
# parallel.pl
#		Training with parallel workers: the same bytes with 0, 1, 2 and no free
#		worker; a worker's death, a cancel and a divergence end the team cleanly.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LstmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = lstm_node('primary', "log_min_messages = debug1\nmax_worker_processes = 4\n");
my $options = '"units": 50, "batch_size": 72, "progress": 0, "validation_split": 0.2, "dropout": 0.1';
my $select = "SELECT md5(model::bytea) FROM lstm.model_values WHERE name =";

$node->safe_psql('postgres', 'CREATE TABLE wave AS SELECT t, sin(t * 0.1) + 0.2 * cos(t * 1.7) AS y FROM generate_series(1, 3000) t');

sub train
{
	my ($name, $workers, $extra) = @_;
	return "SET max_parallel_maintenance_workers = $workers; " .
		"SELECT lstm.train('$name', 'wave', time_column => 't', context => 24, options => '{$options, $extra}');";
}

# What the log says of teams since position.
sub teams
{
	my ($from) = @_;
	return [ slurp_file($node->logfile, $from) =~ /training with (\d+) workers/g ];
}

my %digest;
for my $workers (0, 1, 2)
{
	my $from = -s $node->logfile;
	my $begin = time;

	$node->safe_psql('postgres', train("w$workers", $workers, '"epochs": 8'));
	diag(sprintf('%d workers wanted: %.2f s', $workers, time - $begin));
	is_deeply(teams($from), $workers == 0 ? [] : [1], "$workers wanted: as many work as the batch has shards");
	$digest{$workers} = $node->safe_psql('postgres', "$select 'w$workers'");
}
is($digest{1}, $digest{0}, 'one worker trains the same bytes as none');
is($digest{2}, $digest{0}, 'two wanted train the same bytes');

# A wide batch has shards for more.
for my $workers (0, 3)
{
	my $from = -s $node->logfile;

	$node->safe_psql('postgres', train("wide$workers", $workers, '"epochs": 6, "batch_size": 400'));
	is_deeply(teams($from), [3], 'a wide batch takes three workers') if $workers;
	$digest{"wide$workers"} = $node->safe_psql('postgres', "$select 'wide$workers'");
}
is($digest{wide3}, $digest{wide0}, 'three workers train the same bytes as none');

# Networks over space are worth it sooner, each site counts; and those that look at images.
$node->safe_psql('postgres', q{
	CREATE TABLE site AS SELECT t, s, sin((t + 3 * s) / 4.0) + cos(t * s / 9.0) / 5 AS y FROM generate_series(1, 300) t, generate_series(1, 30) s;
	CREATE TABLE road AS SELECT a, b FROM generate_series(1, 30) a, generate_series(1, 30) b WHERE (a * b) % 7 = 1 AND a <> b;
	CREATE TABLE cell AS SELECT t, y, x, sin((t + x) / 3.0) * cos(y / 2.0) AS v FROM generate_series(1, 300) t, generate_series(1, 6) y, generate_series(1, 6) x;
	CREATE TABLE picture AS SELECT t, sin(t / 3.0) AS v, (SELECT array_agg(ARRAY[sin(t / 3.0 + i), cos(t * i / 4.0), i, t % 5]) FROM generate_series(1, 4) i)::float4[] AS image
		FROM generate_series(1, 2000) t;
});
my %space = (
	graph => [ 'site', q{target => 'y', series => 's'}, '"graph": "road", "units": 24, "architecture": "graph_gru", "dropout": 0.1, "epochs": 12' ],
	grid => [ 'cell', q{target => 'v'}, '"grid": "y, x", "epochs": 4, "layers": [{"type": "conv_lstm", "units": 16}, {"type": "dropout", "rate": 0.1}, {"type": "dense"}]' ],
	array => [ 'picture', q{target => 'v', past_covariates => 'image'}, '"units": 64, "architecture": "gru", "dropout": 0.1, "epochs": 20' ]);
foreach my $kind (sort keys %space)
{
	my ($source, $roles, $options) = @{ $space{$kind} };

	for my $workers (0 .. 3)
	{
		my $from = -s $node->logfile;

		$node->safe_psql('postgres', "SET max_parallel_maintenance_workers = $workers;
			SELECT lstm.train('$kind$workers', '$source', time_column => 't', $roles, context => 12, horizon => 2,
				options => '{$options, \"batch_size\": 192, \"progress\": 0, \"validation_split\": 0.2}')");
		my ($team) = @{ teams($from) };
		is($team // 0, $workers, "$kind: $workers workers");
		$digest{"$kind$workers"} = $node->safe_psql('postgres', "$select '$kind$workers'");
		is($digest{"$kind$workers"}, $digest{"${kind}0"}, "$kind: $workers workers train the same bytes as none") if $workers;
	}
}

# Small jobs are not worth a worker.
my $from = -s $node->logfile;
$node->safe_psql('postgres', train('small', 2, '"epochs": 1'));
is_deeply(teams($from), [], 'a short training starts no worker');

# No worker is free.
$node->append_conf('postgresql.conf', "max_worker_processes = 0\n");
$node->restart;
$node->safe_psql('postgres', train('w0', 2, '"epochs": 8'));
is($node->safe_psql('postgres', "$select 'w0' AND version = 2"), $digest{0}, 'without a free worker the leader does all');
$node->append_conf('postgresql.conf', "max_worker_processes = 4\n");
$node->restart;

# Divergence in a team.
like(query_error($node, train('bad', 1, '"epochs": 400, "scaling": "none", "optimizer": "sgd", "learning_rate": 900, "dropout": 0, "activation": "linear"')),
	qr/22003.*training diverged/s, 'a diverging team fails with its message');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'"), '0', 'no worker stays');

# Cancel and a worker's end.
my $workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'";
for my $case ([ 'cancelled leader', "pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND query LIKE '%lstm.train%' AND pid <> pg_backend_pid()", qr/canceling statement/ ],
	[ 'terminated worker', "pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'parallel worker'", qr/terminating|parallel worker/ ])
{
	my ($what, $signal, $message) = @$case;
	my ($out, $err) = ('', '');
	my $session = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'),
		'-c', train('long', 1, '"epochs": 100000, "patience": 0') ], '>', \$out, '2>', \$err);

	$node->poll_query_until('postgres', "SELECT ($workers) = 1") or die 'no worker came';
	sleep 0.3;
	my $begin = time;
	$node->safe_psql('postgres', "SELECT $signal");
	$session->finish;
	my $took = 1000 * (time - $begin);
	diag(sprintf('%s: ended after %.0f ms', $what, $took));
	like($err, $message, "$what: the statement fails");
	cmp_ok($took, '<', 1000, "$what: at once");
	is($node->safe_psql('postgres', $workers), '0', "$what: no worker stays");
}
is($node->safe_psql('postgres', "SELECT count(*) FROM lstm.models WHERE name IN ('bad', 'long')"), '0', 'nothing is left behind');

done_testing();
