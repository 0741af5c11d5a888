# Cluster.pm
#		PostgreSQL 14's PostgresNode under the name that it has from 15 on.
#
# tools/check looks in here where the server has no such module of its own.
package PostgreSQL::Test::Cluster;

use strict;
use warnings;

use PostgresNode;
use TestLib ();
use Time::HiRes qw(usleep);

our @ISA = ('PostgresNode');

sub new
{
	my ($class, $name) = @_;

	return bless PostgresNode->get_new_node($name), $class;
}

# pg_dump of 14 repeats the policies of an extension's tables, which are there when it restores:
# they are taken out, as docs/operations.md tells.
sub command_ok
{
	my ($self, $command, @rest) = @_;
	my @command = @$command;

	if ($command[0] eq 'pg_restore')
	{
		my $list = "$command[-1].list";

		TestLib::system_or_bail('sh', '-c', 'pg_restore -l "$1" | grep -v " POLICY lstm " >"$2"', 'sh', $command[-1], $list);
		splice @command, 1, 0, '-L', $list;
	}
	elsif ($command[0] eq 'psql' && grep { $_ eq '-f' } @command)
	{
		my ($file) = grep { -f $_ } @command;

		TestLib::system_or_bail('perl', '-0pi', '-e', 's/^CREATE POLICY \w+ ON lstm\..*?;\n//gms', $file);
	}
	return $self->SUPER::command_ok(\@command, @rest);
}

# wait_for_log(pattern, position): the position behind the log that has it.
sub wait_for_log
{
	my ($self, $pattern, $from) = @_;

	for (1 .. 10 * ($ENV{PG_TEST_TIMEOUT_DEFAULT} || 180))
	{
		my $log = TestLib::slurp_file($self->logfile, $from);

		return ($from // 0) + length $log if $log =~ m/$pattern/;
		usleep(100_000);
	}
	die "no $pattern in the server's log";
}

1;
