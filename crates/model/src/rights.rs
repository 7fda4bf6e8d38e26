//! Who may do what: one table of operation x who asks x relation to the thing.
//!
//! Handlers ask [`allows`]; documents and denial tests are made from [`Operation::ALL`]. What the table does
//! not allow is denied.

use serde::{Deserialize, Serialize};

/// The role of a person on the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum InstanceRole {
    /// Manages people, machines and settings; does not read other people's texts.
    Admin,
    /// Has tasks and machines of one's own.
    Member,
}

impl InstanceRole {
    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }
}

/// The role of a person on a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WorkerRole {
    /// Sees that it is there and how it is.
    Viewer,
    /// May send tasks to it.
    Operator,
    /// Decides about it.
    Owner,
}

impl WorkerRole {
    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Owner => "owner",
        }
    }

    /// Reads a name back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Viewer, Self::Operator, Self::Owner].into_iter().find(|role| role.as_str() == name)
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asker {
    /// Nobody who proved anything.
    Anonymous,
    /// A signed-in person.
    Person(InstanceRole),
    /// A worker with its own credential.
    Worker,
}

/// How the asker stands to the thing that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relation {
    /// In no way, or there is no thing.
    None,
    /// It is theirs: their task, their session, their key; the worker itself.
    Own,
    /// They have this role on the worker.
    OnWorker(WorkerRole),
    /// The worker is shared with everyone.
    SharedWorker,
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// Everything that an endpoint or a frame can do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operation {
            $($(#[$doc])* $name,)+
        }

        impl Operation {
            /// Every operation.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// A short name for documents and logs.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

operations! {
    /// `/health`, `/ready`: says only that it is there.
    ProbeHealth = "probe health",
    /// `/metrics` beyond loopback or with its token.
    ReadMetrics = "read metrics",
    /// The OpenAPI document and its page, the panel's files.
    ReadDocuments = "read documents",
    /// Sign in with a password or a link; refresh.
    SignIn = "sign in",
    /// Register with an invitation.
    Register = "register",
    /// See and change one's own profile, sessions and password; sign out; socket tickets.
    ManageSelf = "manage oneself",
    /// Make, list and revoke one's own keys.
    ManageKeys = "manage keys",
    /// Invite people.
    InvitePeople = "invite people",
    /// List people.
    ListPeople = "list people",
    /// Submit a task.
    SubmitTask = "submit a task",
    /// Send a task to a worker by name.
    TargetWorker = "send a task to a worker",
    /// Read a task with its prompt, output, log and artifacts.
    ReadTask = "read a task",
    /// Change, cancel, retry or delete a task.
    ChangeTask = "change a task",
    /// See a worker, its tools and its state.
    ReadWorker = "see a worker",
    /// Pause, resume or drain a worker.
    SteerWorker = "steer a worker",
    /// Share or remove a worker.
    ManageWorker = "manage a worker",
    /// Enrol a machine with a worker key.
    EnrolWorker = "enrol a worker",
    /// Be a worker: heartbeat, pull, report, socket.
    ActAsWorker = "act as a worker",
    /// See events of what one may see.
    WatchEvents = "watch events",
    /// See counts of the whole swarm.
    ReadStatus = "read the status",
    /// Pause and resume the whole swarm.
    SteerSwarm = "steer the swarm",
    /// Back up the store.
    BackUp = "back up",
}

/// Whether `asker`, standing to the thing as `relation` says, may do `operation`.
pub fn allows(operation: Operation, asker: Asker, relation: Relation) -> bool {
    use InstanceRole::Admin;
    use Operation as O;
    use Relation as R;
    use WorkerRole::{Operator, Owner};

    let person = matches!(asker, Asker::Person(_));
    let admin = asker == Asker::Person(Admin);
    let own = relation == R::Own;
    match operation {
        // Open to everyone: they say nothing, or check a secret of their own.
        O::ProbeHealth | O::ReadDocuments | O::SignIn | O::Register | O::EnrolWorker => true,

        // Every signed-in person, for themselves.
        O::SubmitTask | O::WatchEvents | O::ReadStatus => person,
        O::ManageSelf | O::ManageKeys => person && own,
        // A task's prompt and output are its user's; an admin manages tasks but does not read them.
        O::ReadTask => person && own,
        O::ChangeTask => (person && own) || admin,

        O::TargetWorker => person && matches!(relation, R::OnWorker(Operator | Owner) | R::SharedWorker),
        O::ReadWorker => {
            admin || (person && matches!(relation, R::OnWorker(_) | R::SharedWorker)) || (asker == Asker::Worker && own)
        }
        O::SteerWorker => admin || (person && matches!(relation, R::OnWorker(Operator | Owner))),
        O::ManageWorker => admin || (person && relation == R::OnWorker(Owner)),
        O::ActAsWorker => asker == Asker::Worker && own,

        O::InvitePeople | O::ListPeople | O::SteerSwarm | O::BackUp | O::ReadMetrics => admin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_may_only_knock() {
        let open: Vec<_> = Operation::ALL
            .iter()
            .filter(|operation| allows(**operation, Asker::Anonymous, Relation::None))
            .map(|operation| operation.as_str())
            .collect();
        assert_eq!(open, ["probe health", "read documents", "sign in", "register", "enrol a worker"]);
    }

    #[test]
    fn an_admin_does_not_read_other_peoples_texts() {
        assert!(!allows(Operation::ReadTask, Asker::Person(InstanceRole::Admin), Relation::None));
    }

    #[test]
    fn a_worker_is_not_a_person() {
        for operation in [Operation::SubmitTask, Operation::ReadTask, Operation::ManageKeys, Operation::SteerSwarm] {
            assert!(!allows(operation, Asker::Worker, Relation::Own), "{}", operation.as_str());
        }
        assert!(!allows(Operation::ActAsWorker, Asker::Worker, Relation::None), "another worker");
    }
}
