//! The parts that pages are made of. Each draws what it is given; none asks the coordinator, but for the forms.

pub(crate) mod add_machine;
pub(crate) mod bars;
pub(crate) mod button;
pub(crate) mod colours;
pub(crate) mod copy_line;
pub(crate) mod dialog;
pub(crate) mod door;
pub(crate) mod failure;
pub(crate) mod field;
pub(crate) mod front;
pub(crate) mod glyph;
pub(crate) mod icon;
pub(crate) mod log;
pub(crate) mod meter;
pub(crate) mod more_wishes;
pub(crate) mod new_task;
pub(crate) mod prose;
pub(crate) mod run;
pub(crate) mod score;
pub(crate) mod segments;
pub(crate) mod shell;
pub(crate) mod sums;
pub(crate) mod toasts;
