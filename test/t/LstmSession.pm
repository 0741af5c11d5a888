# LstmSession.pm
#		A psql that stays, for statements that run while the test does something
#		else, and for times in milliseconds.
#
#	my $session = LstmSession->new($node);      # or ($node, database, user)
#	$session->pid;                              # of its backend
#	$session->query('SELECT 1');                # waits; all that psql printed
#	$session->send('SELECT pg_sleep(9)');       # returns at once
#	$session->wait;                             # until it ended; all that psql printed
#	$session->close;
#
# It reads with select(2) itself: IPC::Run's loops sleep for longer than what is
# to be measured here.  Errors and notices come in between the rows, in order.
# Knows nothing of lstm.
package LstmSession;

use strict;
use warnings;

use Carp;
use IO::Select;
use IPC::Open3;
use Time::HiRes qw(time);

our $TIMEOUT = 120;

sub new
{
	my ($class, $node, $database, $user) = @_;
	my @command = ('psql', '-XqAt', '-v', 'VERBOSITY=verbose', '-d', $node->connstr($database // 'postgres'));
	my $self = bless { count => 0, buffer => '' }, $class;

	push @command, '-U', $user if defined $user;
	$self->{process} = open3($self->{in}, $self->{out}, undef, @command);
	$self->{select} = IO::Select->new($self->{out});
	($self->{pid}) = $self->query('SELECT pg_backend_pid()') =~ /^(\d+)$/m;
	croak 'no session' if !defined $self->{pid};
	return $self;
}

sub pid
{
	return $_[0]->{pid};
}

sub _write
{
	my ($self, $text) = @_;

	syswrite($self->{in}, $text) == length $text or croak "psql takes no more: $!";
	return;
}

sub send
{
	my ($self, $query) = @_;

	$self->{count}++;
	$self->_write("$query;\n\\echo -- end $self->{count}\n");
	return;
}

# Reads what there is within so many seconds; false when nothing came.
sub _read
{
	my ($self, $seconds) = @_;
	my $bytes;

	return 0 if !$self->{select}->can_read($seconds);
	$bytes = sysread($self->{out}, $self->{buffer}, 65536, length $self->{buffer});
	croak "the session ended: $self->{buffer}" if !$bytes;
	return 1;
}

# What came so far of the statement that runs.
sub partial
{
	my ($self) = @_;

	while ($self->_read(0)) { }
	return $self->{buffer};
}

# Whether the statement has ended.
sub ended
{
	my ($self) = @_;

	while ($self->_read(0)) { }
	return $self->{buffer} =~ /^-- end $self->{count}\n/m;
}

# Also sets {ended_at}: seconds of the clock at the first line matching seen.
sub wait
{
	my ($self, $seen) = @_;
	my $until = time + $TIMEOUT;
	my ($end, $text) = ("-- end $self->{count}\n", undef);

	$self->{ended_at} = undef;
	while (1)
	{
		$self->{ended_at} //= time if defined $seen && $self->{buffer} =~ $seen;
		last if $self->{buffer} =~ /^\Q$end\E/m;
		croak "no end after $TIMEOUT s: $self->{buffer}" if time > $until;
		$self->_read(1);
	}
	$self->{ended_at} //= time;
	$text = substr($self->{buffer}, 0, $-[0]) if $self->{buffer} =~ /^\Q$end\E/m;
	$self->{buffer} = '';
	return $text;
}

sub query
{
	my ($self, $query) = @_;

	$self->send($query);
	return $self->wait;
}

sub close
{
	my ($self) = @_;

	close $self->{in};
	close $self->{out};
	waitpid $self->{process}, 0;
	return;
}

1;
