#!/usr/bin/perl
# mix.pl
#		Forecasts, trainings, retrainings and deployments of one model by four sessions at
#		once: no error, and every forecast is what one version says.
#
# test/bench/run_latency.py runs the same scripts for longer.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LstmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = lstm_node('primary', "lstm.progress = 0\nclient_min_messages = error\n");
my $folder = "$FindBin::Bin/mix";
my ($out, $err);

sub script
{
	my ($name, $weight) = @_;

	return ('-f', "$folder/$name.sql\@$weight");
}

# Whether pgbench ran to its end.
sub mix
{
	return run_log([ 'pgbench', '-n', '-M', 'prepared', @_, '-d', $node->connstr('postgres') ], '>', \$out, '2>', \$err);
}

sub value
{
	return $node->safe_psql('postgres', $_[0]);
}

system_or_bail('psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-o', '/dev/null', '-f', "$folder/setup.sql");
ok(mix('-c', 4, '-j', 2, '-T', 6, script('forecast', 985), script('deploy', 9), script('train', 3), script('retrain', 3)), 'four sessions, no error')
	or diag($err);
cmp_ok(value('SELECT count(*) FROM mix_seen'), '>', 200, 'forecasts');
cmp_ok(value('SELECT count(*) FROM mix_answer'), '>', 2, 'versions were trained meanwhile');
cmp_ok(value(q{SELECT count(*) FROM lstm.models WHERE metrics ? 'retrain'}), '>', 0, 'some by lstm.retrain');
cmp_ok(value('SELECT count(DISTINCT version) FROM mix_seen'), '>', 2, 'and seen');
is(value('SELECT count(*) FROM mix_answer WHERE digest IS DISTINCT FROM mix_digest(version)'), '0', 'each version says what it said');

# The check fails where it should.
value(q{UPDATE mix_answer SET digest = 'another'||version});
ok(!mix('-c', 1, '-t', 1, script('forecast', 1)), 'an answer that no version gave is an error');
like($err, qr/null value in column "version"/, 'and says so');

$node->stop;
done_testing();
