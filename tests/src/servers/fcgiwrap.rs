//! What runs CGI programs for a server that has no CGI of its own, nginx → it → our program: fcgiwrap, and `gateway cgi-wrap`
//! in its place with the same nginx configuration.

use std::path::Path;
use std::process::Command;

use super::{installed, nginx};
use crate::place::Place;
use crate::process::{Running, start_unix};
use crate::programs::program;

/// nginx, fcgiwrap, and `testbed` as a CGI program.
pub fn start() -> Running {
    behind_nginx(|_, _| Command::new(installed(&["fcgiwrap"])))
}

/// nginx, `gateway cgi-wrap`, and `testbed` as a CGI program: another command, and which programs may run.
pub fn cgi_wrap() -> Running {
    behind_nginx(|place, testbed| {
        let mut command = Command::new(place.program(&program("gateway")));
        command.arg("cgi-wrap").arg("--root").arg(testbed);
        command
    })
}

/// `command` gets fcgiwrap's own arguments.
fn behind_nginx(command: impl FnOnce(&Place, &Path) -> Command) -> Running {
    let place = Place::new();
    let testbed = place.program(&program("testbed"));
    let socket = place.join("wrap.sock");
    let mut command = command(&place, &testbed);
    command.args(["-c", "2", "-s"]).arg(format!("unix:{}", socket.display()));
    let wrap = start_unix(&place, "wrap", &socket, &mut command);
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
