# Cluster.pm
#		PostgreSQL 14's PostgresNode under the name that it has from 15 on.
#
# The server's own folder comes first in @INC: from 15 on nobody reads this file.
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
