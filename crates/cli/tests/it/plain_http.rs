//! Requests as they stand on the wire, with nothing that would mend them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

/// One request over plain HTTP, as a browser without mercy would send it.
pub(crate) fn http(listen: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(listen).unwrap();
    write!(stream, "{}", request.replace("HOST", listen)).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

pub(crate) fn post(listen: &str, path: &str, token: Option<&str>, body: &str) -> String {
    let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = body.len();
    http(
        listen,
        &format!(
            "POST /api/v1{path} HTTP/1.1\r\nHost: HOST\r\n{bearer}Connection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ),
    )
}

pub(crate) fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

/// What the answer sets as cookie, as it is sent back.
pub(crate) fn cookie(answer: &str) -> String {
    let set = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    set.split(';').next().unwrap().to_owned()
}
