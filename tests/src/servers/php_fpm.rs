//! php-fpm, behind our gateway.

use std::path::PathBuf;
use std::process::Command;

use super::installed;
use crate::place::Place;
use crate::process::{Process, start_unix};

/// Starts php-fpm with two workers and returns its socket: PHP without settings and modules, which reads no form itself.
pub fn start(place: &Place) -> (Process, PathBuf) {
    start_with(place, "")
}

/// The same with more lines in the configuration of its pool.
pub fn start_with(place: &Place, pool: &str) -> (Process, PathBuf) {
    started(place, &["-n", "-d", "enable_post_data_reading=0"], pool)
}

/// Starts php-fpm as it is installed, with the modules of its configuration: for programs that are not ours.
pub fn installed_modules(place: &Place) -> (Process, PathBuf) {
    started(place, &[], "")
}

fn started(place: &Place, settings: &[&str], pool: &str) -> (Process, PathBuf) {
    let socket = place.join("php-fpm.sock");
    // What PHP would keep in folders of the system is kept in ours.
    let configuration = format!(
        "[global]\nerror_log={0}/php-fpm-error.log\ndaemonize=no\n[tests]\nlisten={1}\npm=static\npm.max_children=2
catch_workers_output=yes\nphp_admin_value[session.save_path]={0}\nphp_admin_value[upload_tmp_dir]={0}
php_admin_value[sys_temp_dir]={0}\n{pool}",
        place.path().display(),
        socket.display()
    );
    let file = place.write("php-fpm.conf", &configuration);
    let names = ["php-fpm", "php-fpm8.5", "php-fpm8.4", "php-fpm8.3", "php-fpm8.2", "php-fpm8.1"];
    let mut command = Command::new(installed(&names));
    command.arg("-F").args(settings).arg("-y").arg(file);
    (start_unix(place, "php-fpm", &socket, &mut command), socket)
}
