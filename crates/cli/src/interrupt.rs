//! Ctrl-C and the system's wish to stop.

use std::io;

use crate::failure::{Exit, Failure};

/// Listens from the moment it is made: a signal that comes while nobody waits is not lost.
#[derive(Debug)]
pub(crate) struct StopSignals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
    #[cfg(windows)]
    terminate: tokio::signal::windows::CtrlShutdown,
}

impl StopSignals {
    /// Ctrl-C no longer ends the process; it comes here.
    pub(crate) fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
        }
        #[cfg(windows)]
        Ok(Self { interrupt: tokio::signal::windows::ctrl_c()?, terminate: tokio::signal::windows::ctrl_shutdown()? })
    }

    /// Waits for the next wish to stop.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Carries out an orderly end, unless somebody asks once more to stop.
    pub(crate) async fn unless_next<T>(
        &mut self,
        ending: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            ended = ending => ended,
            () = self.next() => Err(Failure::silent(Exit::Interrupted)),
        }
    }
}
