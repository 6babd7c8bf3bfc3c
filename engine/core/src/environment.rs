//! What a run was made with: recorded in every run folder and shown on the settings page.

use serde::{Deserialize, Serialize};

/// The machine and the program, as far as they can change numbers or times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// Version of Plumb.
    pub plumb: String,
    /// Operating system, with its version where the system tells it.
    pub system: String,
    /// Processor architecture, such as `x86_64`.
    pub architecture: String,
    /// Name of the processor; empty where the system does not tell it.
    pub processor: String,
    /// Threads that may run at the same time.
    pub threads: usize,
    /// Main memory in MiB, where the system tells it.
    pub memory_mib: Option<u64>,
}

impl Environment {
    /// This machine and this program.
    pub fn read() -> Self {
        let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let release =
            value_after(&file("/etc/os-release"), "PRETTY_NAME", '=').map(|name| name.trim_matches('"').to_owned());
        let processor = value_after(&file("/proc/cpuinfo"), "model name", ':')
            .or_else(|| std::env::var("PROCESSOR_IDENTIFIER").ok())
            .unwrap_or_default();
        let memory = value_after(&file("/proc/meminfo"), "MemTotal", ':')
            .and_then(|text| text.trim_end_matches("kB").trim().parse::<u64>().ok());
        Self {
            plumb: env!("CARGO_PKG_VERSION").to_owned(),
            system: release.unwrap_or_else(|| std::env::consts::OS.to_owned()),
            architecture: std::env::consts::ARCH.to_owned(),
            processor,
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_mib: memory.map(|kib| kib / 1024),
        }
    }
}

/// The rest of the first line that begins with `key` and `mark`.
fn value_after(text: &str, key: &str, mark: char) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(mark)?;
        (name.trim() == key).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_known() {
        let here = Environment::read();
        assert!(here.threads >= 1 && !here.system.is_empty() && !here.plumb.is_empty(), "{here:?}");
    }

    #[test]
    fn values_are_found_by_their_key() {
        let text = "processor\t: 0\nmodel name\t: Example CPU\n";
        assert_eq!(value_after(text, "model name", ':').as_deref(), Some("Example CPU"));
        assert_eq!(value_after(text, "model", ':'), None);
    }
}
