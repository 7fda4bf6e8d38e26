//! The table of rights as a page for people: `docs/access.md`.

use std::fmt::Write as _;

use super::{Asker, InstanceRole, KeyUse, Operation, Relation, WorkerRole, allows};

const HEAD: &str = "\
# Who may do what

This page is made from the table of rights in the code (`crates/model/src/rights.rs`), which every handler asks.
What is not allowed here is denied. Where somebody has nothing to do with a thing, it looks to them as if it did not exist.

*Own* is what is one's own: one's tasks, sessions, keys. *Viewer*, *operator* and *owner* are roles on a worker, and
*shared* is a worker that its owner opened to everyone. The machine of a worker decides last: what its owner did not grant
there ([worker-settings.md](worker-settings.md)) is refused, whatever the coordinator allows.

| operation | stranger | member: own | viewer | operator | owner | shared | no relation | admin, not their own | worker itself | `api` key |
|---|---|---|---|---|---|---|---|---|---|---|
";

/// The page, as Markdown.
pub fn access_document() -> String {
    let member = Asker::Person(InstanceRole::Member);
    let columns = [
        (Asker::Anonymous, Relation::None),
        (member, Relation::Own),
        (member, Relation::OnWorker(WorkerRole::Viewer)),
        (member, Relation::OnWorker(WorkerRole::Operator)),
        (member, Relation::OnWorker(WorkerRole::Owner)),
        (member, Relation::SharedWorker),
        (member, Relation::None),
        (Asker::Person(InstanceRole::Admin), Relation::None),
        (Asker::Worker, Relation::Own),
    ];
    let mut page = HEAD.to_owned();
    for operation in Operation::ALL {
        let marks = columns.map(|(asker, relation)| if allows(*operation, asker, relation) { "yes" } else { "" });
        let key = match operation.key_use() {
            KeyUse::Any => "any".to_owned(),
            KeyUse::Within(scope) => format!("`{}`", scope.as_str()),
            KeyUse::Never => "never".to_owned(),
        };
        // Writing to a String cannot fail.
        writeln!(page, "| {} | {} | {key} |", operation.as_str(), marks.join(" | ")).ok();
    }
    page
}
