//! The path of a request through one gateway, as a picture: boxes are processes, arrows say what crosses between them.

use super::Way;

/// One step of the picture: a box, and the arrow that leads to it.
struct Step {
    arrow: &'static str,
    name: &'static str,
    says: &'static str,
}

/// An SVG of the way, top to bottom, so that it can be read on a narrow screen.
pub(super) fn svg(way: Way) -> String {
    const HEIGHT: usize = 96;
    let steps = steps(way);
    let mut svg = format!(
        r#"<svg viewBox="0 0 340 {}" role="img" aria-label="{}"><rect class="box" x="1" y="1" width="338" height="52" rx="8"/><text class="name" x="170" y="24">your browser</text><text x="170" y="43">sends a request</text>"#,
        54 + HEIGHT * steps.len(),
        describe(way),
    );
    for (number, step) in steps.iter().enumerate() {
        let top = 53 + HEIGHT * number;
        svg.push_str(&format!(
            r#"<path class="arrow" d="M60 {top}v38m-5-8l5 8l5-8"/><text class="label" x="74" y="{}">{}</text><rect class="box" x="1" y="{}" width="338" height="52" rx="8"/><text class="name" x="170" y="{}">{}</text><text x="170" y="{}">{}</text>"#,
            top + 24,
            step.arrow,
            top + 43,
            top + 66,
            step.name,
            top + 85,
            step.says,
        ));
    }
    svg.push_str("</svg>");
    svg
}

/// The same in a sentence.
pub(super) fn describe(way: Way) -> &'static str {
    match way {
        Way::InProcess => "The gateway process reads the request and calls the application as a function.",
        Way::Cgi => {
            "The gateway process starts a new process for this one request; the request travels in its environment \
             and standard input, the answer in its standard output."
        }
        Way::FastCgi => {
            "The gateway process sends the request as records over a socket to a worker process that was started \
             before and stays for the next request."
        }
    }
}

fn steps(way: Way) -> Vec<Step> {
    let gateway = |says| Step { arrow: "HTTP", name: "gateway process", says };
    match way {
        Way::InProcess => vec![gateway("listener → function call → application")],
        Way::Cgi => vec![
            gateway("starts a process"),
            Step {
                arrow: "environment, stdin ↓ stdout ↑",
                name: "new process",
                says: "application: one request, then exit",
            },
        ],
        Way::FastCgi => vec![
            gateway("keeps a pool of connections"),
            Step {
                arrow: "records over a socket ↓ ↑",
                name: "worker process",
                says: "application: stays for the next",
            },
        ],
    }
}
