//! The client against real sockets on loopback that answer as told.

use swarm_model::{TaskRef, WorkerId};
use swarm_proto::ErrorCode;
use swarm_proto::worker::{ToCoordinator, ToWorker};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::{Address, Client, ClientError, Coordinator};

const WORKER: &str = "01890000-0000-7000-8000-000000000001";

/// Answers one request with `answer` and gives back what was asked.
async fn one_answer(answer: &'static str) -> (Address, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut asked).await.unwrap(), 0, "the head of the request is whole");
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        String::from_utf8(asked).unwrap()
    });
    (address, asked)
}

fn client(address: Address) -> Client {
    Coordinator::at(address).unwrap().signed_in("secret-token")
}

#[tokio::test]
async fn the_token_goes_along_and_the_path_is_the_designs() {
    let (address, asked) = one_answer("HTTP/1.1 204 No Content\r\n\r\n").await;
    client(address).delete_task("#12".parse::<TaskRef>().unwrap()).await.unwrap();
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("DELETE /api/v1/tasks/12 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("authorization: Bearer secret-token"), "{asked}");
}

#[tokio::test]
async fn a_problem_is_told_in_the_coordinators_words() {
    let (address, _asked) = one_answer(concat!(
        "HTTP/1.1 404 Not Found\r\ncontent-type: application/problem+json\r\n\r\n",
        r#"{"type":"/docs/errors/not_found","title":"Not found","status":404,"detail":"there is no task #9","code":"not_found"}"#,
    ))
    .await;
    let error = client(address).task("9".parse::<TaskRef>().unwrap()).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::NotFound));
    assert_eq!(error.to_string(), "there is no task #9");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_code_of_a_newer_coordinator_is_told_by_its_status() {
    let (address, _asked) = one_answer(concat!(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: application/problem+json\r\n\r\n",
        r#"{"type":"/docs/errors/too_dark","title":"Too dark","status":403,"detail":"wait for the day","code":"too_dark"}"#,
    ))
    .await;
    let error = client(address).me().await.unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (Some(ErrorCode::Forbidden), "wait for the day"));
}

#[tokio::test]
async fn another_web_server_is_not_a_coordinator() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>",
        "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\n\r\n<html>",
        "HTTP/1.1 301 Moved\r\nlocation: https://elsewhere/\r\n\r\n",
    ] {
        let (address, _asked) = one_answer(answer).await;
        let error = client(address).me().await.unwrap_err();
        assert!(matches!(error, ClientError::NotACoordinator { .. }), "{error}");
    }
}

#[tokio::test]
async fn nobody_there_says_how_to_start_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: Address = listener.local_addr().unwrap().to_string().parse().unwrap();
    drop(listener);
    let requested = client(address.clone()).me().await.unwrap_err();
    let worker_id: WorkerId = WORKER.parse().unwrap();
    let opened = Coordinator::at(address.clone()).unwrap().worker(worker_id, "secret").connect().await.unwrap_err();
    for error in [requested, opened] {
        assert!(error.is_transient() && error.is_unreachable());
        assert_eq!(
            error.to_string(),
            format!("nothing answers at {address}: is the coordinator running? start it with `garageswarm up`")
        );
    }
}

#[tokio::test]
async fn a_broken_answer_may_be_asked_again() {
    let (address, _asked) = one_answer("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await;
    let error = client(address).me().await.unwrap_err();
    assert!(matches!(error, ClientError::Broken { .. }) && error.is_transient(), "{error}");
}

#[tokio::test]
async fn frames_go_both_ways_and_the_end_is_told() {
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: Address = listener.local_addr().unwrap().to_string().parse().unwrap();
    let heard = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        let heard = socket.next().await.unwrap().unwrap();
        socket.send(Message::text(r#"{"type":"from_the_future"}"#)).await.unwrap();
        socket.send(Message::text(r#"{"type":"drain"}"#)).await.unwrap();
        let goodbye = CloseFrame { code: CloseCode::Policy, reason: "revoked".into() };
        socket.close(Some(goodbye)).await.unwrap();
        heard.into_text().unwrap().to_string()
    });

    let worker_id: WorkerId = WORKER.parse().unwrap();
    let mut socket = Coordinator::at(address).unwrap().worker(worker_id, "secret").connect().await.unwrap();
    socket.send(&ToCoordinator::Pause).await.unwrap();
    assert_eq!(socket.next().await.unwrap(), ToWorker::Unknown);
    assert_eq!(socket.next().await.unwrap(), ToWorker::Drain);
    let ClientError::Closed { code, reason, .. } = socket.next().await.unwrap_err() else { panic!("not the end") };
    assert_eq!((code, reason.as_str()), (1008, "revoked"));
    assert_eq!(heard.await.unwrap(), r#"{"type":"pause"}"#);
}

#[tokio::test]
async fn a_refused_socket_says_why() {
    let body = r#"{"type":"/docs/errors/unauthenticated","title":"Sign in first","status":401,"detail":"this worker was removed","code":"unauthenticated"}"#;
    let answer = format!(
        "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (address, _asked) = one_answer(Box::leak(answer.into_boxed_str())).await;
    let worker_id: WorkerId = WORKER.parse().unwrap();
    let error = Coordinator::at(address).unwrap().worker(worker_id, "old").connect().await.unwrap_err();
    assert!(error.is_unauthenticated());
    assert_eq!(error.to_string(), "this worker was removed");
}
