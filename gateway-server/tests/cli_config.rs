//! Mistakes in configuration files and flags: each is told with its place, its field and what is allowed.
//!
//! Everything is observed as an operator would: by running `gateway check-config` and `gateway serve`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a failure is a panic"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder with one of everything that a configuration can point at.
fn place() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    make("program", 0o755);
    make("text", 0o644);
    std::fs::create_dir(folder.path().join("files")).unwrap();
    std::fs::write(folder.path().join("files/front.php"), "<?php").unwrap();
    folder
}

fn gateway(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gateway")).args(arguments).current_dir(folder).output().unwrap()
}

/// What `check-config` says of a file `g.toml` with this text: exit code, standard output, lines of standard error.
fn check(text: &str) -> (i32, String, Vec<String>) {
    let folder = place();
    std::fs::write(folder.path().join("g.toml"), text).unwrap();
    let output = gateway(folder.path(), &["check-config", "g.toml"]);
    let folder_name = folder.path().to_str().unwrap();
    let clean = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().replace(folder_name, "DIR");
    let lines = clean(&output.stderr).lines().map(|line| line.strip_prefix("gateway: ").unwrap().to_owned()).collect();
    (output.status.code().unwrap(), clean(&output.stdout), lines)
}

const DURATION: &str = "a time with its unit, such as 500ms, 5s or 2min; at most 100 years";

#[test]
fn each_mistake_is_told_with_line_column_field_and_what_is_allowed() {
    let cgi = "allowed are timeout, header_timeout, idle_timeout, queue_timeout, max_children, \
               max_children_per_program, unknown_length, max_spool, index, interpreter.NAME, links, nph, sendfile, accel, root, \
               server_name, server_port, authorization, argument, inherit, user, group, directory, umask, max_cpu, \
               max_memory, max_processes, max_files, max_file_bytes, no_new_privileges, read_only, writable, env.NAME, \
               authorizer, authorizer_timeout";
    let forms = "app:demo, cgi:FILE_OR_DIR, fastcgi:unix:PATH, fastcgi:tcp:HOST:PORT, fastcgi:ADDRESS,ADDRESS… for several, fastcgi:spawn:COMMAND ARGS…, \
                 php:unix:PATH, php:tcp:HOST:PORT, http://HOST:PORT, http:unix:PATH, static:DIR, each with ?key=value&key=value";
    let rows: Vec<(&str, &str, String)> = vec![
        ("an unknown field at the top", "thread = 4", "1:1: thread: unknown; allowed are admin, admin_open, user, group, model, threads, hosts, trusted_proxies, trusted_fields, socket_mode, socket_owner, listen, tls, log, access, limits, timeouts, mount".into()),
        ("an unknown table", "\n[logs]\nx = 1", "2:2: logs: unknown; allowed are admin, admin_open, user, group, model, threads, hosts, trusted_proxies, trusted_fields, socket_mode, socket_owner, listen, tls, log, access, limits, timeouts, mount".into()),
        ("an unknown field of a table", "[log]\nlevels = \"info\"", "2:1: log.levels: unknown; allowed are format, level, access".into()),
        ("no threads", "threads = 0", "1:11: threads: \"0\" is not allowed; allowed is a number from 1 to 4096".into()),
        ("fewer than no threads", "threads = -1", "1:11: threads: \"-1\" is not allowed; allowed is a number from 1 to 4096".into()),
        ("more threads than there are", "threads = 99999999", "1:11: threads: \"99999999\" is not allowed; allowed is a number from 1 to 4096".into()),
        ("half a thread", "threads = 1.5", "1:11: threads: \"1.5\" is not allowed; allowed is a number from 1 to 4096".into()),
        ("a list of threads", "threads = [1]", "1:11: threads: a list is not allowed; allowed is a number from 1 to 4096".into()),
        ("a date of threads", "threads = 2024-01-01", "1:11: threads: a date is not allowed; allowed is a number from 1 to 4096".into()),
        ("an address without a port", "listen = \"localhost\"", "1:10: listen: \"localhost\": expected `unix:PATH`, `tcp:HOST:PORT` or `HOST:PORT`".into()),
        ("a port that is none", "listen = [\"127.0.0.1:80\", \"127.0.0.1:99999\"]", "1:27: listen: \"127.0.0.1:99999\": port must be a number from 0 to 65535".into()),
        ("a port alone", "listen = 8080", "1:10: listen: \"8080\" is not allowed; allowed is HOST:PORT, unix:PATH, systemd or systemd:NAME, each with ?key=value&key=value, or a list of them".into()),
        ("a mode that is none", "socket_mode = \"rw\"", "1:15: socket_mode: \"rw\" is not allowed; allowed is an octal mode such as 660".into()),
        ("an owner that is nobody", "socket_owner = \"no such user\"", "1:16: socket_owner: \"no such user\" is not allowed; allowed is USER, USER:GROUP or :GROUP, by names that the system knows or by numbers".into()),
        ("a socket in no folder", "listen = \"unix:no/x.sock\"", "1:10: listen: \"DIR/no/x.sock\": the folder DIR/no is missing".into()),
        ("a log format", "[log]\nformat = \"xml\"", "2:10: log.format: \"xml\" is not allowed; allowed is human or json".into()),
        ("a log level", "[log]\nlevel = \"loud\"", "2:9: log.level: \"loud\" is not allowed; allowed is error, warn, info, debug or trace, or directives such as info,gateway_cgi=debug".into()),
        ("a switch", "[log]\naccess = \"on\"", "2:10: log.access: \"on\" is not allowed; allowed is true or false".into()),
        ("a table that is a value", "log = \"info\"", "1:7: log: \"info\" is not allowed; allowed is a table: [log]".into()),
        ("a time without a unit", "[timeouts]\nheader = 5", format!("2:10: timeouts.header: \"5\" is not allowed; allowed is {DURATION}")),
        ("no time at all", "[timeouts]\nbody = \"0s\"", format!("2:8: timeouts.body: \"0s\" is not allowed; allowed is {DURATION}")),
        ("an unknown timeout", "[timeouts]\nheaders = \"5s\"", "2:1: timeouts.headers: unknown; allowed are handshake, header, keep_alive, body, write, rate_grace, half_close, linger, stop".into()),
        ("a size", "[limits]\nmax_head_bytes = \"64 KB\"", "2:18: limits.max_head_bytes: \"64 KB\" is not allowed; allowed is a number of bytes from 256 on, such as 65536 or 64KiB".into()),
        ("a head in which nothing has room", "[limits]\nmax_head_bytes = 255", "2:18: limits.max_head_bytes: \"255\" is not allowed; allowed is a number of bytes from 256 on, such as 65536 or 64KiB".into()),
        ("a network that is none", "trusted_proxies = \"10.0.0.0/40\"", "1:19: trusted_proxies: \"10.0.0.0/40\" is not allowed; allowed is addresses, networks such as 10.0.0.0/8 (up to /32, or /128 for IPv6), or unix for peers on UNIX sockets, with commas between them".into()),
        ("a name that was forgotten", "[access]\nformat = \"time,,status\"", "2:10: access.format: \"time,,status\" is not allowed; allowed is common, combined, json, json:NAME,NAME… or NAME,NAME… of the fields in docs/operation.md".into()),
        ("an access log in no folder", "[access]\nfile = \"no/a.log\"", "2:8: access.file: \"DIR/no/a.log\": the folder DIR/no is missing".into()),
        ("an access log that is a folder", "[access]\nfile = \"files\"", "2:8: access.file: \"DIR/files\": is a folder; name a file in it".into()),
        ("an admin listener for everybody", "admin = \"0.0.0.0:0\"", "1:9: admin: \"tcp:0.0.0.0:0\": other machines may reach it, and it tells them everything; take 127.0.0.1 or unix:PATH, or say --admin-open (admin_open = true)".into()),
        ("a user of the server who is not there", "user = \"no-such-user\"", "1:8: user: \"no-such-user\": there is no user \"no-such-user\"".into()),
        ("a group of the server that is not there", "user = \"root\"\ngroup = \"no-such-group\"", "2:9: group: \"no-such-group\": there is no group \"no-such-group\"".into()),
        ("HTTP/2 with threads that wait", "model = \"threads\"\nlisten = \"127.0.0.1:1?http2=true\"", "2:10: listen.http2: \"--model threads\": this model speaks plain HTTP/1.1 only; HTTP/2 needs --model event-loops".into()),
        ("a PROXY header with one thread", "model = \"iterative\"\nlisten = \"127.0.0.1:1?proxy_protocol=10.0.0.1\"", "2:10: listen.proxy_protocol: \"--model iterative\": this model speaks plain HTTP/1.1 only; the PROXY protocol needs --model event-loops".into()),
        ("an address twice", "listen = [\"127.0.0.1:1\", \"127.0.0.1:0\", \"127.0.0.1:0\", \"127.0.0.1:1\"]", "1:56: listen: given twice; the first is g.toml:1:11: listen".into()),
        ("an upstream without slashes", "[[mount]]\nprefix = \"/\"\ntarget = \"http:127.0.0.1:80\"", "3:10: mount.target: \"http:127.0.0.1:80\": expected http://HOST:PORT, http://HOST:PORT/PATH, unix:PATH or tcp:HOST:PORT; perhaps http://127.0.0.1:80 is meant".into()),
        ("an unknown limit", "[limits]\nmax_heads = 1", "2:1: limits.max_heads: unknown; allowed are max_head_bytes, max_fields, max_target_bytes, max_method_bytes, max_body_bytes, length_required, max_chunk_extension_bytes, max_trailer_bytes, min_body_bytes_per_second, min_write_bytes_per_second, max_connections, max_connections_per_peer, uncounted_peers, max_requests_per_connection, max_pipelined, max_streams, stream_window, max_blocking_calls, max_children, preread_bytes, drain_bytes".into()),
        ("an unknown field of tls", "[tls]\ncrt = \"x\"", "2:1: tls.crt: unknown; allowed are cert, key, listen".into()),
        ("an address with a misspelt key", "listen = \"127.0.0.1:1?proxy=10.0.0.1\"", "1:10: listen.proxy: unknown; allowed are proxy_protocol, http2".into()),
        ("an address with TLS and no certificate", "[tls]\nlisten = \"127.0.0.1:1\"", "2:10: tls.listen: missing; allowed is a certificate: --tls-cert FILE --tls-key FILE, or cert and key in [tls]".into()),
        ("a certificate without its key", "[tls]\ncert = \"text\"", "1:1: tls.key: missing; allowed is the file of the certificate's key: --tls-key FILE, or key in [tls]".into()),
        ("a certificate too many", "[tls]\ncert = [\"text\", \"text\"]\nkey = \"text\"", "3:7: tls.key: certificates: 2, keys: 1; each certificate has its own key, in the same order".into()),
        ("a certificate that is a number", "[tls]\ncert = [\"text\", {}]", "2:17: tls.cert: a table is not allowed; allowed is a path, or a list of them".into()),
        ("a certificate for nobody", "listen = \"127.0.0.1:1\"\n[tls]\ncert = \"text\"\nkey = \"text\"", "2:1: tls.listen: missing; allowed is an address for TLS: --tls-listen ADDR, or listen in [tls]; the others are without".into()),
        ("a certificate that is none", "[tls]\ncert = \"text\"\nkey = \"text\"", "1:1: tls: DIR/text: there is no certificate in it; a certificate in PEM form begins with -----BEGIN CERTIFICATE-----".into()),
        ("mounts that are no list", "mount = \"/\"", "1:9: mount: \"/\" is not allowed; allowed is a list of tables: [[mount]]".into()),
        ("a mount in single brackets", "[mount]\nprefix = \"/\"\ntarget = \"app:demo\"", "1:1: mount: a table is not allowed; allowed is a list of tables: [[mount]]".into()),
        ("a mount without a target", "[[mount]]\nprefix = \"/\"", format!("1:1: mount.target: missing; allowed is {forms}")),
        ("a mount without a prefix", "[[mount]]\ntarget = \"app:demo\"", "1:1: mount.prefix: missing; allowed is a path such as / or /app".into()),
        ("an unknown field of a mount", "[[mount]]\nprefix = \"/\"\ntarget = \"app:demo\"\ntimeout = \"5s\"", "4:1: mount.timeout: unknown; allowed are prefix, target, options".into()),
        ("a prefix without a slash", "[[mount]]\nprefix = \"app\"\ntarget = \"app:demo\"", "2:10: mount.prefix: \"app\": path does not start with a slash; allowed is a path such as / or /app".into()),
        ("a prefix that leads out", "[[mount]]\nprefix = \"/a/../b\"\ntarget = \"app:demo\"", "2:10: mount.prefix: \"/a/../b\": dot segment at offset 3; allowed is a path such as / or /app".into()),
        ("a prefix that is a number", "[[mount]]\nprefix = 1\ntarget = \"app:demo\"", "2:10: mount.prefix: \"1\" is not allowed; allowed is a path such as / or /app".into()),
        ("a target that is none", "[[mount]]\nprefix = \"/\"\ntarget = \"proxy:x\"", format!("3:10: mount.target: \"proxy:x\" is not allowed; allowed is {forms}")),
        ("an application that is none", "[[mount]]\nprefix = \"/\"\ntarget = \"app:domo\"", "3:10: mount.target: \"app:domo\" is not allowed; allowed is app:demo".into()),
        ("a missing program", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:nothing\"", "3:10: mount.target: \"DIR/nothing\": No such file or directory (os error 2); correct the path, or make what it names".into()),
        ("a program that cannot run", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:text\"", "3:10: mount.target: \"DIR/text\": is not executable; chmod +x makes it so".into()),
        ("a missing folder", "[[mount]]\nprefix = \"/\"\ntarget = \"static:nothing\"", "3:10: mount.target: \"DIR/nothing\": No such file or directory (os error 2); correct the path, or make what it names".into()),
        ("a folder that is a file", "[[mount]]\nprefix = \"/\"\ntarget = \"static:text\"", "3:10: mount.target: \"DIR/text\": is no folder".into()),
        ("a socket that is a file", "[[mount]]\nprefix = \"/\"\ntarget = \"fastcgi:unix:text\"", "3:10: mount.target: \"DIR/text\": is no socket".into()),
        ("a socket in no folder", "[[mount]]\nprefix = \"/\"\ntarget = \"fastcgi:unix:no/s\"", "3:10: mount.target: \"DIR/no/s\": the folder DIR/no is missing".into()),
        ("workers that are nowhere", "[[mount]]\nprefix = \"/\"\ntarget = \"fastcgi:spawn:no-such-program-anywhere x\"", "3:10: mount.target: \"no-such-program-anywhere\": no such program in PATH".into()),
        ("an option of another target", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:program\"\noptions = { workers = 2 }", format!("4:13: mount.options.workers of cgi: unknown; {cgi}")),
        ("an option that is misspelt", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:program\"\n[mount.options]\ntiemout = \"5s\"", format!("5:1: mount.options.tiemout of cgi: unknown; {cgi}")),
        ("a value of an option", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:program\"\noptions.timeout = 5", format!("4:19: mount.options.timeout of cgi: \"5\" is not allowed; allowed is {DURATION}")),
        ("a name of a variable", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:program\"\noptions.env.lower = \"x\"", "4:21: mount.options.env.lower of cgi: \"x\" is not allowed; allowed is a name of A-Z, 0-9 and _ that is not one of the request's own, with a text without NUL".into()),
        ("an option in the target", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:program?timeout=x\"", format!("3:10: mount.target: timeout: \"x\" is not allowed; allowed is {DURATION}")),
        ("an interpreter that is nowhere", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:files\"\noptions.interpreter.py = \"/no/python3 -I\"", "3:10: mount.target.interpreter.py: \"/no/python3\": No such file or directory (os error 2); correct the path, or make what it names".into()),
        ("an interpreter by its name", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:files\"\noptions.interpreter.py = \"python3\"", "4:26: mount.options.interpreter.py of cgi: \"python3\" is not allowed; allowed is an extension, such as py, with the absolute path of a program, perhaps with arguments before the script's path".into()),
        ("an index with a slash", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:files\"\noptions.index = \"a/b\"", "4:17: mount.options.index of cgi: \"a/b\" is not allowed; allowed is the name of a file".into()),
        ("a policy that is none", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:files\"\noptions.unknown_length = \"buffer\"", "4:26: mount.options.unknown_length of cgi: \"buffer\" is not allowed; allowed is spool, refuse or stream".into()),
        ("a server name with a port", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:files\"\noptions.server_name = \"a:80\"", "4:23: mount.options.server_name of cgi: \"a:80\" is not allowed; allowed is a host name or an address, without a port".into()),
        ("a umask that is none", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:files\"\noptions.umask = \"0888\"", "4:17: mount.options.umask of cgi: \"0888\" is not allowed; allowed is an octal number up to 777".into()),
        ("less than a second of processor", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:files\"\noptions.max_cpu = \"500ms\"", format!("4:19: mount.options.max_cpu of cgi: \"500ms\" is not allowed; allowed is {DURATION}")),
        ("a user who is not there", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:files\"\noptions.user = \"no-such-user\"", "3:10: mount.target.user: \"no-such-user\": no user is called no-such-user".into()),
        ("root as a user", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:files\"\noptions.user = \"root\"", "3:10: mount.target.user: \"root\": the user root is root, as which no program is run by a setting".into()),
        ("a group without a user", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:files\"\noptions.group = \"daemon\"", "3:10: mount.target.group: \"daemon\": means something together with user only".into()),
        ("a folder to write without read_only", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:files\"\noptions.writable = \"files\"", "3:10: mount.target.writable: \"DIR/files\": means something together with read_only only".into()),
        ("a folder to write that is nowhere", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:files\"\noptions = { read_only = true, writable = \"no\" }", "3:10: mount.target.writable: \"DIR/no\": No such file or directory (os error 2); correct the path, or make what it names".into()),
        ("options that are a text", "[[mount]]\nprefix = \"/\"\ntarget = \"cgi:program\"\noptions = \"timeout=5s\"", "4:11: mount.options: \"timeout=5s\" is not allowed; allowed is a table".into()),
        ("a missing root", "[[mount]]\nprefix = \"/\"\ntarget = \"fastcgi:tcp:localhost:9000?root=no\"", "3:10: mount.target.root: \"DIR/no\": No such file or directory (os error 2); correct the path, or make what it names".into()),
        ("an index without a root", "[[mount]]\nprefix = \"/\"\ntarget = \"fastcgi:tcp:localhost:9000?index=x.php\"", "3:10: mount.target.index: \"x.php\": means something together with root only".into()),
        ("a PHP site that is nowhere", "[[mount]]\nprefix = \"/\"\ntarget = \"php:tcp:localhost:9000\"", "3:10: mount.target.root: missing; allowed is the folder of the site, such as root=/srv/www".into()),
        ("a fallback that is missing", "[[mount]]\nprefix = \"/\"\ntarget = \"php:tcp:localhost:9000?root=files&fallback=/no.php\"", "3:10: mount.target.fallback: \"DIR/files/no.php\": No such file or directory (os error 2); correct the path, or make what it names".into()),
        ("a PHP site of one script", "[[mount]]\nprefix = \"/\"\ntarget = \"php:tcp:localhost:9000?root=files&script=text\"", "3:10: mount.target.script: \"DIR/text\": root and script exclude each other: root finds a script for each path, script answers all paths".into()),
        ("a denied path that leads out", "[[mount]]\nprefix = \"/\"\ntarget = \"php:tcp:localhost:9000?root=files\"\noptions.deny = \"/../x\"", "4:16: mount.options.deny of php: \"/../x\" is not allowed; allowed is a path below root, such as /data".into()),
        ("habits of nobody", "[[mount]]\nprefix = \"/\"\ntarget = \"fastcgi:tcp:localhost:9000?params=iis\"", "3:10: mount.target: params: \"iis\" is not allowed; allowed is cgi, nginx or apache".into()),
        ("one prefix twice", "[[mount]]\nprefix = \"/a\"\ntarget = \"app:demo\"\n[[mount]]\nprefix = \"/%61/\"\ntarget = \"app:demo\"", "5:10: mount.prefix: given twice; the first is g.toml:2:10: mount.prefix".into()),
        ("a character is one column", "# é\nlisten = [\"é\"]", "2:11: listen: \"é\": expected `unix:PATH`, `tcp:HOST:PORT` or `HOST:PORT`".into()),
    ];
    for (name, text, wanted) in rows {
        let (code, said, mistakes) = check(text);
        assert_eq!((code, said.as_str(), mistakes), (2, "", vec![format!("g.toml:{wanted}")]), "{name}");
    }
}

#[test]
fn what_is_not_toml_is_told_with_its_place() {
    for (text, place) in
        [("listen = ", "g.toml:1:"), ("a = 1\nb = [1,\n", "g.toml:2:"), ("x = 1\nx = 2", "g.toml:2:1: ")]
    {
        let (code, _, mistakes) = check(text);
        assert!(code == 2 && mistakes[0].starts_with(place), "{text}: {mistakes:?}");
    }
}

#[test]
fn all_mistakes_are_told_in_the_order_of_the_file() {
    let (code, _, mistakes) = check(
        "threads = 0\nlisten = [\"x\", \"y\"]\n[timeouts]\nheader = 1\nnever = 2\n[[mount]]\nprefix = \"a\"\ntarget = \
         \"cgi:program?a=1&b=2\"\n[[mount]]\n",
    );
    let places: Vec<&str> = mistakes.iter().map(|line| line.split(": ").next().unwrap()).collect();
    let wanted = ["1:11", "2:11", "2:16", "4:10", "5:1", "7:10", "8:10", "8:10", "9:1", "9:1"];
    assert_eq!(places, wanted.map(|at| format!("g.toml:{at}")), "{mistakes:#?}");
    assert_eq!(code, 2);
}

#[test]
fn a_file_that_says_everything_is_right() {
    let (code, said, mistakes) = check(
        "listen = [\"127.0.0.1:0\", \"[::1]:0\", \"unix:s.sock\"]\nthreads = 4\n\
         [log]\nformat = \"json\"\nlevel = \"info,gateway_cgi=debug\"\naccess = false\n\
         [limits]\nmax_head_bytes = \"32KiB\"\nmax_fields = 50\nmax_target_bytes = 4096\nmax_body_bytes = \"1GiB\"\n\
         max_trailer_bytes = 1024\nmax_connections = 100\nmax_requests_per_connection = 1000\nmax_blocking_calls = 8\n\
         max_children = 64\npreread_bytes = 1\ndrain_bytes = 1\n\
         [timeouts]\nheader = \"5s\"\nkeep_alive = \"10s\"\nbody = \"5s\"\nwrite = \"5s\"\nhalf_close = \"5s\"\nlinger = \"1s\"\nstop = \"9s\"\n\
         [[mount]]\nprefix = \"/\"\ntarget = \"static:files\"\noptions = { index = false, links = \"anywhere\" }\n\
         [[mount]]\nprefix = \"/demo\"\ntarget = \"app:demo\"\n\
         [[mount]]\nprefix = \"/cgi\"\ntarget = \"cgi:program?timeout=5s\"\n[mount.options]\nheader_timeout = \"1s\"\n\
         idle_timeout = \"1s\"\nqueue_timeout = \"1s\"\nmax_children = 2\nmax_spool = \"1MiB\"\nroot = \"files\"\n\
         max_children_per_program = 1\nunknown_length = \"refuse\"\nindex = [\"a.cgi\", \"b.py\"]\nlinks = \"anywhere\"\n\
         interpreter = { py = \"/bin/sh -e\" }\nnph = \"named\"\ndirectory = \"files\"\numask = \"027\"\n\
         user = \"nobody\"\ngroup = \"daemon\"\nmax_cpu = \"5s\"\nmax_memory = \"1GiB\"\nmax_processes = 9\nmax_files = 64\n\
         max_file_bytes = 1\nno_new_privileges = true\nread_only = true\nwritable = [\"files\", \"/tmp\"]\nserver_name = \"[::1]\"\nserver_port = 8443\n\
         authorization = true\nargument = [\"-a\", \"b\"]\ninherit = [\"HOME\"]\nenv = { A = \"1\", B_2 = \"\" }\n\
         [[mount]]\nprefix = \"/php\"\ntarget = \"fastcgi:unix:php.sock,tcp:h:9\"\n[mount.options]\ntimeout = \"9s\"\n\
         connect_timeout = \"1s\"\nheader_timeout = \"1s\"\nread_timeout = \"4s\"\nqueue_timeout = \"1s\"\nidle_timeout = \"1s\"\n\
         max_connections = 3\nmax_connection_age = \"1h\"\nmax_kept = 1\nmultiplex = true\nmax_multiplexed = 9\n\
         max_window = \"2MiB\"\nmax_queue = 5\nmax_tries = 2\nmax_failures = 1\n\
         max_backoff = \"5s\"\nmax_spool = 1\nroot = \"files\"\nindex = \"i.php\"\n\
         split = [\".php\", \".phtml\"]\nworker_root = \"/srv\"\nparams = \"nginx\"\nauthorization = false\nparam = { X = \"y\" }\n\
         [[mount]]\nprefix = \"/wiki\"\ntarget = \"php:unix:php.sock?root=files\"\n[mount.options]\nmax_kept = 1\n\
         fallback = \"/front.php\"\ndeny = [\"/data\", \"/conf\"]\nno_scripts = \"/up\"\nlinks = \"anywhere\"\n\
         [[mount]]\nprefix = \"/own\"\ntarget = \"fastcgi:spawn:./program 'a b'\"\noptions = { workers = 3, stop_timeout = \"2s\", \
         directory = \".\", inherit = \"HOME\", env = { A = \"b\" }, read_timeout = \"4s\", script = \"text\" }\n",
    );
    assert_eq!((code, mistakes), (0, vec![]));
    assert_eq!(
        said,
        "OK\nlisten tcp:127.0.0.1:0\nlisten tcp:[::1]:0\nlisten unix:DIR/s.sock\nmount / = static:DIR/files\n\
         mount /demo = app:demo\nmount /cgi = cgi:DIR/program\nmount /php = fastcgi:unix:DIR/php.sock,tcp:h:9\n\
         mount /wiki = php:unix:DIR/php.sock\n\
         mount /own = fastcgi:spawn:./program a b\n"
    );
}

#[test]
fn a_file_that_is_not_there_is_told_so() {
    let folder = place();
    let output = gateway(folder.path(), &["check-config", "nothing.toml"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("gateway: nothing.toml:1:1: cannot be read: No such file"), "{said}");
    assert!(said.contains("; correct the path"), "{said}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn mistakes_in_flags_name_the_flag_and_what_is_allowed() {
    let rows: [(&[&str], &str); 28] = [
        (&["--threads", "0"], "--threads: \"0\" is not allowed; allowed is a number from 1 to 4096"),
        (&["--max-children", "0"], "--max-children: \"0\" is not allowed; allowed is a number from 1 on"),
        (&["--log-format", "xml"], "--log-format: \"xml\" is not allowed; allowed is human or json"),
        (
            &["--log", "loud"],
            "--log: \"loud\" is not allowed; allowed is error, warn, info, debug or trace, or directives such as info,gateway_cgi=debug",
        ),
        (
            &["--listen", "127.0.0.1:1", "--listen", "127.0.0.1:1"],
            "--listen 127.0.0.1:1: given twice; the first is --listen 127.0.0.1:1",
        ),
        (
            &["--listen", "127.0.0.1:1?http2=true", "--model", "threads"],
            "--listen 127.0.0.1:1?http2=true: http2: \"--model threads\": this model speaks plain HTTP/1.1 only; HTTP/2 needs --model event-loops",
        ),
        (
            &["--tls-cert", "text"],
            "--tls-key: missing; allowed is the file of the certificate's key: --tls-key FILE, or key in [tls]",
        ),
        (
            &["--tls-key", "text"],
            "--tls-cert: missing; allowed is the file of the certificate that the key belongs to: --tls-cert FILE, or cert in [tls]",
        ),
        (
            &["--tls-cert", "text", "--tls-cert", "program", "--tls-key", "text"],
            "--tls-key: certificates: 2, keys: 1; each certificate has its own key, in the same order",
        ),
        (
            &["--listen", "127.0.0.1:1", "--tls-cert", "text", "--tls-key", "text"],
            "--tls-listen: missing; allowed is an address for TLS: --tls-listen ADDR, or listen in [tls]; the others are without",
        ),
        (&["--user", "no-such-user"], "--user: \"no-such-user\": there is no user \"no-such-user\""),
        (
            &["--admin", "0.0.0.0:0"],
            "--admin: \"tcp:0.0.0.0:0\": other machines may reach it, and it tells them everything; take 127.0.0.1 or unix:PATH, or say --admin-open (admin_open = true)",
        ),
        (&["--access-log", "no/a.log"], "--access-log: \"no/a.log\": the folder no is missing"),
        (&["--listen", "here"], "--listen here: \"here\": expected `unix:PATH`, `tcp:HOST:PORT` or `HOST:PORT`"),
        (
            &["--listen", "/tmp/x/s"],
            "--listen /tmp/x/s: \"/tmp/x/s\": a socket file is named with `unix:`, as in `unix:/tmp/x/s`",
        ),
        (
            &["--mount", "/=fastcgi:spawn:sh?mode=dynamic&min_spare=3&max_spare=2&workers=9"],
            "--mount /=fastcgi:spawn:sh?mode=dynamic&min_spare=3&max_spare=2&workers=9: max_spare: \"2\": is less than min_spare, which is 3",
        ),
        (&["--listen", "unix:no/s"], "--listen unix:no/s: \"DIR/no/s\": the folder DIR/no is missing"),
        (&["--mount", "/x"], "--mount /x: \"/x\" is not allowed; allowed is PREFIX=TARGET, such as /app=cgi:./app"),
        (
            &["--mount", "x=app:demo"],
            "--mount x=app:demo: \"x\": path does not start with a slash; allowed is a path such as / or /app",
        ),
        (
            &["--mount", "/=static:"],
            "--mount /=static:: \"static:\" is not allowed; allowed is app:demo, cgi:FILE_OR_DIR, fastcgi:unix:PATH, fastcgi:tcp:HOST:PORT, fastcgi:ADDRESS,ADDRESS… for several, fastcgi:spawn:COMMAND ARGS…, php:unix:PATH, php:tcp:HOST:PORT, http://HOST:PORT, http:unix:PATH, static:DIR, each with ?key=value&key=value",
        ),
        (
            &["--mount", "/=app:demo?x=1"],
            "--mount /=app:demo?x=1: x: unknown; allowed are authorizer, authorizer_timeout",
        ),
        (
            &["--mount", "/=static:files?index=1"],
            "--mount /=static:files?index=1: index: \"1\" is not allowed; allowed is true or false",
        ),
        (
            &["--mount", "/=static:files?index=true&index=true"],
            "--mount /=static:files?index=true&index=true: index: given twice; the first is in the same target",
        ),
        (
            &["--mount", "/=static:files?links=never"],
            "--mount /=static:files?links=never: links: \"never\" is not allowed; allowed is inside or anywhere",
        ),
        (
            &["--mount", "/=cgi:program?env.PATH_INFO=x"],
            "--mount /=cgi:program?env.PATH_INFO=x: env.PATH_INFO: \"x\" is not allowed; allowed is a name of A-Z, 0-9 and _ that is not one of the request's own, with a text without NUL",
        ),
        (
            &["--mount", "/=cgi:program?env.A=%00"],
            "--mount /=cgi:program?env.A=%00: env.A: \"\\0\" is not allowed; allowed is a name of A-Z, 0-9 and _ that is not one of the request's own, with a text without NUL",
        ),
        (&["--mount", "/=fastcgi:spawn:'x"], "--mount /=fastcgi:spawn:'x: \"'x\": a quotation mark is not closed"),
        (
            &["--mount", "/a=app:demo", "--mount", "/a/=app:demo"],
            "--mount /a/=app:demo: given twice; the first is --mount /a=app:demo",
        ),
    ];
    let folder = place();
    for (flags, wanted) in rows {
        let output = gateway(folder.path(), &[&["serve"], flags].concat());
        let said = String::from_utf8(output.stderr).unwrap().replace(folder.path().to_str().unwrap(), "DIR");
        assert_eq!(said, format!("gateway: {wanted}\n"));
        assert_eq!(output.status.code(), Some(2));
    }
}

#[test]
fn a_mistake_in_the_file_stops_serve_as_well_and_flags_are_looked_at_too() {
    let folder = place();
    std::fs::write(folder.path().join("g.toml"), "threads = 0\n").unwrap();
    let output = gateway(folder.path(), &["serve", "--config", "g.toml", "--log", "loud"]);
    let said = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = said.lines().map(|line| line.split(" is not").next().unwrap()).collect();
    assert_eq!(lines, ["gateway: g.toml:1:11: threads: \"0\"", "gateway: --log: \"loud\""]);
}

#[test]
fn keys_lists_every_key_with_what_it_means_and_takes() {
    let folder = place();
    let output = gateway(folder.path(), &["keys"]);
    let listed = String::from_utf8(output.stdout).unwrap();
    let mut lines = listed.lines();
    let mut keys = 0;
    while let Some(line) = lines.next() {
        let Some((key, about)) = line.strip_prefix("  ").and_then(|line| line.trim_start().split_once("  ")) else {
            continue;
        };
        assert!(!key.is_empty() && !about.trim().is_empty(), "{line}");
        assert!(lines.next().is_some_and(|next| next.trim_start().starts_with("takes ")), "{line}");
        keys += 1;
    }
    assert!(keys > 50, "{keys} keys in {listed}");
    // What an error message calls allowed is in the list.
    for wrong in [
        "[log]\nx = 1",
        "[limits]\nx = 1",
        "[timeouts]\nx = 1",
        "x = 1",
        "[[mount]]\nprefix = \"/\"\ntarget = \"fastcgi:spawn:sh?x=1\"",
    ] {
        let (_, _, mistakes) = check(wrong);
        let allowed = mistakes[0].split("allowed are ").nth(1).unwrap();
        for key in allowed.split(", ") {
            assert!(
                listed.contains(&format!("  {key} ")) || listed.contains(&format!("[{key}]")),
                "{key} is not listed"
            );
        }
    }
}

#[test]
fn the_file_of_gateway_workers_is_checked_like_any_other() {
    let right = "command = ['./program', '-q']\nlisten = 'unix:s'\nmode = 'dynamic'\nworkers = 9\nmax_requests = 5\n\
                 inherit = ['HOME']\n[env]\nLANG = 'C'\n[log]\nlevel = 'warn'\n";
    let meaning = "OK\nworkers dynamic 9 = ./program -q\n";
    assert_eq!(check(right), (0, meaning.to_owned(), Vec::new()));
    let wrong = "command = './program'\nmode = 'some'\nworkers = 'many'\n[env]\n'A-B' = 'x'\n[log]\nlevel = 'loud'\n";
    let (code, _, lines) = check(wrong);
    let starts = [
        "g.toml:2:8: mode: \"some\" is not allowed; allowed is static, dynamic or ondemand",
        "g.toml:3:11: workers: \"many\" is not allowed; allowed is a number from 1 on",
        "g.toml:5:9: env.A-B: \"x\" is not allowed",
        "g.toml:7:9: log.level: \"loud\" is not allowed",
    ];
    assert_eq!((code, lines.len()), (2, starts.len()), "{lines:?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
    let spares = "mode = 'dynamic'\nworkers = 4\nmin_spare = 5\n";
    let refused = "g.toml:1:1: min_spare: \"5\": is more than workers, which is 4".to_owned();
    assert_eq!(check(&format!("command = './program'\n{spares}")), (2, String::new(), vec![refused.clone()]));
    // The command may stand on the command line: other keys tell what the file is about.
    assert_eq!(check(spares), (2, String::new(), vec![refused]));
    let meaning = "OK\nworkers static 3 = the command behind --\n";
    assert_eq!(check("listen = 'unix:s'\nworkers = 3\n"), (0, meaning.to_owned(), Vec::new()));
    let missing = check("command = 'no-such-program-anywhere'\n");
    assert!(missing.0 == 2 && missing.2[0].contains("no such program in PATH"), "{missing:?}");
}
