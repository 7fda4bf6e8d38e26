//! Why a task is where it is: points of each worker, and what rules the others out.

use swarm_model::WorkerId;
use swarm_proto::tasks::{Candidate, Placement};

use crate::strings::task as text;

/// A part of the score and its most points.
pub const PARTS: [(&str, f32); 4] =
    [(text::MATCH, 40.0), (text::AVAILABILITY, 30.0), (text::BALANCE, 20.0), (text::AFFINITY, 10.0)];

/// The points of one worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// What people call it.
    pub name: String,
    /// Whether the task is there.
    pub is_chosen: bool,
    /// Points in the order of [`PARTS`].
    pub points: [f32; 4],
    /// Their sum.
    pub total: f32,
}

/// The table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScoreTable {
    /// The best workers, those with the task first.
    pub columns: Vec<Column>,
    /// How many more were considered.
    pub n_more: usize,
    /// Who could not take it, with one reason each.
    pub ruled_out: Vec<(String, String)>,
}

/// How many columns fit beside a log.
const MOST_COLUMNS: usize = 3;

/// The table of a placement.
pub fn table(placement: &Placement, chosen: Option<WorkerId>) -> ScoreTable {
    let mut columns: Vec<_> = placement.candidates.iter().filter_map(|candidate| column(candidate, chosen)).collect();
    columns.sort_by_key(|column| !column.is_chosen);
    let n_more = columns.len().saturating_sub(MOST_COLUMNS);
    columns.truncate(MOST_COLUMNS);
    let ruled_out = placement
        .candidates
        .iter()
        .filter(|candidate| !is_considered(candidate, chosen))
        .map(|candidate| (candidate.machine_name.clone(), candidate.reasons.first().cloned().unwrap_or_default()))
        .collect();
    ScoreTable { columns, n_more, ruled_out }
}

fn is_considered(candidate: &Candidate, chosen: Option<WorkerId>) -> bool {
    candidate.score.is_some() && (candidate.eligible || chosen == Some(candidate.worker_id))
}

fn column(candidate: &Candidate, chosen: Option<WorkerId>) -> Option<Column> {
    let score = candidate.score.filter(|_| is_considered(candidate, chosen))?;
    Some(Column {
        name: candidate.machine_name.clone(),
        is_chosen: chosen == Some(candidate.worker_id),
        points: [score.r#match, score.availability, score.balance, score.affinity],
        total: score.total,
    })
}

/// The heading: whom the points speak for.
pub fn heading(table: &ScoreTable) -> String {
    match table.columns.first() {
        Some(column) if column.is_chosen => text::why(&column.name),
        Some(_) => text::WHO_COULD.to_owned(),
        None => text::NO_WORKER_FITS.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use swarm_proto::tasks::Score;

    use super::*;
    use crate::view::samples;

    fn candidate(name: &str, total: Option<f32>) -> Candidate {
        let score = total.map(|total| Score { r#match: 40.0, availability: 20.0, balance: 10.0, affinity: 0.0, total });
        Candidate {
            worker_id: samples::worker(name).worker_id,
            machine_name: name.to_owned(),
            eligible: score.is_some(),
            score,
            reasons: vec!["is paused".to_owned(), "is small".to_owned()],
        }
    }

    #[test]
    fn the_chosen_one_stands_first_and_the_rest_has_its_reason() {
        let candidates = vec![
            candidate("a", Some(80.0)),
            candidate("b", Some(70.0)),
            candidate("c", None),
            candidate("d", Some(60.0)),
            candidate("e", Some(50.0)),
        ];
        let placement = Placement { summary: String::new(), ahead: None, candidates };
        let table = table(&placement, Some(samples::worker("b").worker_id));
        assert_eq!(table.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["b", "a", "d"]);
        assert_eq!(table.n_more, 1);
        assert_eq!(table.ruled_out, [("c".to_owned(), "is paused".to_owned())]);
        assert_eq!(heading(&table), "Why b");
    }

    #[test]
    fn without_a_choice_it_says_who_could() {
        let placement =
            |score| Placement { summary: String::new(), ahead: None, candidates: vec![candidate("a", score)] };
        assert_eq!(heading(&table(&placement(Some(1.0)), None)), "Who could take it");
        assert_eq!(heading(&table(&placement(None), None)), "No worker fits now");
    }
}
