//! The list of tasks: what is looked for, and rows that live without moving under the pointer.

use swarm_model::{TaskNumber, TaskStatus, WorkerId};
use swarm_proto::Page;
use swarm_proto::tasks::{ListTasks, Task};

use super::swarm::Swarm;
use super::words;
use crate::strings::tasks as text;

/// A choice of states that people look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Shown {
    /// Everything.
    #[default]
    All,
    /// What goes on.
    Running,
    /// What is in the queue.
    Queued,
    /// What waits.
    Waiting,
    /// What failed.
    Failed,
    /// What is done.
    Done,
    /// What was cancelled.
    Cancelled,
}

impl Shown {
    /// Every choice, in the order of the page.
    pub const ALL: [Self; 7] =
        [Self::All, Self::Running, Self::Queued, Self::Waiting, Self::Failed, Self::Done, Self::Cancelled];

    /// The states; none means all.
    pub fn statuses(self) -> &'static [TaskStatus] {
        match self {
            Self::All => &[],
            Self::Running => &[TaskStatus::Assigned, TaskStatus::Running],
            Self::Queued => &[TaskStatus::Queued],
            Self::Waiting => &[TaskStatus::Waiting],
            Self::Failed => &[TaskStatus::Failed],
            Self::Done => &[TaskStatus::Completed],
            Self::Cancelled => &[TaskStatus::Cancelled],
        }
    }

    /// The name in the page's address.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Running => "running",
            Self::Queued => "queued",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    /// The word on its button.
    pub fn word(self) -> &'static str {
        match self {
            Self::All => text::ALL,
            Self::Running => text::RUNNING,
            Self::Queued => text::QUEUED,
            Self::Waiting => text::WAITING,
            Self::Failed => text::FAILED,
            Self::Done => text::DONE,
            Self::Cancelled => text::CANCELLED,
        }
    }

    /// How many there are, by the last count.
    pub fn count(self, swarm: &Swarm) -> u64 {
        match self {
            Self::All => swarm.count_all(),
            _ => self.statuses().iter().map(|status| swarm.count(*status)).sum(),
        }
    }

    /// Reads the name in the page's address.
    pub fn parse(name: &str) -> Self {
        Self::ALL.into_iter().find(|shown| shown.name() == name).unwrap_or_default()
    }
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// In which states.
    pub shown: Shown,
    /// A piece of the prompt.
    pub text: String,
    /// A tool by its name; empty means any.
    pub tool: String,
    /// A machine.
    pub worker: Option<WorkerId>,
}

impl Filter {
    /// The filter that a page's address names.
    pub fn from_query(get: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name| get(name).unwrap_or_default();
        Self {
            shown: Shown::parse(&read("show")),
            text: read("text"),
            tool: read("tool"),
            worker: read("worker").parse().ok(),
        }
    }

    /// The names and values in the page's address.
    pub fn to_query(&self) -> Vec<(&'static str, String)> {
        let worker = self.worker.map(|worker| worker.to_string()).unwrap_or_default();
        let all = [
            ("show", self.shown.name().to_owned()),
            ("text", self.text.clone()),
            ("tool", self.tool.clone()),
            ("worker", worker),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    /// The question to the coordinator.
    pub fn question(&self, cursor: Option<String>) -> ListTasks {
        let statuses: Vec<_> = self.shown.statuses().iter().map(|status| status.as_str()).collect();
        ListTasks {
            status: (!statuses.is_empty()).then(|| statuses.join(",")),
            tool: Some(self.tool.clone()).filter(|tool| !tool.is_empty()),
            worker_id: self.worker,
            text: Some(self.text.trim().to_owned()).filter(|text| !text.is_empty()),
            cursor,
            ..ListTasks::default()
        }
    }

    /// Whether anything is looked for beside a state.
    pub fn is_narrow(&self) -> bool {
        !self.text.is_empty() || !self.tool.is_empty() || self.worker.is_some()
    }

    fn takes(&self, task: &Task) -> bool {
        let statuses = self.shown.statuses();
        let needle = self.text.trim().to_lowercase();
        (statuses.is_empty() || statuses.contains(&task.status))
            && (self.tool.is_empty() || task.tool.as_ref().is_some_and(|tool| tool.as_str() == self.tool))
            && (self.worker.is_none() || task.worker_id == self.worker)
            && (needle.is_empty() || task.description.to_lowercase().contains(&needle))
    }
}

/// The rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskList {
    filter: Filter,
    rows: Vec<Task>,
    /// New rows that wait until nobody's pointer is on the list.
    held: Vec<Task>,
    next: Option<String>,
    is_loaded: bool,
}

impl TaskList {
    /// An empty list for a filter.
    pub fn new(filter: Filter) -> Self {
        Self { filter, ..Self::default() }
    }

    /// The rows, the newest first.
    pub fn rows(&self) -> &[Task] {
        &self.rows
    }

    /// How many new rows are held back.
    pub fn n_held(&self) -> usize {
        self.held.len()
    }

    /// Whether the first page is there.
    pub fn is_loaded(&self) -> bool {
        self.is_loaded
    }

    /// Where the next page begins.
    pub fn next(&self) -> Option<String> {
        self.next.clone()
    }

    /// Takes a page in: the first one, or the one after the last row.
    pub fn add_page(&mut self, page: Page<Task>) {
        for task in page.items {
            if !self.change(&task) {
                self.rows.push(task);
            }
        }
        self.rows.sort_by_key(|task| std::cmp::Reverse(task.number));
        self.next = page.next_cursor;
        self.is_loaded = true;
    }

    /// Takes in a task that changed. A row stays where it is, also when it is not looked for any more; a new one is
    /// held back while `hold`.
    pub fn hear(&mut self, task: &Task, hold: bool) {
        if self.change(task) || !self.filter.takes(task) {
            return;
        }
        if let Some(known) = self.held.iter_mut().find(|known| known.number == task.number) {
            known.clone_from(task);
            return;
        }
        // Older than the last row that was read: it comes with its page.
        let is_below = self.next.is_some() && self.rows.last().is_some_and(|last| task.number < last.number);
        if is_below {
            return;
        }
        if hold {
            self.held.push(task.clone());
        } else {
            self.rows.push(task.clone());
            self.rows.sort_by_key(|task| std::cmp::Reverse(task.number));
        }
    }

    fn change(&mut self, task: &Task) -> bool {
        let known = self.rows.iter_mut().find(|known| known.number == task.number);
        match known {
            Some(known) => {
                if known.version <= task.version {
                    known.clone_from(task);
                }
                true
            }
            None => false,
        }
    }

    /// Shows the rows that were held back.
    pub fn release(&mut self) {
        self.rows.append(&mut self.held);
        self.rows.sort_by_key(|task| std::cmp::Reverse(task.number));
    }

    /// The row after or before one; the first one where none is named.
    pub fn neighbour(&self, of: Option<TaskNumber>, forward: bool) -> Option<TaskNumber> {
        let here = of.and_then(|number| self.rows.iter().position(|task| task.number == number));
        let there = match here {
            None => 0,
            Some(here) if forward => (here + 1).min(self.rows.len().saturating_sub(1)),
            Some(here) => here.saturating_sub(1),
        };
        self.rows.get(there).map(|task| task.number)
    }
}

/// The headline: "12 queued, 4 running, 2 waiting".
pub fn headline(swarm: &Swarm) -> String {
    let parts: Vec<_> = [Shown::Running, Shown::Queued, Shown::Waiting]
        .into_iter()
        .map(|shown| (shown.count(swarm), shown.word().to_lowercase()))
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{} {word}", words::thousands(n)))
        .collect();
    match (parts.is_empty(), swarm.count_all()) {
        (false, _) => parts.join(", "),
        (true, 0) => text::NONE_YET.to_owned(),
        (true, n) => text::all_ended(n),
    }
}

/// A text in the search field that names a task: "12" or "#12".
pub fn named_task(search: &str) -> Option<TaskNumber> {
    let digits = search.trim();
    let digits = digits.strip_prefix('#').unwrap_or(digits);
    digits.parse().ok().filter(|number| *number > 0).map(TaskNumber)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples;

    fn page(numbers: impl IntoIterator<Item = i64>, next: Option<&str>) -> Page<Task> {
        let items = numbers.into_iter().map(|n| samples::task(n, TaskStatus::Completed)).collect();
        Page { items, next_cursor: next.map(str::to_owned) }
    }

    fn numbers(list: &TaskList) -> Vec<i64> {
        list.rows().iter().map(|task| task.number.0).collect()
    }

    #[test]
    fn pages_follow_each_other_without_doubles() {
        let mut list = TaskList::new(Filter::default());
        list.add_page(page([9, 8, 7], Some("7")));
        assert_eq!(list.next().as_deref(), Some("7"));
        list.add_page(page([7, 6], None));
        assert_eq!(numbers(&list), [9, 8, 7, 6]);
        assert_eq!(list.next(), None);
    }

    #[test]
    fn nothing_moves_under_the_pointer() {
        let mut list = TaskList::new(Filter::default());
        list.add_page(page([9, 8], None));
        list.hear(&samples::task(10, TaskStatus::Queued), true);
        list.hear(&samples::task(11, TaskStatus::Queued), true);
        list.hear(&Task { version: 2, status: TaskStatus::Running, ..samples::task(10, TaskStatus::Queued) }, true);
        assert_eq!((numbers(&list), list.n_held()), (vec![9, 8], 2));
        list.release();
        assert_eq!((numbers(&list), list.n_held()), (vec![11, 10, 9, 8], 0));
        assert_eq!(list.rows()[1].status, TaskStatus::Running);
        list.hear(&samples::task(12, TaskStatus::Queued), false);
        assert_eq!(numbers(&list)[0], 12);
    }

    #[test]
    fn a_row_stays_when_it_is_not_looked_for_any_more() {
        let filter = Filter { shown: Shown::Running, ..Filter::default() };
        let mut list = TaskList::new(filter);
        list.hear(&samples::task(1, TaskStatus::Running), false);
        list.hear(&samples::task(2, TaskStatus::Queued), false);
        list.hear(&Task { version: 2, ..samples::task(1, TaskStatus::Completed) }, false);
        list.hear(&samples::task(1, TaskStatus::Running), false);
        assert_eq!(
            list.rows().iter().map(|t| (t.number.0, t.status)).collect::<Vec<_>>(),
            [(1, TaskStatus::Completed)]
        );
    }

    #[test]
    fn what_belongs_to_a_page_not_read_yet_waits_for_it() {
        let mut list = TaskList::new(Filter::default());
        list.add_page(page([9, 8], Some("8")));
        list.hear(&samples::task(3, TaskStatus::Running), false);
        assert_eq!(numbers(&list), [9, 8]);
    }

    #[test]
    fn a_filter_survives_the_address() {
        let filter = Filter {
            shown: Shown::Failed,
            text: "a & b".to_owned(),
            tool: "demo".to_owned(),
            worker: Some(samples::worker("a").worker_id),
        };
        let query = filter.to_query();
        let read =
            Filter::from_query(|name| query.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone()));
        assert_eq!(read, filter);
        assert_eq!(filter.question(None).status.as_deref(), Some("failed"));
        assert!(Filter::default().to_query().is_empty());
        assert_eq!(
            Filter { shown: Shown::Running, ..filter }.question(None).status.as_deref(),
            Some("assigned,running")
        );
    }

    #[test]
    fn keys_walk_the_rows() {
        let mut list = TaskList::new(Filter::default());
        assert_eq!(list.neighbour(None, true), None);
        list.add_page(page([9, 8], None));
        let steps =
            [(None, true), (Some(TaskNumber(9)), true), (Some(TaskNumber(8)), true), (Some(TaskNumber(9)), false)];
        let steps = steps.map(|(of, forward)| list.neighbour(of, forward).map(|number| number.0));
        assert_eq!(steps, [Some(9), Some(8), Some(8), Some(9)]);
    }

    #[test]
    fn numbers_name_tasks() {
        assert_eq!(
            [" #12 ", "12", "0", "12a", ""].map(|s| named_task(s).map(|n| n.0)),
            [Some(12), Some(12), None, None, None]
        );
    }
}
