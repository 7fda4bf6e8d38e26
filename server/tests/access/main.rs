//! Who may do what, asked of the whole interface: every operation by everybody, and stories told by hand.

mod cast;
mod matrix;
mod mcp;
mod refused;
mod sockets;
mod stories;
