//! The log file, and a note in it when something breaks.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use log::{Level, LevelFilter, Log, Metadata, Record};
use parking_lot::Mutex;

/// Above this size the old log is put aside at the start.
const LARGEST: u64 = 1 << 20;

struct Journal(Mutex<Option<File>>);

static JOURNAL: Journal = Journal(Mutex::new(None));

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Other people's crates only when something is wrong.
        let own = metadata.target().starts_with("plumb");
        metadata.level() <= if own { Level::Info } else { Level::Warn }
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if let Some(file) = self.0.lock().as_mut() {
            let seconds = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0.0, |time| time.as_secs_f64());
            // A full disk must not bring the window down.
            let _lost = writeln!(file, "{seconds:.3} {} {}: {}", record.level(), record.target(), record.args());
        }
    }

    fn flush(&self) {
        if let Some(file) = self.0.lock().as_mut() {
            // See above.
            let _lost = file.flush();
        }
    }
}

/// Write log records to `path` from now on, and note panics there with their place.
pub fn start(path: &Path) {
    if let Some(folder) = path.parent()
        && let Err(error) = std::fs::create_dir_all(folder)
    {
        eprintln!("plumb: no log, {} cannot be made: {error}", folder.display());
        return;
    }
    if std::fs::metadata(path).is_ok_and(|facts| facts.len() > LARGEST) {
        // If this fails the log only grows.
        let _kept_growing = std::fs::rename(path, path.with_extension("log.old"));
    }
    match File::options().create(true).append(true).open(path) {
        Ok(file) => *JOURNAL.0.lock() = Some(file),
        Err(error) => eprintln!("plumb: no log, {} cannot be written: {error}", path.display()),
    }
    if log::set_logger(&JOURNAL).is_ok() {
        log::set_max_level(LevelFilter::Info);
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
            log::error!("panic in thread {thread} at {place}: {panic}");
            before(panic);
        }));
    }
}
