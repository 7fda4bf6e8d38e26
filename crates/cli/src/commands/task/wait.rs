//! Waiting for the end of a task.

use std::io::IsTerminal as _;

use swarm_client::Client;
use swarm_proto::tasks::Task;

use super::{how, words};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::follow::{Follower, Printer};
use crate::interrupt::StopSignals;

/// Waits for the end, printing on the way what the task says where that is wished, and the result.
pub(super) async fn for_result(task: Task, follow: bool, context: &Context, client: &Client) -> Result<(), Failure> {
    let output = context.output;
    let mut printer = Printer::new(output, std::io::stdout().is_terminal());
    let mut has_printed = false;
    let follower = Follower::new(client, output, task.task_id, 0);
    let reading = follower.until_ended(|entry| {
        if follow {
            has_printed = true;
            printer.print(entry)?;
        }
        Ok(())
    });
    let ended = or_interrupted(&task, reading).await?;
    printer.finish()?;
    if output.is_json() {
        // After a stream of lines the task is one line more.
        if follow { output.json_line(&ended)? } else { output.object(&ended, words::result)? }
    } else {
        let text = words::result(&ended);
        if !text.is_empty() && !has_printed {
            output.text(&text)?;
        }
        output.remark(&words::ended(&ended));
    }
    how(ended.status)
}

/// Waits, or stops waiting at Ctrl-C: the task itself goes on.
pub(super) async fn or_interrupted<T>(
    task: &Task,
    waiting: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut signals = StopSignals::listen()?;
    tokio::select! {
        done = waiting => done,
        () = signals.next() => {
            let number = task.number;
            Err(Failure::new(Exit::Interrupted, format!("nobody waits for task #{number} any more; it goes on"))
                .advise(format!("`garageswarm task logs -f {number}` waits again, `garageswarm task cancel {number}` ends it")))
        }
    }
}
