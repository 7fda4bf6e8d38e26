//! What the init of a sandbox gives up before it starts the tool: nothing in the sandbox gets it back.

use std::io;

use landlock::{CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, Scope};
use rustix::thread::{
    CapabilitySet, CapabilitySets, remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

/// Gives up every capability, for good, and the way to sockets without a file where the kernel can bar it.
pub(super) fn give_up() -> io::Result<()> {
    join_own_keyring();
    for number in 0..64 {
        // A capability that this kernel does not know cannot be had either.
        let _unknown = remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number));
    }
    set_no_new_privs(true)?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    bar_sockets_without_a_file().map_err(io::Error::other)
}

/// Sockets of the abstract namespace belong to the network, so that a sandbox with the machine's own network would
/// reach those of the machine. Kernels before 6.12 cannot bar that.
fn bar_sockets_without_a_file() -> Result<(), landlock::RulesetError> {
    let rules = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
    rules.scope(Scope::AbstractUnixSocket)?.create()?.restrict_self()?;
    Ok(())
}

/// The session's keyring may hold keys of the person who started the worker. A kernel without keyrings has none.
#[expect(unsafe_code, reason = "no crate of ours knows this call")]
fn join_own_keyring() {
    const JOIN_SESSION_KEYRING: nix::libc::c_long = 1;
    // SAFETY: without a name the call reads no memory of ours.
    let _absent = unsafe { nix::libc::syscall(nix::libc::SYS_keyctl, JOIN_SESSION_KEYRING, 0) };
}
