#!/usr/bin/perl
# A few of the answers of `testbed`, in Perl, for tests of our CGI host.
use strict;
use warnings;
binmode STDIN;
binmode STDOUT;
my $path = $ENV{PATH_INFO} // '';
if ($path eq '/hello') {
    print "Content-Type: text/plain\n\nHello, World!";
} elsif ($path eq '/upload') {
    my ($left, $count, $buffer) = ($ENV{CONTENT_LENGTH} || 0, 0, '');
    while ($left > 0 and my $got = read STDIN, $buffer, $left < 65536 ? $left : 65536) { $left -= $got; $count += $got }
    print "Content-Type: text/plain\n\n$count";
} elsif ($path eq '/echo') {
    print 'Content-Type: ', $ENV{CONTENT_TYPE} || 'text/plain', "\n\n";
    my $buffer;
    while (read STDIN, $buffer, 65536) { print $buffer }
} elsif ($path eq '/stream') {
    print "Content-Type: application/octet-stream\n\n";
    print 'x' x 65536 for 1 .. 1024;
} elsif ($path eq '/cookies') {
    print "Content-Type: text/plain\nSet-Cookie: a=1\nSet-Cookie: b=2\n\n";
} elsif ($path eq '/missing') {
    print "Status: 404 Not Found\nContent-Type: text/plain\n\nnothing here";
} elsif ($path eq '/redirect') {
    print "Location: http://example.org/there\n\n";
} elsif ($path eq '/stderr') {
    print STDERR "a line for the error stream\n";
    print "Content-Type: text/plain\n\nwritten";
} else {
    print "Content-Type: application/json\n\n";
    print '{"variables":{', join(',', map { my $v = $ENV{$_}; $v =~ s/(["\\])/\\$1/g; qq("$_":"$v") } sort keys %ENV), '}}';
}
