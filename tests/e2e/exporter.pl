# exporter.pl HOST PORT CA stls|implicit TLSv1_2|TLSv1_3: a pipe to the server by TLS of OpenSSL. The
# first line on stdout is the binding tls-exporter in hexadecimal (RFC 9266: an empty context, which
# in TLS 1.2 is not the same as none).
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::SSL;

my ($host, $port, $ca, $way, $version) = @ARGV;
my $socket = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port) or die "connect: $!";

# Octet by octet: nothing behind the line may be taken as plaintext.
sub plain_line {
	my $line = '';
	until ($line =~ /\n/) {
		$socket->sysread(my $octet, 1) or die 'the server has closed';
		$line .= $octet;
	}
	$line =~ /^\+OK/ or die $line;
}
if ($way eq 'stls') {
	plain_line();
	$socket->syswrite("STLS\r\n");
	plain_line();
}
IO::Socket::SSL->start_SSL($socket, SSL_ca_file => $ca, SSL_verifycn_name => 'localhost',
	SSL_verifycn_scheme => 'pop3', SSL_version => $version) or die "TLS: $SSL_ERROR";

$| = 1;
binmode STDIN;
binmode STDOUT;
my $binding = Net::SSLeay::export_keying_material($socket->_get_ssl_object, 32,
	'EXPORTER-Channel-Binding', '');
print unpack('H*', $binding), "\r\n";
# A record may be a ticket, with nothing to read behind it.
$socket->blocking(0);
my $ready = IO::Select->new($socket, \*STDIN);
while (1) {
	for my $from ($socket->pending ? $socket : $ready->can_read) {
		my $octets;
		my $got = sysread($from, $octets, 16384);
		next if !defined $got && $!{EWOULDBLOCK};
		exit if !$got;
		if ($from == $socket) { print $octets } else { $socket->syswrite($octets) }
	}
}
