//! php-fpm, behind our gateway.

use std::path::PathBuf;
use std::process::Command;

use super::installed;
use crate::place::Place;
use crate::process::{Process, start_unix};

/// Starts php-fpm with two workers and returns its socket.
pub fn start(place: &Place) -> (Process, PathBuf) {
    let socket = place.join("php-fpm.sock");
    let configuration = format!(
        "[global]\nerror_log={0}/php-fpm-error.log\ndaemonize=no\n[tests]\nlisten={1}\npm=static\npm.max_children=2
catch_workers_output=yes\n",
        place.path().display(),
        socket.display()
    );
    let file = place.write("php-fpm.conf", &configuration);
    let names = ["php-fpm", "php-fpm8.5", "php-fpm8.4", "php-fpm8.3", "php-fpm8.2", "php-fpm8.1"];
    let mut command = Command::new(installed(&names));
    command.args(["-F", "-n", "-d", "enable_post_data_reading=0", "-y"]).arg(file);
    (start_unix(place, "php-fpm", &socket, &mut command), socket)
}
