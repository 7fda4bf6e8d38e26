//! The pages to which the `type` of a problem points: one for each code, from `docs/errors`.

use std::fmt::Write as _;

use axum::extract::Path;
use axum::response::Html;
use swarm_proto::ErrorCode;

use crate::error::ApiError;

/// The page of a code. A code without a page does not compile.
fn page(code: ErrorCode) -> &'static str {
    macro_rules! pages {
        ($($code:ident = $file:literal),+ $(,)?) => {
            match code {
                $(ErrorCode::$code => include_str!(concat!("../../../docs/errors/", $file, ".md")),)+
            }
        };
    }
    pages! {
        InvalidRequest = "invalid_request",
        Unauthenticated = "unauthenticated",
        WrongPassword = "wrong_password",
        SpentCredential = "spent_credential",
        Forbidden = "forbidden",
        ForeignOrigin = "foreign_origin",
        NotFound = "not_found",
        MethodNotAllowed = "method_not_allowed",
        Conflict = "conflict",
        VersionConflict = "version_conflict",
        NameTaken = "name_taken",
        StaleLease = "stale_lease",
        Gone = "gone",
        TooLarge = "too_large",
        UnsupportedProtocol = "unsupported_protocol",
        TooManyRequests = "too_many_requests",
        Internal = "internal",
        StoreUnavailable = "store_unavailable",
        Unavailable = "unavailable",
        DiskFull = "disk_full",
    }
}

/// Explains a code.
pub(super) async fn error_page(Path(name): Path<String>) -> Result<Html<String>, ApiError> {
    let code = ErrorCode::ALL.iter().find(|code| code.as_str() == name);
    let code = code.ok_or_else(|| ApiError::not_found("error code"))?;
    Ok(Html(render(code.title(), page(*code))))
}

/// The few marks that our pages use: headings, paragraphs, lists, code.
fn render(title: &str, markdown: &str) -> String {
    let mut html =
        format!("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{}</title>\n", escape(title));
    let mut in_list = false;
    for line in markdown.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let item = line.strip_prefix("- ");
        if item.is_some() != in_list {
            html.push_str(if in_list { "</ul>\n" } else { "<ul>\n" });
            in_list = !in_list;
        }
        let (tag, text) = match (line.strip_prefix("## "), line.strip_prefix("# "), item) {
            (Some(text), _, _) => ("h2", text),
            (_, Some(text), _) => ("h1", text),
            (_, _, Some(text)) => ("li", text),
            _ => ("p", line),
        };
        // Writing to a string cannot fail.
        writeln!(html, "<{tag}>{}</{tag}>", with_code(text)).ok();
    }
    if in_list {
        html.push_str("</ul>\n");
    }
    html
}

/// Text with what stands between backticks as code.
fn with_code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(n, part)| if n % 2 == 1 { format!("<code>{}</code>", escape(part)) } else { escape(part) }).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_says_what_it_means_and_what_to_do() {
        for code in ErrorCode::ALL {
            let text = page(*code);
            assert!(text.starts_with(&format!("# {}\n", code.title())), "{code}: its first line is its title");
            assert!(text.contains("## What to do"), "{code}");
        }
    }

    #[test]
    fn marks_become_elements_and_text_stays_text() {
        let html = render("T", "# A <b>\n\nUse `x < y` & go.\n\n- one\n- two\n\nEnd.");
        assert!(html.ends_with(
            "<h1>A &lt;b&gt;</h1>\n<p>Use <code>x &lt; y</code> &amp; go.</p>\n<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n<p>End.</p>\n"
        ), "{html}");
    }
}
