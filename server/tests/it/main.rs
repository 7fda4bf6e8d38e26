//! The coordinator from outside: through its router, with a clock that stands still.

mod document;
mod errors;
mod hostile;
mod invitations;
mod keys;
mod names;
mod passwords;
mod people;
mod probes;
mod sessions;
mod sockets;
mod swarm;
mod tls;
