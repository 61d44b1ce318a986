//! As much of a browser as an application with forms needs: cookies, and the fields of a form.

use std::collections::BTreeMap;

use gateway_tests::client::{Request, Response, send};
use gateway_tests::process::Running;

/// A browser that is at one server.
pub(crate) struct Browser<'a> {
    server: &'a Running,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(server: &'a Running) -> Self {
        Self { server, cookies: BTreeMap::new() }
    }

    pub(crate) fn get(&mut self, target: &str) -> Response {
        self.ask(Request::get(target))
    }

    /// Sends a form.
    pub(crate) fn submit(&mut self, target: &str, fields: &[(String, String)]) -> Response {
        let pairs: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let request = Request::post(target, pairs.join("&").as_str());
        self.ask(request.field("Content-Type", "application/x-www-form-urlencoded"))
    }

    /// Sends one file and some fields.
    pub(crate) fn upload(&mut self, target: &str, fields: &[(&str, &str)], file: (&str, &str)) -> Response {
        const BOUNDARY: &str = "a-boundary-of-ours";
        let mut body = String::new();
        for (name, value) in fields {
            body.push_str(&format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        let (name, content) = file;
        body.push_str(&format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"qqfile\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n{content}\r\n--{BOUNDARY}--\r\n"
        ));
        let request = Request::post(target, body.as_str());
        self.ask(request.field("Content-Type", &format!("multipart/form-data; boundary={BOUNDARY}")))
    }

    /// Goes where a redirect leads, which must be this server.
    pub(crate) fn follow(&mut self, answer: &Response) -> Response {
        assert!((301..=308).contains(&answer.status), "{}: {}", answer.status, answer.text());
        let location = answer.field("location").expect("Location").to_owned();
        let here = format!("http://{}", self.server.address);
        let target = location.strip_prefix(&here).unwrap_or(&location);
        self.get(target.split('#').next().unwrap())
    }

    fn ask(&mut self, mut request: Request) -> Response {
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.field("Cookie", &cookies.join("; "));
        }
        let answer = send(self.server.address, &request);
        let answer = answer.unwrap_or_else(|e| panic!("{}: {e}\n{}", request.target, self.server.logs()));
        for cookie in answer.all("set-cookie") {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').expect("a cookie");
            match value {
                "deleted" | "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }
}

/// The hidden fields of the form with this id.
pub(crate) fn hidden_fields(page: &str, form: &str) -> Vec<(String, String)> {
    let (_, rest) = page.split_once(&format!("id=\"{form}\"")).unwrap_or_else(|| panic!("no form {form} in {page}"));
    let form = rest.split("</form>").next().unwrap();
    let tags = form.split("<input").skip(1).map(|tag| tag.split('>').next().unwrap());
    let field = |tag: &str| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default()));
    tags.filter(|tag| tag.contains("type=\"hidden\"")).filter_map(field).collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(rest.split('"').next()?.replace("&quot;", "\"").replace("&amp;", "&"))
}

fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric();
    text.bytes().map(|b| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
