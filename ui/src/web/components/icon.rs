//! Icons: 16 by 16, drawn with one line.

use leptos::prelude::*;

/// Which icon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Icon {
    Home,
    Tasks,
    Workers,
    Tools,
    Usage,
    Account,
    Search,
    Plus,
    Cross,
    Retry,
    Copy,
    File,
    Right,
    Down,
    Back,
    Pause,
    Play,
    Theme,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Self::Home => "M2.5 7.2 8 2.5l5.5 4.7v6.3h-11zM6.25 13.5V9.25h3.5v4.25",
            Self::Tasks => "M2 4h.01M2 8h.01M2 12h.01M5.5 4H14M5.5 8H14M5.5 12H14",
            Self::Workers => "M2 13.75V5.5L8 2.25l6 3.25v8.25M4.75 13.75V7.5h6.5v6.25M4.75 9.5h6.5M4.75 11.5h6.5",
            Self::Tools => {
                "M9.6 4.1a3.3 3.3 0 0 1 4.1-1.5l-2 2 1.7 1.7 2-2a3.3 3.3 0 0 1-4.6 3.9l-5 5.1a1.6 1.6 0 0 1-2.3-2.3l5.1-5a3.3 3.3 0 0 1 1-1.9Z"
            }
            Self::Usage => "M2 13.75h12M4 13.5V9.25M8 13.5v-11M12 13.5V6.25",
            Self::Account => {
                "M8 8.25a2.75 2.75 0 1 0 0-5.5 2.75 2.75 0 0 0 0 5.5ZM2.75 14c.5-2.5 2.6-3.75 5.25-3.75S12.75 11.5 13.25 14"
            }
            Self::Search => "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.25 10.25 14 14",
            Self::Plus => "M8 3v10M3 8h10",
            Self::Cross => "m4 4 8 8M12 4l-8 8",
            Self::Retry => "M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3",
            Self::Copy => "M5.75 5.75h7.5v7.5h-7.5zM10.25 5.5V2.75h-7.5v7.5H5.5",
            Self::File => "M4 2h5.5L12.5 5v9H4zM9.25 2v3.25h3.25",
            Self::Right => "m6 3.5 4.5 4.5L6 12.5",
            Self::Down => "m3.5 6 4.5 4.5L12.5 6",
            Self::Back => "M10 3 5 8l5 5",
            Self::Pause => "M5.5 3.5v9M10.5 3.5v9",
            Self::Play => "M5 3.25v9.5L12.5 8z",
            Self::Theme => "M13.25 9.6A5.6 5.6 0 0 1 6.4 2.75a5.6 5.6 0 1 0 6.85 6.85Z",
        }
    }
}

/// An icon. It says nothing; words stand beside it, or its button has a label.
#[component]
pub(crate) fn Draw(
    /// Which one.
    icon: Icon,
) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
            <path d=icon.path() />
        </svg>
    }
}
