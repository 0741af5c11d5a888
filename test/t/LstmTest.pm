# LstmTest.pm
#		What the TAP tests share: a server with the extension, and the data.
#
#	use LstmTest;
#	my $node = lstm_node('primary');            # started, CREATE EXTENSION done
#	my $node = lstm_node('primary', "wal_level = replica\n", allows_streaming => 1);
#	wind_load($node);                           # test/data/irish_wind.sql
#
# The runner names the extension's folder in TEMP_CONFIG, which
# PostgreSQL::Test::Cluster appends to every server's configuration.  Tests run
# in a copy of the tree that has test/t, test/data and test/golden.
package LstmTest;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(lstm_node wind_load query_error);

# lstm_node(name, configuration lines, options of init)
sub lstm_node
{
	my ($name, $conf, %init) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%init);
	$node->append_conf('postgresql.conf', $conf) if defined $conf;
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION lstm');
	return $node;
}

# wind_load(node, database): tables irish_wind, irish_wind_station and the view.
sub wind_load
{
	my ($node, $database) = @_;

	$database //= 'postgres';
	system_or_bail('psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database),
		'-f', 'test/data/irish_wind.sql');
	return;
}

# query_error(node, query): what the query's failure prints, '' when it succeeds.
sub query_error
{
	my ($node, $query) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$query");

	return $status == 0 ? '' : $err;
}

1;
