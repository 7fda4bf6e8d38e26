use super::*;

const FILES: &[File] = &[
    ("assets/panel-0a1b.js", "text/javascript; charset=utf-8", "\"1111\"", true, b"let a = 1;", Some(b"packed")),
    ("favicon.svg", "image/svg+xml", "\"2222\"", false, b"<svg/>", None),
    ("index.html", "text/html; charset=utf-8", "\"3333\"", false, b"<!doctype html>", None),
];

fn get(path: &str, headers: &[(header::HeaderName, &'static str)]) -> Response {
    let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
    answer_from(FILES, &Method::GET, path, &headers, "localhost:8420")
}

fn header(response: &Response, name: header::HeaderName) -> &str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn body(response: Response) -> Vec<u8> {
    axum::body::to_bytes(response.into_body(), 10_000).await.unwrap().to_vec()
}

#[tokio::test]
async fn a_file_with_its_hash_in_its_name_is_kept_for_good() {
    let response = get("/assets/panel-0a1b.js", &[]);
    assert_eq!(header(&response, header::CACHE_CONTROL), "public, max-age=31536000, immutable");
    assert_eq!(header(&response, header::CONTENT_TYPE), "text/javascript; charset=utf-8");
    assert_eq!(header(&response, header::CONTENT_ENCODING), "");
    assert_eq!(body(response).await, b"let a = 1;");
}

#[tokio::test]
async fn a_packed_content_goes_to_those_who_can_unpack_it() {
    for (accepts, encoding) in
        [("br, gzip", "gzip"), ("gzip;q=0.5", "gzip"), ("gzip;q=0", ""), ("br", ""), ("x-gzip-not", "")]
    {
        let response = get("/assets/panel-0a1b.js", &[(header::ACCEPT_ENCODING, accepts)]);
        assert_eq!(header(&response, header::CONTENT_ENCODING), encoding, "{accepts}");
        assert_eq!(header(&response, header::VARY), "accept-encoding");
        assert_eq!(header(&response, header::ETAG), if encoding.is_empty() { "\"1111\"" } else { "\"1111-gzip\"" });
    }
    let response = get("/favicon.svg", &[(header::ACCEPT_ENCODING, "gzip")]);
    assert_eq!(header(&response, header::CONTENT_ENCODING), "", "this one is not packed");
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again() {
    for known in ["\"2222\"", "W/\"2222\"", "\"1\", \"2222\"", "*"] {
        let response = get("/favicon.svg", &[(header::IF_NONE_MATCH, known)]);
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(header(&response, header::ETAG), "\"2222\"");
        assert!(body(response).await.is_empty());
    }
    assert_eq!(get("/favicon.svg", &[(header::IF_NONE_MATCH, "\"2\"")]).status(), StatusCode::OK);
}

#[tokio::test]
async fn every_place_in_the_panel_is_its_page() {
    for path in ["/", "/signin", "/tasks/12", "/index.html"] {
        let response = get(path, &[(header::ACCEPT, "text/html,*/*;q=0.8")]);
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(header(&response, header::CACHE_CONTROL), "no-cache");
        insta::allow_duplicates! {
            insta::assert_snapshot!(header(&response, header::CONTENT_SECURITY_POLICY), @"default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self' ws://localhost:8420 wss://localhost:8420; frame-ancestors 'none'; base-uri 'none'; form-action 'self'");
        }
    }
    assert_eq!(get("/assets/gone.js", &[(header::ACCEPT, "*/*")]).status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn pages_are_only_read() {
    let response = answer_from(FILES, &Method::POST, "/", &HeaderMap::new(), "localhost");
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_build_without_a_panel_says_how_to_get_one() {
    let accepts = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("text/html"))]);
    let response = answer_from(&[], &Method::GET, "/", &accepts, "localhost");
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(String::from_utf8(body(response).await).unwrap().contains("cargo xtask build"));
}
