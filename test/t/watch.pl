#!/usr/bin/perl
# watch.pl
#		What others see of a training while it runs: lstm.progress rises from its
#		first row to its last epoch and is gone afterwards, whatever the end; a
#		background job's epochs are there while it runs and after it failed.
#
# Takes as long as the job that is watched for 30 seconds, and half as long again.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LstmSession;
use LstmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $JOB_SECONDS = 30;

my $node = lstm_node('primary', "restart_after_crash = on\n");
my $folder = $node->data_dir . '/pg_stat_tmp';
my @columns = qw(pid job command model owner phase part epoch epochs step steps loss validation_loss rows);
my ($session, $other);

$node->safe_psql('postgres', q{
	CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE carol LOGIN; CREATE ROLE dave LOGIN;
	GRANT alice TO carol; GRANT pg_read_all_stats TO dave;
	CREATE TABLE waves AS SELECT t, sin(t / 4.0) AS y FROM generate_series(1, 4000) t;
	GRANT SELECT ON waves TO PUBLIC;
	CREATE TABLE few AS SELECT * FROM waves WHERE t <= 320;
	GRANT SELECT ON few TO PUBLIC});

sub train
{
	my ($name, $source, $options) = @_;

	return qq{lstm.train('$name', '$source', time_column => 't', context => 24, options =>
		'{"architecture": "lstm", "units": 8, "patience": 0, "progress": 0, "epochs": 1000000$options}')};
}

# The rows of lstm.progress, as hashes.
sub look
{
	my ($looker) = @_;
	my @rows;

	foreach my $line (split /\n/, $looker->query('SELECT ' . join(', ', @columns) . q{,
		extract(epoch FROM estimated_end - clock_timestamp()), extract(epoch FROM estimated_end - started_at),
		extract(epoch FROM updated_at - started_at), seconds FROM lstm.progress ORDER BY pid}))
	{
		my %row;

		@row{ @columns, qw(left all updated seconds) } = split /\|/, $line, -1;
		push @rows, \%row;
	}
	return @rows;
}

# Looks until the statement has ended, or so often that a condition holds.
sub watch
{
	my ($enough) = @_;
	my @seen;
	my $until = time + 60;

	while (!$session->ended && time < $until)
	{
		push @seen, look($other);
		return @seen if $enough && @seen && $enough->($seen[-1]);
		sleep 0.02;
	}
	return @seen;
}

# Waits for an epoch of the session's training.
sub epoch_seen
{
	return watch(sub { $_[0]->{epoch} && $_[0]->{epoch} >= ($_[1] // 2) });
}

# How often a column fell from one row to the next, of rows in one phase and part.
sub falls
{
	my ($column, @rows) = @_;

	return scalar grep {
		my ($a, $b) = @rows[ $_ - 1, $_ ];
		$a->{phase} eq $b->{phase} && $a->{part} eq $b->{part} && $a->{$column} ne '' && $b->{$column} ne ''
			&& $b->{$column} < $a->{$column}
	} 1 .. $#rows;
}

sub files
{
	return join ' ', sort map { s/.*\///r } glob "$folder/lstm.*";
}

$session = LstmSession->new($node, 'postgres', 'alice');
$other = LstmSession->new($node);

# Foreground: reading, training, the end.
is(scalar look($other), 0, 'nothing runs, nothing is shown');
$session->query('SET lstm.train_seconds = 4');
$session->send('SELECT ' . train('waves', 'SELECT t, y FROM few, LATERAL pg_sleep(CASE WHEN t > 0 THEN 0.003 END)', ''));
my @seen = watch();
my @reading = grep { $_->{phase} eq 'reading rows' } @seen;
my @training = grep { $_->{phase} eq 'training' && $_->{epoch} ne '' } @seen;

like($session->wait, qr/^\(waves,1,/m, 'it trained');
is(join(' ', map { "$_->{command} $_->{model} $_->{owner} $_->{job}" } $seen[0]), 'train waves alice ', 'command, model and owner');
is($seen[-1]->{pid}, $session->pid, 'and the process');
cmp_ok(scalar(grep { $_->{rows} ne '' && $_->{rows} < 320 } @reading), '>', 1, 'rows are counted while they are read');
is(falls('rows', @reading), 0, 'and become more');
is($training[-1]->{rows}, 320, 'all of them in the end');
is(scalar(grep { $_->{left} ne '' } @reading), 0, 'no end is estimated while rows are read');
cmp_ok(scalar(@training), '>', 10, 'training is seen');
is(falls('epoch', @training), 0, 'epochs rise');
cmp_ok($training[-1]->{epoch}, '>', $training[0]->{epoch} + 10, 'by many');
is(scalar(grep { $_->{epochs} != 1000000 || $_->{step} > $_->{steps} } @training), 0, 'of those that were asked for; steps are within an epoch');
cmp_ok($training[-1]->{loss}, '<', 0.1, 'with the loss');
cmp_ok($training[-1]->{validation_loss}, '<', 0.1, 'and the validation loss');
is(falls('seconds', @seen), 0, 'seconds rise');
is(scalar(grep { $_->{left} ne '' && $_->{left} < -0.1 } @seen), 0, 'the end is never in the past');
my @late = grep { $_->{left} ne '' && $_->{updated} > 3 } @training;
my $ended = $training[-1]->{seconds};
cmp_ok(scalar(@late), '>', 0, 'an end is estimated');
is(scalar(grep { abs($_->{all} - $ended) > 2 } @late), 0, 'the end is estimated within two seconds, two seconds before it')
	or diag join ' ', "ended after $ended, estimates:", map { $_->{all} } @late;
is(scalar look($other), 0, 'gone after the end');
is(files(), '', 'and so is its file');

# Several networks: parts, and a phase for each kind of work.
$session->query('SET lstm.train_seconds = 3');
$session->send('SELECT ' . train('waves', 'waves', ', "folds": 2, "ensemble_size": 2'));
@seen = watch();
$session->wait;
my %parts = map { $_->{part} => 1 } @seen;
ok($parts{'fold 1 of 2, network 1 of 2'} && $parts{'fold 2 of 2, network 2 of 2'}, 'folds are named')
	or diag join '; ', sort keys %parts;
is(falls('epoch', @seen), 0, 'epochs rise within a part');
ok((grep { $_->{phase} eq 'trying settings' } @seen), 'as such');

# A search and a backtest.
$session->query('SET lstm.train_seconds = 0.4');
$session->send(q{CALL lstm.tune('tuned', 'few', time_column => 't', context => 24, trials => 2, folds => 2,
	options => '{"architecture": "lstm", "epochs": 100000, "patience": 0}', search => '{"units": [2, 3]}')});
@seen = watch();
unlike($session->wait, qr/ERROR/, 'lstm.tune');
%parts = map { ($_->{part} =~ s/, (?:fold|network) \d+ of 1$//r) => 1 } @seen;
ok($parts{'trial 1 of 2, fold 1 of 2'} && $parts{'trial 2 of 2, fold 2 of 2'} && (grep { /^the best/ } keys %parts),
	'a search names its trials and their folds') or diag join '; ', sort keys %parts;
is(join(' ', sort keys %{ { map { ("$_->{command} $_->{model}" => 1) } @seen } }), 'tune tuned', 'as one command');
$session->send(q{SELECT count(*) FROM lstm.backtest('few', time_column => 't', context => 24, folds => 3,
	options => '{"architecture": "lstm", "epochs": 100000, "patience": 0}')});
@seen = watch();
unlike($session->wait, qr/ERROR/, 'lstm.backtest');
ok((grep { $_->{part} =~ /^fold 3 of 3/ && $_->{command} eq 'backtest' && $_->{model} eq '' } @seen), 'a backtest names its folds');
is(files(), '', 'nothing is left of them');

# Who sees it.
$session->query('RESET lstm.train_seconds');
$session->send('SELECT ' . train('waves', 'waves', ''));
epoch_seen();
foreach ([ alice => 1, 'the owner' ], [ bob => 0, 'another role' ], [ carol => 1, 'a member of the owner' ],
	[ dave => 1, 'a member of pg_read_all_stats' ])
{
	my ($role, $rows, $who) = @$_;
	my $reader = LstmSession->new($node, 'postgres', $role);

	is(scalar look($reader), $rows, "$who sees $rows");
	$reader->close;
}
$node->safe_psql('postgres', 'CREATE DATABASE elsewhere');
is($node->safe_psql('elsewhere', 'CREATE EXTENSION lstm; SELECT count(*) FROM lstm.progress'), '0', 'another database sees none');

# In one transaction, as time goes on, also of processes that are younger than it.
$other->query('BEGIN; SELECT count(*) FROM pg_stat_activity');
my $young = LstmSession->new($node, 'postgres', 'alice');
$young->send('SELECT ' . train('young', 'waves', ''));
sleep 0.02 while look($other) < 2 && !$young->ended;
is(join(' ', sort map { $_->{model} } look($other)), 'waves young', 'a transaction that has begun sees newcomers');
$other->query('COMMIT');

# Ends: cancel, an exception block, a terminated session.
$other->query('SELECT pg_cancel_backend(' . $session->pid . ')');
like($session->wait, qr/57014/, 'cancelled');
is(join(' ', map { $_->{model} } look($other)), 'young', 'gone after a cancel');
$session->send(q{DO $$
	BEGIN
		BEGIN
			PERFORM } . train('waves', 'waves', '') . q{;
		EXCEPTION WHEN query_canceled THEN
			PERFORM pg_sleep(0.3);
		END;
		PERFORM pg_sleep(0.3);
	END $$});
sleep 0.02 while look($other) < 2 && !$session->ended;
$other->query('SELECT pg_cancel_backend(' . $session->pid . ')');
sleep 0.1;
ok(!$session->ended, 'a block has caught the cancel');
is(join(' ', map { $_->{model} } look($other)), 'young', 'gone, though the transaction goes on');
$session->wait;
$other->query('SELECT pg_terminate_backend(' . $young->pid . ', 5000)');
is(scalar look($other), 0, 'gone after the end of a session');
is(files(), '', 'no file is left');

# Files that are none of ours, or no more.
sub spill
{
	my ($name, $bytes) = @_;

	open my $file, '>:raw', "$folder/$name" or die "$name: $!";
	print $file $bytes;
	close $file;
	return;
}

$session->send('SELECT ' . train('waves', 'waves', ''));
epoch_seen();
my $record = slurp_file("$folder/lstm." . $session->pid);
my $backend = $other->pid;

spill('lstm.123', 'garbage');
spill('lstm.124', 'x' x 100000);
spill('lstm.99999999999999999999', $record);
spill('lstm.-5', $record);
spill("lstm.$backend", $record);
spill('lstm.job.1', 'garbage');
is(scalar look($other), 1, 'garbage, and the record of another process, are no rows');
spill("lstm.$backend", substr $record, 0, 100);
is(scalar look($other), 1, 'nor is half a record');
substr($record, 200, 1) ^= "\x01";
spill("lstm.$backend", $record);
is(scalar look($other), 1, 'nor one with a wrong bit');
unlink "$folder/lstm.$backend";
system_or_bail('mkfifo', "$folder/lstm.$backend");
is(scalar look($other), 1, 'nor a pipe');
unlink "$folder/lstm.$backend";
mkdir "$folder/lstm.$backend";
is(scalar look($other), 1, 'nor a folder');
rmdir "$folder/lstm.$backend";
symlink "$folder/lstm." . $session->pid, "$folder/lstm.$backend";
is(scalar look($other), 1, 'nor a link');
unlink map { "$folder/lstm.$_" } qw(99999999999999999999 -5 job.1), $backend;
like(files(), qr/lstm\.123 lstm\.124/, 'what is not ours stays');
unlink "$folder/lstm.123", "$folder/lstm.124";
$other->query('SELECT pg_cancel_backend(' . $session->pid . ')');
$session->wait;

# A link is not written through, and what cannot be written does not fail a training.
my $target = $node->basedir . '/target';
my $mine = "$folder/lstm." . $session->pid;
my $log = -s $node->logfile;

append_to_file($target, 'as it was');
symlink $target, $mine;
$session->query('SET lstm.train_seconds = 0.5');
like($session->query('SELECT ' . train('waves', 'few', '')), qr/^\(waves,/m, 'a training whose file is a link');
is(slurp_file($target), 'as it was', 'leaves what it points to alone');
is(scalar(() = slurp_file($node->logfile, $log) =~ /could not write the progress of process/g), 1, 'and says so once');
mkdir $mine;
like($session->query('SELECT ' . train('waves', 'few', '')), qr/^\(waves,/m, 'a training whose file is a folder');
rmdir $mine;
like($session->query('SELECT ' . train('waves', 'few', '')), qr/^\(waves,/m, 'and the one after it');
is(files(), '', 'nothing is left');

# A killed process leaves its file; whoever looks next removes it.
$session->query('RESET lstm.train_seconds');
$session->send('SELECT ' . train('waves', 'waves', ''));
epoch_seen();
my $killed = $session->pid;
my $from = -s $node->logfile;
kill 'KILL', $killed;
$node->wait_for_log(qr/database system is ready to accept connections/, $from);
$other = LstmSession->new($node);
is(files(), "lstm.$killed", 'the file of a killed process');
is(scalar look($other), 0, 'is no row');
is(files(), '', 'and removed');

# ------------------------------------------------------------------------
# A background job

# Submits and leaves; the job's number.
sub submit
{
	my ($name, $seconds) = @_;
	my $client = LstmSession->new($node, 'postgres', 'alice');
	my $number;

	$client->query("SET lstm.train_seconds = $seconds");
	($number) = $client->query('SELECT ' . train($name, 'waves', '') =~ s/lstm\.train\(/lstm.train_async(/r) =~ /^(\d+)$/m;
	$client->close;
	return $number;
}

sub logged
{
	my ($looker, $job) = @_;

	return $looker->query("SELECT count(*) FROM lstm.training_log(job => $job)") =~ /^(\d+)$/m ? $1 : -1;
}

sub state
{
	my ($job) = @_;

	return $node->safe_psql('postgres', "SELECT state FROM lstm.jobs WHERE job = $job");
}

# Waits until lstm.progress shows so many epochs of the job.
sub job_epochs
{
	my ($job, $epochs) = @_;

	return $node->poll_query_until('postgres',
		"SELECT coalesce(max(epoch), 0) >= $epochs FROM lstm.progress WHERE job = $job");
}

my ($alice, $bob) = map { LstmSession->new($node, 'postgres', $_) } qw(alice bob);
my $job = submit('slow', $JOB_SECONDS);
my $begun = time;
my (@rows, @logged);

ok(defined $job, 'a job is submitted, and its client leaves');
while (time < $begun + $JOB_SECONDS + 20)
{
	my ($row) = grep { $_->{job} eq $job } look($alice);

	last if !defined $row && @rows;
	push @rows, $row if defined $row;
	push @logged, logged($alice, $job) if defined $row;
	sleep 0.25;
}
@training = grep { $_->{phase} eq 'training' && $_->{epoch} ne '' } @rows;
cmp_ok($rows[-1]->{seconds}, '>', $JOB_SECONDS - 3, "it is watched for $JOB_SECONDS seconds");
is(falls('epoch', @training), 0, 'its epochs rise');
cmp_ok(scalar(keys %{ { map { ($_->{epoch} => 1) } @training } }), '>', 50, 'all the time');
is(join(' ', map { "$_->{command} $_->{model} $_->{owner}" } $training[-1]), 'train slow alice', 'with command, model and owner');
is(scalar(grep { $_->{updated} > 5 && abs($_->{all} - $JOB_SECONDS) > 5 } @training), 0, 'and the end, estimated within five seconds')
	or diag join ' ', map { "$_->{updated}:$_->{all}" } @training;
is(scalar(grep { $logged[$_] < $logged[ $_ - 1 ] } 1 .. $#logged), 0, 'its log grows');
cmp_ok($logged[-1], '>=', $training[ $#training - 1 ]->{epoch}, 'with the epochs');
is($node->safe_psql('postgres', "SELECT lstm.wait($job, '20 s') IS NOT NULL"), 't', 'it ends');
is(state($job), 'done', 'well');
is($node->safe_psql('postgres', "SELECT (SELECT count(*) FROM lstm.training_log(job => $job)) = (SELECT count(*) FROM lstm.training_log('slow'))"),
	't', 'the log of the job has the epochs of the model');
is($node->safe_psql('postgres', "SELECT count(*) FROM (SELECT epoch, loss, validation_loss, learning_rate, gradient_norm
	FROM lstm.training_log(job => $job) EXCEPT SELECT epoch, loss, validation_loss, learning_rate, gradient_norm
	FROM lstm.training_log('slow')) x"), '0', 'number by number');
is(files(), '', 'in the table, no longer in a file');

# Others see neither.  What dropped databases and forgotten jobs have left goes with the next end of a job.
my $database = $node->safe_psql('postgres', "SELECT oid FROM pg_database WHERE datname = 'postgres'");
spill("lstm.job.$_", 'old') for '4294967295.1', "$database.999";
utime time - 7200, time - 7200, "$folder/lstm.job.4294967295.1", "$folder/lstm.job.$database.999";
$job = submit('cancelled', 20);
job_epochs($job, 5);
is(scalar look($bob), 0, 'another role sees no job');
like($bob->query("SELECT * FROM lstm.training_log(job => $job)"), qr/42704: job $job does not exist/, 'nor its log');

# After a cancel.
my $before = logged($alice, $job);
$alice->query("SELECT lstm.cancel($job)");
$node->safe_psql('postgres', "SELECT lstm.wait($job, '20 s')");
is(state($job), 'cancelled', 'cancelled');
cmp_ok(logged($alice, $job), '>=', $before, 'its epochs are kept');
cmp_ok($before, '>', 0, 'there were some');
like($bob->query("SELECT * FROM lstm.training_log(job => $job)"), qr/42704: job $job does not exist/, 'another role does not see them');
is($node->safe_psql('postgres', "SELECT count(*) FROM lstm.models WHERE name = 'cancelled'"), '0', 'there is no model');
is($bob->query('SELECT count(*) FROM lstm.job_log'), "0\n", 'nor in the table');
is(files(), '', 'no file is left');

# After the process was killed and the server has restarted; half a record at the end is let be.
$job = submit('killed', 20);
job_epochs($job, 5);
$before = logged($alice, $job);
$killed = $node->safe_psql('postgres', "SELECT pid FROM lstm.progress WHERE job = $job");
kill 'KILL', $killed;
sleep 0.5;
$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
$node->safe_psql('postgres', 'SELECT count(*) FROM lstm.progress');
like(files(), qr/^lstm\.job\.\d+\.$job$/, 'a job\'s file outlives the server\'s restart');
append_to_file("$folder/" . files(), 'half a rec');
$node->safe_psql('postgres', 'CALL lstm.run_jobs()');
is(state($job), 'lost', 'lost');
$alice = LstmSession->new($node, 'postgres', 'alice');
cmp_ok(logged($alice, $job), '>=', $before, 'its epochs are kept');
is(files(), '', 'the file is gone');
$alice->query("DELETE FROM lstm.job_rows WHERE job = $job");
is($node->safe_psql('postgres', "SELECT count(*) FROM lstm.job_log WHERE job = $job"), '0', 'epochs go with the row of their job');

$alice->close;
$other->close;
$node->stop;
done_testing();
