//! fcgiwrap, which runs CGI programs for a server that has no CGI of its own: nginx → fcgiwrap → our program.

use std::process::Command;

use super::{installed, nginx};
use crate::place::Place;
use crate::process::{Running, start_unix};
use crate::programs::program;

/// nginx, fcgiwrap, and `testbed` as a CGI program.
pub fn start() -> Running {
    let place = Place::new();
    let testbed = place.program(&program("testbed"));
    let socket = place.join("fcgiwrap.sock");
    let mut command = Command::new(installed(&["fcgiwrap"]));
    command.args(["-c", "2", "-s"]).arg(format!("unix:{}", socket.display()));
    let wrap = start_unix(&place, "fcgiwrap", &socket, &mut command);
    // nginx keeps the request body until it is whole: a CGI program must be told its length.
    let parameters = format!(
        "
   fastcgi_split_path_info ^(/app)(.*)$;
   fastcgi_param SCRIPT_NAME $fastcgi_script_name;
   fastcgi_param PATH_INFO $fastcgi_path_info;
   fastcgi_param SCRIPT_FILENAME {};",
        testbed.display()
    );
    nginx::start(place, vec![wrap], &format!("unix:{}", socket.display()), &parameters)
}
