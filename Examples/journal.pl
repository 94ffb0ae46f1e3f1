#!/usr/bin/perl
# SPDX-License-Identifier: AGPL-3.0-or-later

# journal: a mount point plugin that writes a line for each container that gets a volume or a bind mount, and one when it ends, with
# the reason and the exit status. It is Persistent: also after a power cut each first line gets its second one.
#
# usage: journal.pl [SOCKET]            default /run/docker/plugins/journal.sock; systemd's socket, if it gives one
# JOURNAL_STATE is where it notes what is attached (/var/lib/journal-plugin), JOURNAL_LOG its log (/var/log/mounts.log)

use strict;
use warnings;
use IO::Handle;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX qw(strftime);

my $path = shift @ARGV // '/run/docker/plugins/journal.sock';
my $state = $ENV{JOURNAL_STATE} // '/var/lib/journal-plugin';
my $log = $ENV{JOURNAL_LOG} // '/var/log/mounts.log';
my $json = JSON::PP->new->utf8->canonical;
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

sub note {
    my $line = join ' ', strftime('%Y-%m-%dT%H:%M:%SZ', gmtime), @_;
    $line =~ s/[\x00-\x1f\x7f]/?/g;
    open my $file, '>>:utf8', $log or return "$log: $!";
    print {$file} "$line\n";
    return close($file) ? undef : "$log: $!";
}

# The ID is a file's name only after a look at it.
sub file_of {
    my ($id) = @_;
    return $id =~ /\A[A-Za-z0-9_+.-]+\z/ && $id !~ /\A\.\.?\z/ ? "$state/$id" : undef;
}

# What makes no sense is refused.
sub id_of {
    my ($request) = @_;
    my $id = ref $request eq 'HASH' ? $request->{ID} : undef;
    # A number is not a text.
    die "the request has no ID\n" unless defined $id && !ref $id && $json->encode([$id]) =~ /\A\["/;
    return $id;
}

sub attach {
    my ($request) = @_;
    my $id = id_of($request);
    die "the request has no list of mounts\n" unless ref $request->{Mounts} eq 'ARRAY';
    my @mounts = @{$request->{Mounts}};
    return {Success => $true, Attachments => []} unless @mounts;
    my $file = file_of($id) or return {Success => $false, Err => 'the ID is none'};
    # On disk before the answer: from the answer on, the host relies on it.
    open my $out, '>', "$file.new" or return {Success => $false, Err => "$file: $!"};
    print {$out} $json->encode([map { $_->{Destination} } @mounts]);
    $out->flush && $out->sync && close($out) && rename("$file.new", $file) or return {Success => $false, Err => "$file: $!"};
    if (open my $folder, '<', $state) { $folder->sync }
    my $name = $mounts[0]{Container}{Name} // $id;
    my $problem = note('attach', $id, $name, map { "$_->{Destination}=$_->{EffectiveSource}" } @mounts);
    if ($problem) { unlink $file; return {Success => $false, Err => $problem} }
    my $action = {Warning => 'the journal has no line for the end of this container'};
    return {Success => $true, Attachments => [map { {Attach => $true, EmergencyDetach => [$action]} } @mounts]};
}

sub detach {
    my ($request) = @_;
    my $id = id_of($request);
    my $file = file_of($id) or return {Success => $false, Recoverable => $true, Err => 'the ID is none'};
    # Of a container that it knows nothing of, there is nothing to undo: its answer to Attach may never have arrived.
    return {Success => $true} unless -e $file;
    my $problem = note('detach', $id, $request->{Reason} // 'unknown', 'status=' . ($request->{ExitStatus} // 'none'));
    return {Success => $false, Recoverable => $true, Err => $problem} if $problem;
    return unlink($file) ? {Success => $true} : {Success => $false, Recoverable => $true, Err => "$file: $!"};
}

my %methods = (
    '/Plugin.Activate' => sub { {Implements => ['mountpoint']} },
    '/MountPointPlugin.MountPointProperties' => sub { {Success => $true, Patterns => [{}], Persistent => $true} },
    '/MountPointPlugin.MountPointAttach' => \&attach,
    '/MountPointPlugin.MountPointDetach' => \&detach,
);

sub serve {
    my ($client) = @_;
    local $/ = "\r\n";
    my $line = <$client> // return;
    my (undef, $method) = split / /, $line;
    my $length = 0;
    while (defined($line = <$client>) && $line ne "\r\n") { $length = $1 if $line =~ /\AContent-Length:\s*(\d+)/i }
    my $body = '';
    while (length $body < $length) { read($client, $body, $length - length $body, length $body) or return }
    my $call = $methods{$method};
    my ($status, $answer) = ('404 Not Found', {Err => "$method is not known"});
    if ($call) {
        $answer = eval { $call->($body eq '' ? {} : $json->decode($body)) };
        ($status, $answer) = $answer ? ('200 OK', $answer) : ('400 Bad Request', {Err => "the request makes no sense: $@"});
    }
    my $text = $json->encode($answer);
    my $type = 'Content-Type: application/vnd.docker.plugins.v1.2+json';
    print {$client} "HTTP/1.1 $status\r\n$type\r\nContent-Length: ", length($text), "\r\nConnection: close\r\n\r\n$text";
}

mkdir $state, 0700;
my $server;
if (($ENV{LISTEN_PID} // '') eq $$) {
    $server = IO::Socket::UNIX->new_from_fd(3, 'r+') or die "descriptor 3: $!";
} else {
    unlink $path;
    umask 077;
    $server = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $path, Listen => 64) or die "$path: $!";
}
$SIG{PIPE} = 'IGNORE';
# One call after the other is enough: each takes no longer than a line takes to be written.
while (1) {
    my $client = $server->accept or next;
    eval { serve($client); 1 } or print STDERR "journal: $@";
    close $client;
}
