//! Gives back the memory of code that only the start needed.
//!
//! A start runs through much of the program once (arguments, settings, certificates, the first connection), and the
//! kernel maps sixteen pages around each one that is touched. Afterwards an idle worker runs through little of it
//! again and again. The pages are clean copies of the program's file: what is needed once more is mapped again from
//! the page cache. A person who leaves a worker running for weeks should not pay for its first second.

/// Unmaps the program's code and constants; what runs next maps its own pages again. Does nothing where that is not known to be safe.
#[cfg(target_os = "linux")]
pub(crate) fn give_back() {
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return };
    let Ok(program) = std::env::current_exe() else { return };
    let Some(program) = program.to_str() else { return };
    for (start, end) in maps.lines().filter_map(|line| part_of(line, program)) {
        unmap(start, end);
    }
}

/// Other systems map single pages, and count them otherwise.
#[cfg(not(target_os = "linux"))]
pub(crate) fn give_back() {}

/// From where to where a line of `/proc/self/maps` maps a part of the program that is never written to: its code, and
/// what stands at the beginning of its file (the list of what is relocated, constants, tables for unwinding). What was
/// relocated at the start is read-only too, and lies further behind.
#[cfg(target_os = "linux")]
fn part_of(line: &str, program: &str) -> Option<(usize, usize)> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let is_unchanged = match (words.next()?, words.next()?) {
        ("r-xp", _) => true,
        ("r--p", offset) => offset.bytes().all(|digit| digit == b'0'),
        _ => false,
    };
    if !is_unchanged || !line.ends_with(program) {
        return None;
    }
    Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the kernel is told of memory by its address")]
fn unmap(start: usize, end: usize) {
    use nix::sys::mman::{MmapAdvise, madvise};
    let Some(address) = std::ptr::NonNull::new(std::ptr::with_exposed_provenance_mut(start)) else { return };
    // SAFETY: the range is one private, read-only mapping of a file, taken from the kernel's own list, and nobody
    // unmaps the program. Its pages are unchanged, so that what is dropped comes back the same at the next
    // access, also for threads that run through it now.
    //
    // Where the kernel declines, the memory stays as it is.
    unsafe { madvise(address, end - start, MmapAdvise::MADV_DONTNEED) }.unwrap_or_default();
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_never_written_to_counts() {
        let of = |line: &str| part_of(line, "/usr/bin/garageswarm");
        assert_eq!(of("1000-3000 r-xp 00001000 fe:00 7    /usr/bin/garageswarm"), Some((0x1000, 0x3000)));
        assert_eq!(of("1000-3000 r--p 00000000 fe:00 7    /usr/bin/garageswarm"), Some((0x1000, 0x3000)));
        for other in [
            "1000-3000 r--p 02df5000 fe:00 7    /usr/bin/garageswarm",
            "1000-3000 r--p 00000000 fe:00 7    /usr/lib/libc.so.6",
            "1000-3000 rw-p 00000000 fe:00 7    /usr/bin/garageswarm",
            "1000-3000 r-xp 00001000 fe:00 7    /usr/lib/libc.so.6",
            "1000-3000 r-xp 00000000 00:00 0",
            "",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn the_program_runs_on_without_it() {
        // The counters of `status` are behind by as many pages as there are processors; this one is exact.
        let resident = || {
            let program = std::env::current_exe().unwrap();
            let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let is_code = |line: &str| line.contains("r-xp") && line.ends_with(program.to_str().unwrap());
            let mut lines = maps.lines().skip_while(|line| !is_code(line));
            let rss = lines.find(|line| line.starts_with("Rss:")).unwrap();
            rss.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        let before = resident();
        give_back();
        let after = resident();
        assert!(after < before, "{before} kB were mapped, and then {after} kB");
        assert_eq!(serde_json::from_str::<Vec<u8>>("[1, 2]").unwrap(), [1, 2]);
    }
}
