//! The interface as it describes itself, and that nobody gets in beside the table of rights.

use anyhow::Result;
use axum::http::{Method, header};
use serde_json::Value;
use swarm_proto::ErrorCode;
use swarm_testkit::TestCoordinator;

/// Every operation of the document: method, path, and the operation itself.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            all.push((method.clone(), path.clone(), operation));
        }
    }
    all
}

#[tokio::test]
async fn every_route_says_which_right_it_needs() -> Result<()> {
    let coordinator = TestCoordinator::builder().build().await?;
    let document: Value = coordinator.get("/api/v1/openapi.json").send().await.json();
    let line = |(method, path, operation): &(String, String, &Value)| {
        let right = operation["x-right"].as_str().unwrap_or_else(|| panic!("{method} {path} says nothing"));
        format!("{method} {path}: {right}")
    };
    let lines: Vec<_> = operations(&document).iter().map(line).collect();
    insta::assert_snapshot!(lines.join("\n"));
    coordinator.finish().await
}

/// Made from the document: whatever needs a right is closed to strangers and to made-up tokens.
#[tokio::test]
async fn strangers_are_refused_everywhere_but_where_one_comes_in() -> Result<()> {
    let coordinator = TestCoordinator::builder().with_user("ann").build().await?;
    let document: Value = coordinator.get("/api/v1/openapi.json").send().await.json();
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let mut open = Vec::new();
    for (method, path, operation) in operations(&document) {
        if operation.get("security").is_none() {
            open.push(format!("{method} {path}"));
            continue;
        }
        let path = path.replace("{id}", id).replace("{task_id}", id).replace("{attempt}", "1");
        let path = path.replace("{hash}", "00").replace("{name}", "a.txt");
        let method: Method = method.to_uppercase().parse()?;
        for token in [None, Some("gs_api_made_up")] {
            let mut request =
                coordinator.request(method.clone(), &path).header(header::CONTENT_TYPE, "application/json").body("{}");
            if let Some(token) = token {
                request = request.bearer(token);
            }
            let answer = request.send().await;
            assert_eq!(answer.code(), ErrorCode::Unauthenticated, "{method} {path} {token:?}");
        }
    }
    let ways_in = ["auth/link", "auth/login", "auth/logout", "auth/refresh", "auth/register", "workers/register"];
    assert_eq!(open, ways_in.map(|path| format!("post /api/v1/{path}")), "everything else was tried");
    coordinator.finish().await
}

#[tokio::test]
async fn the_document_can_be_browsed_without_anything_from_elsewhere() -> Result<()> {
    let coordinator = TestCoordinator::builder().build().await?;
    let page = coordinator.get("/api/v1/docs/").send().await;
    page.ok();
    assert!(page.text().contains("swagger-ui"), "{}", page.text());
    assert!(!page.text().contains("https://"), "{}", page.text());
    assert!(page.header(&header::CONTENT_SECURITY_POLICY).contains("script-src 'self';"));
    for part in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        coordinator.get(&format!("/api/v1/docs/{part}")).send().await.ok();
    }
    coordinator.finish().await
}
