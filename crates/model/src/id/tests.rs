use super::*;
use crate::Timestamp;

fn task_at(micros: i64, fill: u8) -> TaskId {
    TaskId::new(Timestamp::from_micros(micros), &mut || [fill; 10])
}

#[test]
fn ids_sort_by_the_time_they_were_made() {
    assert!(task_at(1_000_000, 0xff) < task_at(2_000_000, 0x00));
}

#[test]
fn an_id_is_version_seven_and_survives_text() {
    let id = task_at(1_700_000_000_000_000, 7);
    assert_eq!(id.as_uuid().get_version_num(), 7);
    assert_eq!(id.to_string().parse(), Ok(id));
}

#[test]
fn a_task_is_named_by_number_hash_number_or_id() {
    let id = task_at(1_700_000_000_000_000, 7);
    assert_eq!("12".parse(), Ok(TaskRef::Number(TaskNumber(12))));
    assert_eq!("#12".parse(), Ok(TaskRef::Number(TaskNumber(12))));
    assert_eq!(id.to_string().parse(), Ok(TaskRef::Id(id)));
    assert!("0".parse::<TaskRef>().is_err());
    assert_eq!("soon".parse::<TaskRef>().unwrap_err().to_string(), "\"soon\" is not a task id");
}
