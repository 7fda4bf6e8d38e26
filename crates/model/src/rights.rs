//! Who may do what: one table of operation x who asks x relation to the thing.
//!
//! Handlers ask [`allows`]; `docs/access.md` and the tests of denial are made from [`Operation::ALL`]. What the
//! table does not allow is denied.

mod document;

use serde::{Deserialize, Serialize};

pub use document::access_document;

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
    /// May send tasks to it, within what the owner shares.
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

/// What an `api` key may be allowed to do for its user. What is in no scope needs a person who signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Scope {
    /// Read one's tasks, their logs and files, and follow events.
    #[serde(rename = "tasks:read")]
    TasksRead,
    /// Submit, change, cancel and delete one's tasks.
    #[serde(rename = "tasks:write")]
    TasksWrite,
    /// See the workers that one may see.
    #[serde(rename = "workers:read")]
    WorkersRead,
    /// Pause, resume and drain workers.
    #[serde(rename = "workers:write")]
    WorkersWrite,
    /// Pause and resume the whole swarm, for an admin.
    #[serde(rename = "swarm:write")]
    SwarmWrite,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] =
        [Self::TasksRead, Self::TasksWrite, Self::WorkersRead, Self::WorkersWrite, Self::SwarmWrite];

    /// What a key may do where nothing was said when it was made: everything about tasks.
    pub const USUAL: [Self; 3] = [Self::TasksRead, Self::TasksWrite, Self::WorkersRead];

    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TasksRead => "tasks:read",
            Self::TasksWrite => "tasks:write",
            Self::WorkersRead => "workers:read",
            Self::WorkersWrite => "workers:write",
            Self::SwarmWrite => "swarm:write",
        }
    }
}

/// A scope that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no scope \"{0}\"; there are tasks:read, tasks:write, workers:read, workers:write and swarm:write")]
pub struct UnknownScope(pub String);

impl std::str::FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(name: &str) -> Result<Self, UnknownScope> {
        let unknown = || UnknownScope(name.chars().take(64).collect());
        Self::ALL.into_iter().find(|scope| scope.as_str() == name).ok_or_else(unknown)
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope.
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Whether `scope` is among them.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// Its members.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | 1 << scope as u8))
    }
}

/// Whether an `api` key may be used for an operation, its user's rights granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// By every key.
    Any,
    /// By a key with this scope.
    Within(Scope),
    /// By none: a person signs in for it.
    Never,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asker {
    /// Nobody who proved anything.
    Anonymous,
    /// A signed-in person.
    Person(InstanceRole),
    /// A program with an `api` key of a person with this role.
    Program(InstanceRole, Scopes),
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
    /// See who one is.
    ReadSelf = "see oneself",
    /// Change one's own profile, sessions and password; sign out.
    ManageSelf = "manage oneself",
    /// Make, list and revoke one's own keys, and links by which one's machines join.
    ManageKeys = "manage one's keys",
    /// Invite people; list and end invitations.
    InvitePeople = "invite people",
    /// List people.
    ListPeople = "list people",
    /// Change people's roles, deactivate them, let them set a new password.
    ManagePeople = "manage people",
    /// Submit a task.
    SubmitTask = "submit a task",
    /// Send a task to a worker by name.
    TargetWorker = "send a task to a worker",
    /// Read a task with its prompt, output, log and artifacts.
    ReadTask = "read a task",
    /// Change the prompt, the priority or the limits of a task; submit it again.
    EditTask = "edit a task",
    /// Cancel or delete a task.
    EndTask = "end a task",
    /// See a worker, its tools and its state.
    ReadWorker = "see a worker",
    /// See what ran on a worker: whose, which tool, when, how it ended, what it used. Never the text.
    ReadUsage = "see what ran on a worker",
    /// See what one's own tasks used, summed up. What ran on workers is seen besides by who may see what ran there.
    ReadOwnUsage = "see what one used",
    /// Pause, resume or drain a worker.
    SteerWorker = "steer a worker",
    /// Rename, share or remove a worker.
    ManageWorker = "manage a worker",
    /// Enrol a machine with a worker key.
    EnrolWorker = "enrol a worker",
    /// Be a worker: heartbeat, pull, report, socket.
    ActAsWorker = "act as a worker",
    /// See events of what one may see.
    WatchEvents = "watch events",
    /// See one's own budgets, and those of workers that one owns.
    ReadBudgets = "see budgets",
    /// Set, change or remove a budget of one's own or of a worker that one owns. What an admin set is an admin's.
    ManageBudgets = "set budgets",
    /// See who does which role for one.
    ReadRoles = "see one's roles",
    /// Choose who does which role for one, and what happens at a limit.
    ManageRoles = "choose one's roles",
    /// See counts of the whole swarm.
    ReadStatus = "read the status",
    /// Pause and resume the whole swarm.
    SteerSwarm = "steer the swarm",
    /// Read what one did oneself in the audit.
    ReadOwnAudit = "read one's own audit",
    /// Read the whole audit.
    ReadAudit = "read the audit",
}

impl Operation {
    /// Whether an `api` key may be used for it.
    pub fn key_use(self) -> KeyUse {
        use KeyUse::{Any, Never, Within};
        match self {
            Self::ProbeHealth | Self::ReadDocuments | Self::ReadSelf => Any,
            Self::ReadTask
            | Self::ReadOwnUsage
            | Self::ReadBudgets
            | Self::ReadRoles
            | Self::WatchEvents
            | Self::ReadStatus => Within(Scope::TasksRead),
            Self::SubmitTask | Self::EditTask | Self::EndTask | Self::TargetWorker | Self::ManageRoles => {
                Within(Scope::TasksWrite)
            }
            Self::ReadWorker | Self::ReadUsage => Within(Scope::WorkersRead),
            Self::SteerWorker => Within(Scope::WorkersWrite),
            Self::SteerSwarm => Within(Scope::SwarmWrite),
            // They check a secret of their own, whoever asks.
            Self::SignIn | Self::Register | Self::EnrolWorker => Any,
            // A key that leaked must not make others, lock its owner out, change who may do what, or spend more.
            Self::ManageSelf
            | Self::ManageKeys
            | Self::InvitePeople
            | Self::ListPeople
            | Self::ManagePeople
            | Self::ManageWorker
            | Self::ManageBudgets
            | Self::ReadOwnAudit
            | Self::ReadAudit
            | Self::ReadMetrics
            | Self::ActAsWorker => Never,
        }
    }
}

/// Whether `asker`, standing to the thing as `relation` says, may do `operation`.
pub fn allows(operation: Operation, asker: Asker, relation: Relation) -> bool {
    match asker {
        Asker::Program(role, scopes) => {
            let within = match operation.key_use() {
                KeyUse::Any => true,
                KeyUse::Within(scope) => scopes.contains(scope),
                KeyUse::Never => false,
            };
            within && rule(operation, Asker::Person(role), relation)
        }
        Asker::Anonymous | Asker::Person(_) | Asker::Worker => rule(operation, asker, relation),
    }
}

fn rule(operation: Operation, asker: Asker, relation: Relation) -> bool {
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
        O::SubmitTask | O::WatchEvents | O::ReadStatus | O::ReadOwnAudit => person,
        O::ReadSelf | O::ReadOwnUsage | O::ManageSelf | O::ManageKeys | O::ReadRoles | O::ManageRoles => person && own,
        O::ReadBudgets | O::ManageBudgets => admin || (person && (own || relation == R::OnWorker(Owner))),
        // A task's prompt and output are its user's; an admin manages tasks but does not read them.
        O::ReadTask | O::EditTask => person && own,
        O::EndTask => (person && own) || admin,

        O::TargetWorker => person && matches!(relation, R::OnWorker(Operator | Owner) | R::SharedWorker),
        O::ReadWorker => {
            admin || (person && matches!(relation, R::OnWorker(_) | R::SharedWorker)) || (asker == Asker::Worker && own)
        }
        O::ReadUsage | O::SteerWorker | O::ManageWorker => admin || (person && relation == R::OnWorker(Owner)),
        O::ActAsWorker => asker == Asker::Worker && own,

        O::InvitePeople | O::ListPeople | O::ManagePeople | O::SteerSwarm | O::ReadAudit | O::ReadMetrics => admin,
    }
}

#[cfg(test)]
mod tests;
