# Utils.pm
#		PostgreSQL 14's TestLib under the name that it has from 15 on; see Cluster.pm.
package PostgreSQL::Test::Utils;

use strict;
use warnings;

use Exporter 'import';
use TestLib;

our @EXPORT = @TestLib::EXPORT;

1;
