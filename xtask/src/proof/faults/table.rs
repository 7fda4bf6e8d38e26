//! The faults: what each would mean, what is changed, and which test must notice.

/// A fault to plant.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    /// What it would mean for somebody, in a sentence.
    pub(crate) means: &'static str,
    pub(crate) file: &'static str,
    /// What stands there once, and what stands there with the fault.
    pub(crate) right: &'static str,
    pub(crate) wrong: &'static str,
    pub(crate) noticed_by: Test,
}

/// A test of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Test {
    pub(crate) package: &'static str,
    /// `--lib`, or the name behind `--test`.
    pub(crate) target: &'static str,
    pub(crate) name: &'static str,
}

const fn board(name: &'static str) -> Test {
    Test { package: "swarm-engine", target: LIB, name }
}

const fn server(target: &'static str, name: &'static str) -> Test {
    Test { package: "swarm-server", target, name }
}

pub(crate) const LIB: &str = "--lib";

pub(crate) const FAULTS: [Fault; 19] = [
    Fault {
        name: "epoch",
        means: "a machine that was given up on overwrites the result of the try that came after",
        file: "crates/engine/src/board/reports.rs",
        right: "lease.worker_id == worker && lease.attempt == quoted.attempt",
        wrong: "lease.worker_id == worker",
        noticed_by: board("board::tests::leases::a_stale_attempt_is_told_so_at_the_heartbeat"),
    },
    Fault {
        name: "forged-report",
        means: "any worker speaks for what another one runs",
        file: "crates/engine/src/board/reports.rs",
        right: "lease.worker_id == worker && lease.attempt == quoted.attempt",
        wrong: "lease.attempt == quoted.attempt",
        noticed_by: board("board::tests::leases::another_worker_cannot_speak_for_an_attempt"),
    },
    Fault {
        name: "share-tools",
        means: "a friend runs commands on a laptop that was shared for one tool",
        file: "crates/engine/src/fleet.rs",
        right: "\n                && self.operators.get(&user).is_none_or(|limits| limits.admits(tool)))",
        wrong: ")",
        noticed_by: board("board::tests::shares::a_tool_is_used_where_the_machine_grants_it_and_the_share_holds_it"),
    },
    Fault {
        name: "share-slots",
        means: "a friend takes the whole machine instead of the one slot that was shared",
        file: "crates/engine/src/fleet.rs",
        right: "in_all() < limit",
        wrong: "in_all() < limit.max(u32::MAX)",
        noticed_by: board("board::tests::shares::slots_of_a_share_hold_and_the_owner_has_the_rest"),
    },
    Fault {
        name: "unshare",
        means: "what a former friend started goes on running on the machine",
        file: "crates/engine/src/board/workers.rs",
        right: "        self.withdraw(worker, now);\n",
        wrong: "",
        noticed_by: board("board::tests::shares::what_is_no_longer_shared_is_taken_back"),
    },
    Fault {
        name: "early-answer",
        means: "a task is confirmed and then lost, because the disk was full",
        file: "server/src/dispatch/drive/tell.rs",
        right: "        Turn { changes, answers, effects, views: self.board.take_worker_views() }",
        wrong: "        for answer in answers {\n            self.give(answer);\n        }\n        \
            Turn { changes, answers: Vec::new(), effects, views: self.board.take_worker_views() }",
        noticed_by: server(LIB, "dispatch::tests::a_submission_that_was_not_stored_is_told_so_and_leaves_no_trace"),
    },
    Fault {
        name: "host",
        means: "a web page somewhere reads the swarm by a name that it made point here",
        file: "server/src/auth/names.rs",
        right: "if !names.knows_host(host) {",
        wrong: "if !names.knows_host(host) && host.is_empty() {",
        noticed_by: server("it", "names::a_rebound_name_reaches_nothing"),
    },
    Fault {
        name: "ticket-twice",
        means: "whoever reads a socket's address in a log opens it once more",
        file: "server/src/auth/tickets.rs",
        right: ".unwrap_or_else(PoisonError::into_inner).remove(hash);",
        wrong: ".unwrap_or_else(PoisonError::into_inner).get(hash).cloned();",
        noticed_by: server("it", "sockets::a_ticket_opens_one_socket"),
    },
    Fault {
        name: "stale-rights",
        means: "a key that was revoked goes on opening doors until it is forgotten",
        file: "server/src/auth.rs",
        right: "        self.cache().next_generation();\n",
        wrong: "        self.cache().generation();\n",
        noticed_by: server("it", "keys::a_revoked_key_is_refused_at_once"),
    },
    Fault {
        name: "unknown-account",
        means: "a stranger finds out who has an account here",
        file: "server/src/api/account/login.rs",
        right: "    let user = state.stores.people.user_by_name(&username).await?;\n",
        wrong: "    let user = state.stores.people.user_by_name(&username).await?;\n    \
            if user.is_none() {\n        return Err(ApiError::not_found(\"user\"));\n    }\n",
        noticed_by: server("it", "passwords::the_right_password_opens_and_a_wrong_one_does_not"),
    },
    Fault {
        name: "traversal",
        means: "a run writes beside its folder on the machine of whoever unpacks its files",
        file: "server/src/api/workers/artifacts.rs",
        right: " && part != \".\" && part != \"..\";",
        wrong: ";",
        noticed_by: server("work", "http_workers::an_artifact_stays_in_its_folder"),
    },
    Fault {
        name: "inline",
        means: "a page that a run left behind opens in the browser as one of ours",
        file: "server/src/api/tasks/artifacts.rs",
        right: "HeaderValue::from_str(&format!(\"attachment; ",
        wrong: "HeaderValue::from_str(&format!(\"inline; ",
        noticed_by: server("work", "http_workers::artifacts_are_kept_by_their_hash_and_only_downloaded"),
    },
    Fault {
        name: "grants",
        means: "a friend reads with whom else the owner shares the machine",
        file: "server/src/api/workers/wire.rs",
        right: "if role != Some(WorkerRole::Owner) {",
        wrong: "if role != Some(WorkerRole::Owner) && role.is_none() {",
        noticed_by: server("access", "stories::s17_whom_else_a_machine_serves_is_its_owners_business"),
    },
    Fault {
        name: "link-twice",
        means: "a sign-in link in somebody's history signs in again",
        file: "crates/store/sql/tokens/use_link.sql",
        right: "SET revoked_at = $2, last_used_at = $2",
        wrong: "SET last_used_at = $2",
        noticed_by: server("it", "sessions::a_link_signs_in_once"),
    },
    Fault {
        name: "invitation-twice",
        means: "one invitation that was passed on lets any number of people in",
        file: "crates/store/sql/people/use_invitation.sql",
        right: "SET uses_left = uses_left - 1",
        wrong: "SET uses_left = uses_left",
        noticed_by: server("it", "people::an_invitation_lets_one_member_in"),
    },
    Fault {
        name: "grace",
        means: "a cookie that was stolen last week still opens the session",
        file: "crates/store/src/sql/tokens.rs",
        right: "<= *grace {",
        wrong: "<= *grace * 100_000 {",
        noticed_by: server("it", "sessions::a_spent_cookie_that_turns_up_later_ends_its_session"),
    },
    Fault {
        name: "audit",
        means: "nobody can find out who shared the machine with whom",
        file: "crates/store/src/sql/workers.rs",
        right: "write_grant(&mut tx, grant, audit).await?;\n        audit::write(&mut tx, audit).await?;",
        wrong: "write_grant(&mut tx, grant, audit).await?;",
        noticed_by: server("access", "stories::s27_everybody_reads_their_own_part_of_the_audit_and_an_admin_all"),
    },
    Fault {
        name: "others-texts",
        means: "every member, and so the owner of the machine that runs it, reads what a task says",
        file: "crates/model/src/rights.rs",
        right: "O::ReadTask | O::EditTask => person && own,",
        wrong: "O::ReadTask => person,\n        O::EditTask => person && own,",
        noticed_by: server("access", "stories::s01_nobody_reads_anybodys_task_but_its_user"),
    },
    Fault {
        name: "scopes",
        means: "a key made for reading workers submits tasks",
        file: "crates/model/src/rights.rs",
        right: "KeyUse::Within(scope) => scopes.contains(scope),",
        wrong: "KeyUse::Within(scope) => scopes.contains(scope) || operation != Operation::SteerSwarm,",
        noticed_by: server("access", "stories::s25_a_key_does_what_its_scopes_say"),
    },
];
