#!/usr/bin/perl
# The answers of `testbed` that a Perl program on FCGI can give, for tests of our FastCGI client.
use strict;
use warnings;
use FCGI;
use IO::Handle;

my ($in, $out, $err) = (IO::Handle->new, IO::Handle->new, IO::Handle->new);
my $request = FCGI::Request($in, $out, $err, \%ENV, 0, FCGI::FAIL_ACCEPT_ON_INTR());
my $block = 'x' x 65536;

sub text {
    my ($status, $body) = @_;
    print $out "Status: $status Text\r\nContent-Type: text/plain\r\nContent-Length: ", length $body, "\r\n\r\n$body";
}

sub octets {
    my ($left, $chunk, $told) = @_;
    print $out "Content-Type: application/octet-stream\r\n", $told ? "Content-Length: $left\r\n" : '', "\r\n";
    while ($left > 0) {
        my $here = $left < $chunk ? $left : $chunk;
        print $out substr $block, 0, $here;
        $left -= $here;
    }
}

# Reads the body to its end; gives each piece away.
sub body {
    my $take = shift;
    my $left = $ENV{CONTENT_LENGTH} || 0;
    while ($left > 0) {
        my $got = read $in, my $piece, $left < 65536 ? $left : 65536;
        last unless $got;
        $left -= $got;
        $take->($piece);
    }
}

sub json {
    my $string = shift;
    $string =~ s/(["\\]|[^ -~])/$1 eq '"' ? '\\"' : $1 eq '\\' ? '\\' x 4 : sprintf '\\\\x%02x', ord $1/ge;
    return qq("$string");
}

sub answer {
    my $path = shift;
    if ($path eq '/' or $path eq '/hello') {
        text(200, 'Hello, World!');
    } elsif ($path eq '/echo') {
        my $type = $ENV{CONTENT_TYPE} || 'application/octet-stream';
        print $out "Content-Type: $type\r\nContent-Length: ", $ENV{CONTENT_LENGTH} || 0, "\r\n\r\n";
        body(sub { print $out $_[0] });
    } elsif ($path eq '/upload') {
        my $count = 0;
        body(sub { $count += length $_[0] });
        text(200, $count);
    } elsif ($path eq '/download') {
        octets(1 << 20, 65536, 1);
    } elsif ($path =~ m{^/bytes/(\d+)$}) {
        octets($1, 65536, 1);
    } elsif ($path =~ m{^/stream/(\d+)$}) {
        my $length = $1;
        my ($chunk) = $ENV{QUERY_STRING} =~ /chunk=(\d+)/;
        octets($length, $chunk || 8192, 0);
    } elsif ($path =~ m{^/environ}) {
        print $out "Content-Type: application/json\r\n\r\n",
            '{"variables":{', join(',', map { json($_) . ':' . json($ENV{$_}) } sort keys %ENV), '}}';
    } elsif ($path =~ m{^/sleep/(\d+)$}) {
        select undef, undef, undef, $1 / 1000;
        text(200, "slept $1 ms\n");
    } elsif ($path =~ m{^/status/([23]04)$}) {
        print $out "Status: $1\r\n\r\n";
    } elsif ($path =~ m{^/status/(\d+)$}) {
        text($1, "status $1\n");
    } elsif ($path eq '/cookies') {
        print $out "Content-Type: text/plain\r\nContent-Length: 12\r\nSet-Cookie: first=1; Path=/\r\n",
            "Set-Cookie: second=2; Path=/; Expires=Wed, 01 Jan 2098 00:00:00 GMT\r\n\r\ntwo cookies\n";
    } elsif ($path eq '/stderr') {
        print $err "testbed: a line for the error stream\n";
        text(200, "a line was written to the error stream\n");
    } elsif ($path eq '/stderr/around') {
        print $err "a line before the head\n";
        $request->Flush;
        text(200, 'the body');
        $request->Flush;
        print $err "a line behind the body\n";
    } elsif ($path =~ m{^/length/(short|long)$}) {
        print $out "Content-Type: text/plain\r\nContent-Length: ", $1 eq 'short' ? 5 : 100, "\r\n\r\nHello, World!";
    } elsif ($path eq '/fail/after') {
        print $out "Content-Type: text/plain\r\n\r\nthe first part\n";
        $request->Flush;
        kill 'KILL', $$;
    } elsif ($path eq '/early') {
        text(200, 'answered at once');
    } elsif ($path eq '/process') {
        text(200, $$);
    } else {
        text(404, "no such path\n");
    }
}

while ($request->Accept >= 0) {
    answer($ENV{PATH_INFO} || '/');
    $request->Finish;
}
