//! Thirty stories, told by hand with the statuses that a person would expect: the table of rights may be obeyed and
//! still be wrong.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use swarm_proto::tasks::Task;

use crate::cast::{Cast, attic_capabilities};

fn prompt() -> Value {
    json!({ "description": "say hello", "tool": "demo" })
}

impl Cast {
    /// A task of this person, by its number.
    async fn task_of(&self, name: &str, wish: Value) -> Result<i64> {
        let task: Task = self.send(Some(self.token(name)), "post", "/api/v1/tasks", Some(wish)).await.json();
        Ok(task.number.0)
    }

    async fn text(&self, name: &str, method: &str, path: &str, body: Option<Value>) -> String {
        self.send(Some(self.token(name)), method, &format!("/api/v1{path}"), body).await.text()
    }

    fn on_attic(&self, rest: &str) -> String {
        format!("/workers/{}{rest}", self.attic.worker_id)
    }

    fn for_attic(&self, tool: &str) -> Value {
        json!({ "description": "say hello", "tool": tool, "worker_id": self.attic.worker_id })
    }
}

/// A story: its name is what it tells; it ends with the coordinator's own checks.
macro_rules! stories {
    ($($(#[$doc:meta])* $name:ident($cast:ident) $body:block)+) => {$(
        $(#[$doc])*
        #[tokio::test]
        async fn $name() -> Result<()> {
            let $cast = Cast::assemble().await?;
            $body
            $cast.coordinator.finish().await
        }
    )+};
}

stories! {
    s01_nobody_reads_anybodys_task_but_its_user(cast) {
        let path = format!("/tasks/{}", cast.task.number);
        assert_eq!(cast.ask("tom", "get", &path, None).await, 200);
        for other in ["ada", "olga", "otto", "vera", "eve"] {
            assert_eq!(cast.ask(other, "get", &path, None).await, 404, "{other}");
        }
    }

    s02_a_task_that_is_not_mine_looks_like_one_that_is_not_there(cast) {
        let mine = cast.send(Some(cast.token("eve")), "get", &format!("/api/v1/tasks/{}", cast.task.task_id), None).await;
        let absent = "/api/v1/tasks/01890a5d-ac96-774b-bcce-b302099a8057";
        let absent = cast.send(Some(cast.token("eve")), "get", absent, None).await;
        assert_eq!((mine.status.as_u16(), mine.problem().detail), (404, absent.problem().detail));
    }

    s03_an_admin_cancels_what_they_cannot_read(cast) {
        let cancel = format!("/tasks/{}/cancel", cast.task.number);
        let text = cast.text("ada", "post", &cancel, None).await;
        assert!(!text.contains("safe is behind"), "{text}");
        let own: Task = cast.send(Some(cast.token("tom")), "get", &format!("/api/v1/tasks/{}", cast.task.number), None).await.json();
        assert_eq!(own.status.as_str(), "cancelled");
    }

    s04_nobody_else_cancels_or_deletes_it(cast) {
        for other in ["olga", "otto", "eve"] {
            assert_eq!(cast.ask(other, "post", &format!("/tasks/{}/cancel", cast.task.number), None).await, 404, "{other}");
            assert_eq!(cast.ask(other, "delete", &format!("/tasks/{}", cast.task.number), None).await, 404, "{other}");
        }
    }

    s05_the_owner_of_the_machine_sees_that_a_friend_used_it_and_not_what_was_said(cast) {
        cast.attic_comes().await;
        let number = cast.task_of("otto", json!({ "description": "my secret diary", "tool": "demo" })).await?;
        assert_eq!(cast.attic_pulls().await, Some(number));
        let runs = cast.text("olga", "get", &cast.on_attic("/runs"), None).await;
        assert!(runs.contains(&cast.id("otto").to_string()) && runs.contains("demo"), "{runs}");
        assert!(!runs.contains("diary"), "{runs}");
        assert_eq!(cast.ask("olga", "get", &format!("/tasks/{number}"), None).await, 404);
    }

    s06_a_friend_does_not_see_what_others_ran(cast) {
        assert_eq!(cast.ask("otto", "get", &cast.on_attic("/runs"), None).await, 403);
        assert_eq!(cast.ask("eve", "get", &cast.on_attic("/runs"), None).await, 404);
    }

    s07_a_friend_uses_the_tool_that_is_shared_and_no_other(cast) {
        cast.attic_comes().await;
        assert_eq!(cast.ask("otto", "post", "/tasks", Some(cast.for_attic("demo"))).await, 201);
        let refused = cast.send(Some(cast.token("otto")), "post", "/api/v1/tasks", Some(cast.for_attic("ollama"))).await;
        assert_eq!(refused.status, 403);
        let said = refused.problem().detail;
        assert!(said.contains("You may not use ollama on attic") && said.contains("demo"), "{said}");
    }

    s08_a_command_of_a_friend_never_reaches_the_machine(cast) {
        cast.attic_comes().await;
        let command = json!({ "tool": "command", "input": { "kind": "command", "argv": ["id"] } });
        let aimed = json!({ "tool": "command", "worker_id": cast.attic.worker_id, "input": { "kind": "command", "argv": ["id"] } });
        assert_eq!(cast.ask("otto", "post", "/tasks", Some(aimed)).await, 403);
        let waiting = cast.task_of("otto", command).await?;
        assert_eq!(cast.attic_pulls().await, None);
        let placement = cast.text("otto", "get", &format!("/tasks/{waiting}/placement"), None).await;
        assert!(placement.contains("its owner does not share command with this person"), "{placement}");
    }

    s09_one_run_at_once_was_shared_and_the_second_waits(cast) {
        cast.attic_comes().await;
        let first = cast.task_of("otto", prompt()).await?;
        let second = cast.task_of("otto", prompt()).await?;
        assert_eq!(cast.attic_pulls().await, Some(first));
        let accept = json!({ "accepted": [{ "task_id": task_id(&cast, "otto", first).await?, "attempt": 1 }] });
        let report = format!("/api/v1/workers/{}/report", cast.attic.worker_id);
        cast.send(Some(&cast.attic.credential), "post", &report, Some(accept)).await.ok();
        assert_eq!(cast.attic_pulls().await, None, "task {second} must wait");
        let owners = cast.task_of("olga", prompt()).await?;
        assert_eq!(cast.attic_pulls().await, Some(owners), "the owner's own goes on");
    }

    s10_who_may_look_may_not_send(cast) {
        assert_eq!(cast.ask("vera", "get", &cast.on_attic(""), None).await, 200);
        assert_eq!(cast.ask("vera", "post", "/tasks", Some(cast.for_attic("demo"))).await, 403);
    }

    s11_who_has_nothing_to_do_with_a_machine_does_not_see_it(cast) {
        assert_eq!(cast.ask("eve", "get", &cast.on_attic(""), None).await, 404);
        assert_eq!(cast.ask("eve", "post", "/tasks", Some(cast.for_attic("demo"))).await, 404);
        let list = cast.text("eve", "get", "/workers", None).await;
        assert!(list.contains("cellar") && !list.contains("attic"), "{list}");
    }

    s12_a_friend_neither_pauses_nor_drains_nor_removes(cast) {
        for path in ["/pause", "/resume", "/drain"] {
            assert_eq!(cast.ask("otto", "post", &cast.on_attic(path), None).await, 403, "{path}");
        }
        assert_eq!(cast.ask("otto", "delete", &cast.on_attic(""), None).await, 403);
        assert_eq!(cast.ask("olga", "post", &cast.on_attic("/pause"), None).await, 200);
    }

    s13_a_friend_shares_nothing_on_and_gives_themselves_nothing_more(cast) {
        let eve = json!({ "username": "eve" });
        let more = json!({ "username": "otto", "role": "owner" });
        assert_eq!(cast.ask("otto", "post", &cast.on_attic("/shares"), Some(eve)).await, 403);
        assert_eq!(cast.ask("otto", "post", &cast.on_attic("/shares"), Some(more)).await, 403);
        assert_eq!(cast.ask("otto", "get", &cast.on_attic("/shares"), None).await, 403);
        assert_eq!(cast.ask("otto", "put", &cast.on_attic(""), Some(json!({ "shared": true }))).await, 403);
    }

    s14_the_machine_decides_what_the_coordinator_allows_too_much(cast) {
        let share = json!({ "username": "otto", "role": "operator" });
        assert_eq!(cast.ask("olga", "post", &cast.on_attic("/shares"), Some(share)).await, 200);
        cast.attic_comes().await;
        assert_eq!(cast.ask("otto", "post", "/tasks", Some(cast.for_attic("command"))).await, 400, "no argv");
        let aimed = json!({ "tool": "command", "worker_id": cast.attic.worker_id, "input": { "kind": "command", "argv": ["id"] } });
        assert_eq!(cast.ask("otto", "post", "/tasks", Some(aimed)).await, 403, "the machine grants demo alone");
    }

    s15_a_share_that_ends_ends_at_once_also_for_what_runs(cast) {
        cast.attic_comes().await;
        let number = cast.task_of("otto", prompt()).await?;
        assert_eq!(cast.attic_pulls().await, Some(number));
        let share = cast.on_attic(&format!("/shares/{}", cast.id("otto")));
        assert_eq!(cast.ask("olga", "delete", &share, None).await, 204);
        assert_eq!(cast.ask("otto", "get", &cast.on_attic(""), None).await, 404);
        let text = cast.text("otto", "get", &format!("/tasks/{number}"), None).await;
        assert!(text.contains("\"queued\""), "{text}");
    }

    s16_open_to_everyone_means_everyone_for_the_tools_that_the_machine_grants(cast) {
        assert_eq!(cast.ask("olga", "put", &cast.on_attic(""), Some(json!({ "shared": true }))).await, 200);
        cast.attic_comes().await;
        assert_eq!(cast.ask("eve", "get", &cast.on_attic(""), None).await, 200);
        assert_eq!(cast.ask("eve", "post", "/tasks", Some(cast.for_attic("demo"))).await, 201);
        assert_eq!(cast.ask("eve", "post", "/tasks", Some(cast.for_attic("ollama"))).await, 403);
        assert_eq!(cast.ask("eve", "post", &cast.on_attic("/pause"), None).await, 403);
    }

    s17_whom_else_a_machine_serves_is_its_owners_business(cast) {
        let mut told = attic_capabilities();
        told.grants.push(swarm_model::worker::ToolGrant {
            tool: "demo".parse()?, user_id: Some(cast.id("vera")), slots: None,
        });
        let beat = json!({ "boot_id": "01890a5d-ac96-774b-bcce-b302099a8057", "capabilities": told });
        let path = format!("/api/v1/workers/{}/heartbeat", cast.attic.worker_id);
        cast.send(Some(&cast.attic.credential), "post", &path, Some(beat)).await.ok();
        let vera = cast.id("vera").to_string();
        assert!(cast.text("olga", "get", &cast.on_attic(""), None).await.contains(&vera));
        assert!(cast.text("vera", "get", &cast.on_attic(""), None).await.contains(&vera));
        assert!(!cast.text("otto", "get", &cast.on_attic(""), None).await.contains(&vera));
    }

    s18_an_admin_steers_and_removes_any_machine_and_sends_nothing_to_it(cast) {
        assert_eq!(cast.ask("ada", "post", &cast.on_attic("/pause"), None).await, 200);
        assert_eq!(cast.ask("ada", "post", "/tasks", Some(cast.for_attic("demo"))).await, 404);
        assert_eq!(cast.ask("ada", "delete", &cast.on_attic(""), None).await, 204);
        let pull = format!("/api/v1/workers/{}/pull-task", cast.attic.worker_id);
        assert_eq!(cast.send(Some(&cast.attic.credential), "get", &pull, None).await.status, 401);
    }

    s19_a_worker_is_itself_and_nobody_else(cast) {
        let other = format!("/api/v1/workers/{}/pull-task", cast.attic.worker_id);
        assert_eq!(cast.send(Some(&cast.cellar.credential), "get", &other, None).await.status, 403);
        let tasks = cast.send(Some(&cast.attic.credential), "get", "/api/v1/tasks", None).await;
        assert_eq!(tasks.status, 403);
        let submit = cast.send(Some(&cast.attic.credential), "post", "/api/v1/tasks", Some(prompt())).await;
        assert_eq!(submit.status, 403);
    }

    s20_a_member_sees_nobody_and_manages_nobody(cast) {
        assert_eq!(cast.ask("olga", "get", "/users", None).await, 403);
        assert_eq!(cast.ask("olga", "post", "/auth/invitations", Some(json!({}))).await, 403);
        assert_eq!(cast.ask("olga", "put", &format!("/users/{}", cast.id("olga")), Some(json!({ "role": "admin" }))).await, 403);
        assert_eq!(cast.ask("olga", "post", &format!("/users/{}/reset-password", cast.id("ada")), None).await, 403);
    }

    s21_who_was_let_go_is_gone_at_once_with_key_machine_and_tasks(cast) {
        let tom = format!("/users/{}", cast.id("tom"));
        assert_eq!(cast.ask("ada", "put", &tom, Some(json!({ "is_active": false }))).await, 200);
        assert_eq!(cast.ask("tom", "get", "/auth/me", None).await, 401);
        assert_eq!(cast.send(Some(&cast.wide), "get", "/api/v1/auth/me", None).await.status, 401);
        let stored = cast.coordinator.state().stores.tasks.task(swarm_model::TaskRef::Number(cast.task.number)).await?;
        assert_eq!(stored.context("the task")?.row.status.as_str(), "cancelled");
        let eve = format!("/users/{}", cast.id("eve"));
        assert_eq!(cast.ask("ada", "put", &eve, Some(json!({ "is_active": false }))).await, 200);
        let pull = format!("/api/v1/workers/{}/pull-task", cast.cellar.worker_id);
        assert_eq!(cast.send(Some(&cast.cellar.credential), "get", &pull, None).await.status, 401);
    }

    s22_the_last_admin_stays(cast) {
        let ada = format!("/users/{}", cast.id("ada"));
        assert_eq!(cast.ask("ada", "put", &ada, Some(json!({ "role": "member" }))).await, 409);
        assert_eq!(cast.ask("ada", "put", &ada, Some(json!({ "is_active": false }))).await, 409);
        assert_eq!(cast.ask("ada", "get", "/users", None).await, 200);
    }

    s23_who_is_made_an_admin_is_one_with_the_next_request_and_not_a_moment_longer(cast) {
        let olga = format!("/users/{}", cast.id("olga"));
        assert_eq!(cast.ask("ada", "put", &olga, Some(json!({ "role": "admin" }))).await, 200);
        assert_eq!(cast.ask("olga", "get", "/users", None).await, 200);
        assert_eq!(cast.ask("ada", "put", &olga, Some(json!({ "role": "member" }))).await, 200);
        assert_eq!(cast.ask("olga", "get", "/users", None).await, 403);
    }

    s24_a_password_that_was_reset_opens_nothing_and_its_link_opens_once(cast) {
        let reset = format!("/api/v1/users/{}/reset-password", cast.id("tom"));
        let answer: Value = cast.send(Some(cast.token("ada")), "post", &reset, None).await.json();
        assert_eq!(cast.ask("tom", "get", "/auth/me", None).await, 401, "what was open has ended");
        let link = answer["link"].as_str().context("a link")?;
        let token = link.split_once('#').context("a fragment")?.1;
        let body = json!({ "token": token, "kind": "cli" });
        let session: Value = cast.send(None, "post", "/api/v1/auth/link", Some(body.clone())).await.json();
        let tom = session["access_token"].as_str().context("a token")?;
        let password = json!({ "new_password": "a whole new password" });
        assert_eq!(cast.send(Some(tom), "post", "/api/v1/auth/change-password", Some(password)).await.status, 204);
        assert_eq!(cast.send(None, "post", "/api/v1/auth/link", Some(body)).await.status, 401, "once");
    }

    s25_a_key_does_what_its_scopes_say(cast) {
        let narrow = Some(cast.narrow.as_str());
        assert_eq!(cast.send(narrow, "get", "/api/v1/workers", None).await.status, 200);
        let refused = cast.send(narrow, "get", "/api/v1/tasks", None).await;
        assert_eq!(refused.status, 403);
        assert!(refused.problem().detail.contains("tasks:read"), "{}", refused.problem().detail);
        assert_eq!(cast.send(narrow, "post", "/api/v1/tasks", Some(prompt())).await.status, 403);
        assert_eq!(cast.send(Some(&cast.wide), "post", "/api/v1/tasks", Some(prompt())).await.status, 201);
    }

    s26_a_key_that_leaked_locks_nobody_out(cast) {
        let wide = Some(cast.wide.as_str());
        let password = json!({ "new_password": "now it is mine" });
        assert_eq!(cast.send(wide, "post", "/api/v1/auth/change-password", Some(password)).await.status, 403);
        assert_eq!(cast.send(wide, "delete", "/api/v1/auth/sessions", None).await.status, 403);
        assert_eq!(cast.send(wide, "post", "/api/v1/keys", Some(json!({ "kind": "api", "name": "more" }))).await.status, 403);
        assert_eq!(cast.send(wide, "get", "/api/v1/keys", None).await.status, 403);
        assert_eq!(cast.send(wide, "put", "/api/v1/auth/me", Some(json!({ "username": "mallory" }))).await.status, 403);
    }

    s27_everybody_reads_their_own_part_of_the_audit_and_an_admin_all(cast) {
        let own = cast.text("olga", "get", "/audit", None).await;
        assert!(own.contains("worker_shared") && !own.contains("person_invited"), "{own}");
        let of_ada = format!("/audit?actor=user:{}", cast.id("ada"));
        assert_eq!(cast.ask("olga", "get", &of_ada, None).await, 403);
        let all = cast.text("ada", "get", "/audit?limit=500", None).await;
        assert!(all.contains("worker_shared") && all.contains("person_invited") && all.contains("key_revoked"), "{all}");
        assert_eq!(cast.send(Some(&cast.wide), "get", "/api/v1/audit", None).await.status, 403);
    }

    s28_what_was_refused_is_not_in_the_audit_and_what_was_done_is_with_before_and_after(cast) {
        cast.ask("otto", "put", &cast.on_attic(""), Some(json!({ "machine_name": "mine" }))).await;
        cast.ask("olga", "put", &cast.on_attic(""), Some(json!({ "machine_name": "loft" }))).await;
        let found: Value = cast.send(Some(cast.token("ada")), "get", "/api/v1/audit?action=worker_renamed", None).await.json();
        let [entry] = found["items"].as_array().context("items")?.as_slice() else { anyhow::bail!("{found}") };
        assert_eq!(entry["detail"], json!({ "before": "attic", "after": "loft" }));
        assert_eq!((entry["actor_name"].as_str(), entry["from_address"].as_str()), (Some("olga"), Some("127.0.0.1")));
    }

    s29_an_invitation_that_was_taken_back_lets_nobody_in(cast) {
        let id = cast.invitation.invitation_id;
        assert_eq!(cast.ask("ada", "delete", &format!("/auth/invitations/{id}"), None).await, 204);
        let body = json!({ "invitation": cast.invitation.invitation, "username": "mallory", "password": "long enough for us" });
        assert_eq!(cast.send(None, "post", "/api/v1/auth/register", Some(body)).await.status, 401);
        assert_eq!(cast.ask("ada", "delete", "/auth/invitations/01890a5d-ac96-774b-bcce-b302099a8057", None).await, 404);
    }

    s30_the_kill_switch_is_the_admins(cast) {
        for other in ["olga", "otto", "eve"] {
            assert_eq!(cast.ask(other, "post", "/swarm/pause", None).await, 403, "{other}");
        }
        assert_eq!(cast.send(Some(&cast.wide), "post", "/api/v1/swarm/pause", None).await.status, 403, "tom is no admin");
        assert_eq!(cast.ask("ada", "post", "/swarm/pause", None).await, 204);
        assert_eq!(cast.ask("ada", "post", "/swarm/resume", None).await, 204);
    }

    s31_nobody_learns_by_sharing_who_is_here_and_a_name_that_is_not_here_is_said_so(cast) {
        let refused = cast.text("olga", "post", &cast.on_attic("/shares"), Some(json!({ "username": "mallory" }))).await;
        assert!(refused.contains("Nobody here has this name"), "{refused}");
        assert_eq!(cast.ask("eve", "post", &cast.on_attic("/shares"), Some(json!({ "username": "mallory" }))).await, 404);
    }
}

async fn task_id(cast: &Cast, name: &str, number: i64) -> Result<String> {
    let path = format!("/api/v1/tasks/{number}");
    let task: Task = cast.send(Some(cast.token(name)), "get", &path, None).await.json();
    Ok(task.task_id.to_string())
}
