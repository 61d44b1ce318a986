#!/usr/bin/perl
# A script on CGI.pm: it parses the forms, makes the cookies and writes the head.
use strict;
use warnings;
use CGI;
use Digest::SHA;

my $cgi = CGI->new;
my $path = $cgi->path_info;
binmode STDOUT;

sub page {
    my ($body, @head) = @_;
    print $cgi->header(-type => 'text/plain', -charset => 'utf-8', @head), $body;
}

if ($path eq '/variables') {
    page(join '', map { sprintf "%s=%s\n", $_, $ENV{$_} // '' }
        qw(REQUEST_METHOD SCRIPT_NAME PATH_INFO QUERY_STRING CONTENT_TYPE GATEWAY_INTERFACE SERVER_PROTOCOL SERVER_NAME
        REMOTE_ADDR REQUEST_URI SCRIPT_FILENAME HTTP_HOST HTTP_COOKIE HTTP_X_TEST), "arguments=@ARGV\n",
        'url=' . $cgi->url(-path_info => 1, -query => 1));
} elsif ($path eq '/form') {
    page(sprintf "name=%s\nnote=%s\nseen=%s\n", scalar $cgi->param('name'), scalar $cgi->param('note'),
        $cgi->cookie('seen') // 'never');
} elsif ($path eq '/upload') {
    my $file = $cgi->upload('file');
    my $digest = Digest::SHA->new(256)->addfile($file);
    page(sprintf "%s %d %s\n", scalar $cgi->param('file'), -s $file, $digest->hexdigest);
} elsif ($path eq '/raw') {
    # What is no form is the parameter POSTDATA.
    print $cgi->header(-type => $cgi->content_type, -charset => ''), scalar $cgi->param('POSTDATA');
} elsif ($path eq '/stream') {
    print $cgi->header(-type => 'application/octet-stream', -charset => '');
    print "\0" x 65536 for 1 .. 64;
} elsif ($path eq '/cookies') {
    page("baked\n", -cookie => [$cgi->cookie('a', 1), $cgi->cookie('b', 2)]);
} elsif ($path eq '/missing') {
    page("nothing here\n", -status => '404 Not Found');
} elsif ($path eq '/redirect') {
    print $cgi->redirect('http://programs.example/there');
} elsif ($path eq '/error') {
    print STDERR "a line for the error stream\n";
    page("it went wrong\n", -status => '500 Internal Server Error');
}
