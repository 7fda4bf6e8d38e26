//! Where the local socket of an agent is, and who may use it: the account that the agent runs as, and nobody else.
//!
//! On Unix it is a socket with mode 0600 in a folder with mode 0700, and whoever connects is asked for their user
//! id. On Windows it is a named pipe whose security descriptor admits its owner alone. The agent holds the lock of
//! its data folder when it gets here, so that a socket that is found was left by a dead one.

#[cfg(unix)]
pub(super) use self::unix::{Listener, connect};
#[cfg(windows)]
pub(super) use self::windows::{Listener, connect};

/// A name that stands for a data folder where its path cannot.
fn short_name(data_dir: &std::path::Path) -> String {
    let hash = blake3::hash(data_dir.as_os_str().as_encoded_bytes()).to_hex();
    hash.as_str()[..20].to_owned()
}

#[cfg(unix)]
mod unix {
    use std::fs::{self, Permissions};
    use std::io::{self, ErrorKind};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::path::{Path, PathBuf};

    use nix::unistd::Uid;
    use tokio::net::{UnixListener, UnixStream};

    use super::short_name;
    use crate::durable::make_private_dir;

    /// The longest path that every Unix takes for a socket.
    const MAX_PATH_BYTES: usize = 100;

    /// The agent's end. The socket goes with it.
    #[derive(Debug)]
    pub(crate) struct Listener {
        inner: UnixListener,
        path: PathBuf,
    }

    impl Listener {
        /// Blocks for a moment.
        pub(crate) fn bind(data_dir: &Path) -> io::Result<Self> {
            let path = places(data_dir)?.swap_remove(0);
            if let Some(folder) = path.parent() {
                make_private_dir(folder)?;
                check_folder(folder)?;
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let inner = UnixListener::bind(&path)?;
            fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            Ok(Self { inner, path })
        }

        /// The next connection; none where somebody else knocked.
        pub(crate) async fn accept(&mut self) -> io::Result<Option<UnixStream>> {
            let (stream, _) = self.inner.accept().await?;
            Ok(is_ours(&stream)?.then_some(stream))
        }
    }

    impl Drop for Listener {
        fn drop(&mut self) {
            // Left behind it would be replaced at the next start.
            drop(fs::remove_file(&self.path));
        }
    }

    /// Connects to the agent of a data folder; an error of kind `NotFound` or `ConnectionRefused` where none runs.
    pub(crate) async fn connect(data_dir: &Path) -> io::Result<UnixStream> {
        let mut found = Err(io::Error::from(ErrorKind::NotFound));
        for path in places(data_dir)? {
            found = UnixStream::connect(path).await;
            if found.is_ok() {
                break;
            }
        }
        let stream = found?;
        if is_ours(&stream)? {
            Ok(stream)
        } else {
            Err(io::Error::new(ErrorKind::PermissionDenied, "it runs as another account"))
        }
    }

    fn is_ours(stream: &UnixStream) -> io::Result<bool> {
        Ok(stream.peer_cred()?.uid() == Uid::effective().as_raw())
    }

    /// Where the socket is: first where an agent makes it. A client looks in every place, for it may know another
    /// session than the agent does.
    fn places(data_dir: &Path) -> io::Result<Vec<PathBuf>> {
        let data_dir = fs::canonicalize(data_dir)?;
        let path = data_dir.join("control").join("agent.sock");
        if path.as_os_str().len() <= MAX_PATH_BYTES {
            return Ok(vec![path]);
        }
        let name = format!("{}.sock", short_name(&data_dir));
        let of_session = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let of_session = of_session.filter(|folder| folder.is_absolute() && folder.is_dir());
        let folders = of_session.map(|folder| folder.join("garageswarm")).into_iter();
        let folders = folders.chain([PathBuf::from(format!("/tmp/garageswarm-{}", Uid::effective()))]);
        Ok(folders.map(|folder| folder.join(&name)).filter(|path| path.as_os_str().len() <= MAX_PATH_BYTES).collect())
    }

    /// In a folder of somebody else the socket could be exchanged.
    fn check_folder(folder: &Path) -> io::Result<()> {
        let found = fs::symlink_metadata(folder)?;
        let for_others = found.mode() & 0o077;
        let is_private = found.is_dir() && for_others == 0 && found.uid() == Uid::effective().as_raw();
        if is_private {
            return Ok(());
        }
        let what = format!("{} is not a folder of this account alone (mode 0700)", folder.display());
        Err(io::Error::new(ErrorKind::PermissionDenied, what))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[tokio::test]
        async fn only_its_owner_sees_the_socket_and_a_stale_one_is_replaced() {
            let folder = tempfile::tempdir().unwrap();
            let stale = folder.path().join("control/agent.sock");
            fs::create_dir(folder.path().join("control")).unwrap();
            fs::set_permissions(folder.path().join("control"), Permissions::from_mode(0o700)).unwrap();
            drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
            assert_eq!(connect(folder.path()).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
            let listener = Listener::bind(folder.path()).unwrap();
            assert_eq!(fs::metadata(&stale).unwrap().mode() & 0o777, 0o600);
            connect(folder.path()).await.unwrap();
            drop(listener);
            assert_eq!(connect(folder.path()).await.unwrap_err().kind(), ErrorKind::NotFound);
        }

        #[test]
        fn a_folder_that_others_may_enter_is_refused() {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("control")).unwrap();
            fs::set_permissions(folder.path().join("control"), Permissions::from_mode(0o755)).unwrap();
            assert_eq!(Listener::bind(folder.path()).unwrap_err().kind(), ErrorKind::PermissionDenied);
        }

        #[test]
        fn a_long_path_gets_a_short_socket() {
            let folder = tempfile::tempdir().unwrap();
            let long = folder.path().join("x".repeat(90));
            fs::create_dir(&long).unwrap();
            let found = places(&long).unwrap();
            for path in &found {
                assert!(path.as_os_str().len() <= MAX_PATH_BYTES && !path.starts_with(folder.path()), "{path:?}");
            }
            assert_eq!(found, places(&long.join("..").join("x".repeat(90))).unwrap());
        }
    }
}

#[cfg(windows)]
mod windows {
    use std::io;
    use std::path::Path;

    use interprocess::local_socket::tokio::prelude::*;
    use interprocess::local_socket::tokio::{Listener as Pipe, Stream};
    use interprocess::local_socket::{GenericNamespaced, ListenerOptions, Name, ToNsName as _};
    use interprocess::os::windows::local_socket::ListenerOptionsExt as _;
    use interprocess::os::windows::security_descriptor::SecurityDescriptor;

    use super::short_name;

    /// Everything for the owner of the pipe, nothing for anybody else, and nothing inherited.
    const OWNER_ONLY: &str = "D:P(A;;GA;;;OW)";

    /// The agent's end. The pipe goes with it.
    #[derive(Debug)]
    pub(crate) struct Listener {
        inner: Pipe,
    }

    impl Listener {
        /// Blocks for a moment.
        pub(crate) fn bind(data_dir: &Path) -> io::Result<Self> {
            let words = widestring::U16CString::from_str(OWNER_ONLY).map_err(io::Error::other)?;
            let owner_only = SecurityDescriptor::deserialize(&words)?;
            let options = ListenerOptions::new().name(pipe(data_dir)?).security_descriptor(owner_only);
            Ok(Self { inner: options.create_tokio()? })
        }

        /// The next connection. The system has turned away everybody else.
        pub(crate) async fn accept(&mut self) -> io::Result<Option<Stream>> {
            self.inner.accept().await.map(Some)
        }
    }

    /// Connects to the agent of a data folder; an error of kind `NotFound` where none runs.
    pub(crate) async fn connect(data_dir: &Path) -> io::Result<Stream> {
        Stream::connect(pipe(data_dir)?).await
    }

    fn pipe(data_dir: &Path) -> io::Result<Name<'static>> {
        let data_dir = std::fs::canonicalize(data_dir)?;
        format!("garageswarm-{}", short_name(&data_dir)).to_ns_name::<GenericNamespaced>()
    }
}
