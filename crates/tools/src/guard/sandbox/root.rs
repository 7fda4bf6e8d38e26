//! The files of a sandbox: an empty root, into which the list puts what is to be seen.
//!
//! The machine's own tree is moved aside while that happens and let go of at the end, so that no path leads to it.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, getegid, geteuid, pivot_root};

use super::super::{Mount, Sandbox, Shows};
use super::inside::step;

/// The machine's tree and the new one, while the one becomes the other.
const OLD: &str = "/old";
const NEW: &str = "/new";
/// Where the first of them is made: a folder that every system has.
const BASES: [&str; 3] = ["/tmp", "/var", "/usr"];
/// What can do no harm, and what programs do not start without.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Memory for what a run keeps in `/dev/shm`.
const SHARED_MEMORY: &str = "mode=1777,size=256m";

/// From `linux/mount.h`.
const READ_ONLY: u64 = 0x1;
const NO_SETUID: u64 = 0x2;
const NO_DEVICES: u64 = 0x4;
const NO_PROGRAMS: u64 = 0x8;

/// Puts the files together and makes them the root of this process.
pub(super) fn make(sandbox: &Sandbox) -> io::Result<()> {
    // Nothing of this is seen outside.
    mount_plain(None, Path::new("/"), None, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None)?;
    set_aside()?;
    let mut mounts: Vec<&Mount> = sandbox.mounts.iter().collect();
    mounts.sort_by_key(|mount| mount.at.components().count());
    let mut shut = Vec::new();
    for mount in mounts {
        put(mount, &mut shut)?;
    }
    put_system_folders()?;
    put_accounts(&sandbox.home)?;
    for folder in &shut {
        set_attributes(folder, READ_ONLY, false)?;
    }
    set_attributes(Path::new(NEW), READ_ONLY | NO_SETUID | NO_DEVICES, false)?;
    // The old tree lies on top of the new one until it is let go of.
    umount2(OLD, MntFlags::MNT_DETACH).map_err(|errno| step("the machine's tree stays", errno))?;
    chdir(NEW)?;
    pivot_root(".", ".").map_err(|errno| step("the root cannot be changed", errno))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(|errno| step("the way stays", errno))?;
    Ok(chdir("/")?)
}

/// Moves the machine's tree to [`OLD`], beside an empty [`NEW`].
fn set_aside() -> io::Result<()> {
    let base = BASES.map(Path::new).into_iter().find(|base| base.is_dir()).ok_or(io::ErrorKind::NotFound)?;
    mount_new("tmpfs", base, MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=0755,size=1m"))?;
    let old = base.join(OLD.trim_start_matches('/'));
    DirBuilder::new().mode(0o700).create(&old)?;
    DirBuilder::new().mode(0o755).create(base.join(NEW.trim_start_matches('/')))?;
    pivot_root(base, &old).map_err(|errno| step("the root cannot be moved", errno))?;
    chdir("/")?;
    mount_new("tmpfs", Path::new(NEW), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=0755,size=16m"))
}

/// Puts one thing in its place. What the machine does not have is left out; what is to be shut later is noted.
fn put(mount: &Mount, shut: &mut Vec<PathBuf>) -> io::Result<()> {
    let at = within(NEW, &mount.at)?;
    let (source, attributes) = match &mount.shows {
        Shows::Nothing => {
            make_folder(&at)?;
            mount_new("tmpfs", &at, MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=0755,size=1m"))?;
            shut.push(at);
            return Ok(());
        }
        Shows::Link(target) => {
            // A folder that is shown as a whole has it already.
            if at.symlink_metadata().is_ok() {
                return Ok(());
            }
            make_folder(at.parent().unwrap_or(&at))?;
            return symlink(target, at);
        }
        Shows::Read(source) => (source, READ_ONLY | NO_SETUID | NO_DEVICES),
        Shows::Write(source) => (source, NO_SETUID | NO_DEVICES),
    };
    let source = within(OLD, source)?;
    // Links of the machine lead to its own root, which is elsewhere now: who made the list has followed them.
    let kind = match source.symlink_metadata() {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if kind.is_dir() {
        make_folder(&at)?;
    } else if kind.is_symlink() {
        return Err(io::Error::other(format!("{} is a link", mount.at.display())));
    } else if at.symlink_metadata().is_err() {
        make_folder(at.parent().unwrap_or(&at))?;
        drop(File::create(&at)?);
    }
    mount_plain(Some(&source), &at, None, MsFlags::MS_BIND | MsFlags::MS_REC, None)?;
    set_attributes(&at, attributes, true)
}

/// Devices, processes and shared memory of its own.
fn put_system_folders() -> io::Result<()> {
    let new = Path::new(NEW);
    let devices = new.join("dev");
    make_folder(&devices)?;
    for name in DEVICES {
        let (source, at) = (Path::new(OLD).join("dev").join(name), devices.join(name));
        if source.exists() {
            drop(File::create(&at)?);
            mount_plain(Some(&source), &at, None, MsFlags::MS_BIND, None)?;
            set_attributes(&at, NO_SETUID | NO_PROGRAMS, false)?;
        }
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(target, devices.join(name))?;
    }
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    make_folder(&devices.join("pts"))?;
    mount_new("devpts", &devices.join("pts"), quiet, Some("newinstance,ptmxmode=0666,mode=0620"))?;
    make_folder(&devices.join("shm"))?;
    mount_new("tmpfs", &devices.join("shm"), quiet | MsFlags::MS_NODEV, Some(SHARED_MEMORY))?;
    make_folder(&new.join("proc"))?;
    mount_new("proc", &new.join("proc"), quiet | MsFlags::MS_NODEV, None)
}

/// Programs ask who they are; the machine's other accounts are nobody's matter.
fn put_accounts(home: &Path) -> io::Result<()> {
    let (user, group, home) = (geteuid(), getegid(), home.display());
    let etc = Path::new(NEW).join("etc");
    make_folder(&etc)?;
    let accounts = [
        "root:x:0:0:root:/:/usr/sbin/nologin".to_owned(),
        format!("run:x:{user}:{group}:run:{home}:/bin/sh"),
        "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n".to_owned(),
    ];
    std::fs::write(etc.join("passwd"), accounts.join("\n"))?;
    std::fs::write(etc.join("group"), format!("root:x:0:\nrun:x:{group}:\nnogroup:x:65534:\n"))
}

/// An absolute path below another root. None may lead out of it.
fn within(root: &str, path: &Path) -> io::Result<PathBuf> {
    let mut found = PathBuf::from(root);
    for component in path.components() {
        match component {
            Component::RootDir => {}
            Component::Normal(name) => found.push(name),
            Component::CurDir | Component::ParentDir | Component::Prefix(_) => {
                return Err(io::Error::other(format!("{} is not a plain path", path.display())));
            }
        }
    }
    if path.is_absolute() { Ok(found) } else { Err(io::Error::other(format!("{} is not absolute", path.display()))) }
}

/// Makes a folder and those above it, and follows no link on the way: a run may have left one.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut path = PathBuf::new();
    for component in folder.components() {
        path.push(component);
        match path.symlink_metadata() {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(io::Error::other(format!("{} is no folder", path.display()))),
            Err(_) => DirBuilder::new().mode(0o755).create(&path)?,
        }
    }
    Ok(())
}

fn mount_new(kind: &str, at: &Path, flags: MsFlags, data: Option<&str>) -> io::Result<()> {
    mount_plain(Some(Path::new(kind)), at, Some(kind), flags, data)
}

fn mount_plain(
    source: Option<&Path>,
    at: &Path,
    kind: Option<&str>,
    flags: MsFlags,
    data: Option<&str>,
) -> io::Result<()> {
    mount(source, at, kind, flags, data).map_err(|errno| step(&format!("{} cannot be mounted", at.display()), errno))
}

/// Adds attributes to a mount, and to those below it; takes none away, which would be refused.
#[expect(unsafe_code, reason = "no crate of ours knows this call")]
fn set_attributes(at: &Path, attributes: u64, below: bool) -> io::Result<()> {
    /// `struct mount_attr` of `linux/mount.h`.
    #[repr(C)]
    struct Attributes {
        set: u64,
        clear: u64,
        propagation: u64,
        user_namespace: u64,
    }
    let what = Attributes { set: attributes, clear: 0, propagation: 0, user_namespace: 0 };
    let path = std::ffi::CString::new(at.as_os_str().as_bytes())?;
    let recursive = if below { nix::libc::AT_RECURSIVE } else { 0 };
    // SAFETY: path and attributes live for as long as the call, and the size is that of the attributes.
    let done = unsafe {
        nix::libc::syscall(
            nix::libc::SYS_mount_setattr,
            nix::libc::AT_FDCWD,
            path.as_ptr(),
            recursive,
            &raw const what,
            size_of::<Attributes>(),
        )
    };
    Errno::result(done).map_err(|errno| step(&format!("{} cannot be shut", at.display()), errno))?;
    Ok(())
}
