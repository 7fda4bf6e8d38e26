use axum::http::header;
use swarm_store::{Conflict, Outage, StoreError};

use super::*;

fn unavailable(kind: Outage) -> StoreError {
    StoreError::Unavailable { kind, source: "table secrets is malformed".into() }
}

async fn body(error: ApiError) -> (Response, Problem) {
    let mut response = error.into_response();
    let bytes = axum::body::to_bytes(std::mem::take(response.body_mut()), 10_000).await.unwrap();
    (response, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn a_problem_says_what_and_under_which_request() {
    let mut response = ApiError::not_found("task").into_response();
    name_request(&mut response, "0123456789abcdef");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    insta::assert_snapshot!(String::from_utf8(bytes.to_vec()).unwrap(), @r#"{"type":"/docs/errors/not_found","title":"Not found","status":404,"detail":"There is no such task, or you may not see it.","code":"not_found","request_id":"0123456789abcdef"}"#);
}

#[tokio::test]
async fn a_fault_of_our_own_tells_nothing_of_its_cause() {
    let corrupt = StoreError::Corrupt { table: "users", column: "role", row: "7".to_owned(), source: "s3cret".into() };
    for error in [corrupt.into(), ApiError::internal("s3cret")] {
        let (response, problem) = body(error).await;
        assert_eq!(response.status(), 500);
        assert_eq!(problem.detail, INTERNAL);
    }
}

#[tokio::test]
async fn an_outage_of_the_store_says_what_to_do() {
    let (response, problem) = body(unavailable(Outage::Full).into()).await;
    assert_eq!((response.status().as_u16(), problem.code), (507, ErrorCode::DiskFull));
    for kind in [Outage::Busy, Outage::Offline, Outage::Fault] {
        let (response, problem) = body(unavailable(kind).into()).await;
        assert_eq!((response.status().as_u16(), problem.code), (503, ErrorCode::StoreUnavailable));
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        assert!(!problem.detail.contains("secrets"), "{}", problem.detail);
    }
}

#[tokio::test]
async fn who_must_sign_in_is_told_how() {
    let (response, _) = body(ApiError::unauthenticated()).await;
    assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
}

#[test]
fn conflicts_have_codes_to_branch_on() {
    for (conflict, code) in [
        (Conflict::StaleVersion, ErrorCode::VersionConflict),
        (Conflict::UsernameTaken, ErrorCode::NameTaken),
        (Conflict::KeySpent, ErrorCode::SpentCredential),
        (Conflict::InvitationSpent, ErrorCode::SpentCredential),
        (Conflict::LinkSpent, ErrorCode::SpentCredential),
        (Conflict::NotEnded, ErrorCode::Conflict),
    ] {
        assert_eq!(ApiError::from(conflict).code(), code, "{conflict}");
    }
}
