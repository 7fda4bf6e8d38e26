use super::*;

#[test]
fn an_instant_is_written_with_six_digits_and_read_back() {
    let instant = Timestamp::from_micros(1_700_000_000_000_001);
    assert_eq!(instant.to_string(), "2023-11-14T22:13:20.000001Z");
    assert_eq!(instant.to_string().parse(), Ok(instant));
}

#[test]
fn an_offset_is_turned_into_utc() {
    let instant: Timestamp = "2026-01-31T13:00:00+01:00".parse().unwrap();
    assert_eq!(instant.to_string(), "2026-01-31T12:00:00.000000Z");
}

#[test]
fn nonsense_is_refused_with_an_example() {
    let error = "tomorrow".parse::<Timestamp>().unwrap_err();
    assert_eq!(error.to_string(), "\"tomorrow\" is not a time such as 2026-01-31T12:00:00Z");
}

/// It stands in answers and logs.
#[test]
fn an_error_does_not_repeat_a_whole_book() {
    assert!("x".repeat(100_000).parse::<Timestamp>().unwrap_err().to_string().len() < 200);
}

#[test]
fn a_clock_that_jumps_back_gives_no_negative_span() {
    assert_eq!(Timestamp::from_micros(5).since(Timestamp::from_micros(9)), Duration::ZERO);
}
