//! Where tensors live. Plain words outside, so that the window needs to know no tensor library.

use candle_core::Device;
use serde::{Deserialize, Serialize};

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// The first graphics card this build can use, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The first NVIDIA card.
    Cuda,
    /// Apple's graphics.
    Metal,
}

impl DeviceChoice {
    /// Every choice, in the order in which settings list them.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Cpu, Self::Cuda, Self::Metal];

    /// Its name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Auto => "Automatic",
            Self::Cpu => "Processor",
            Self::Cuda => "NVIDIA card (CUDA)",
            Self::Metal => "Apple graphics (Metal)",
        }
    }
}

/// One line of the settings page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// What would be asked for.
    pub choice: DeviceChoice,
    /// Whether asking for it gives it.
    pub usable: bool,
    /// What was found, or why there is nothing: one sentence.
    pub description: String,
}

/// An opened device.
#[derive(Clone, Debug)]
pub struct OpenDevice {
    /// For tensors.
    pub device: Device,
    /// What it is: “Processor, 2 threads”.
    pub description: String,
    /// Why this is not what was asked for, if it is not.
    pub note: Option<String>,
}

impl OpenDevice {
    /// Its short name, as run folders keep it: `cpu`, `cuda:0`, `metal:0`.
    pub fn name(&self) -> &'static str {
        match &self.device {
            Device::Cpu => "cpu",
            Device::Cuda(_) => "cuda:0",
            Device::Metal(_) => "metal:0",
        }
    }
}

/// Threads that the processor path uses.
fn threads() -> usize {
    std::env::var("RAYON_NUM_THREADS")
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|&count| count > 0)
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
}

fn cpu_description() -> String {
    let count = threads();
    format!("Processor, {count} thread{}", if count == 1 { "" } else { "s" })
}

fn open_cuda() -> Result<Device, String> {
    if !candle_core::utils::cuda_is_available() {
        return Err("this build has no CUDA support; build with `--features cuda`".to_owned());
    }
    Device::new_cuda(0).map_err(|error| format!("no CUDA device found: {}", first_line(&error)))
}

fn open_metal() -> Result<Device, String> {
    if !candle_core::utils::metal_is_available() {
        return Err("this build has no Metal support; build with `--features metal` on a Mac".to_owned());
    }
    Device::new_metal(0).map_err(|error| format!("Metal does not answer: {}", first_line(&error)))
}

fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Open what was asked for. Where that cannot be had, the processor is used and the note says why: a saved
/// setting from another machine must not keep the workbench from working.
pub fn open(choice: DeviceChoice) -> OpenDevice {
    let cpu = |note| OpenDevice { device: Device::Cpu, description: cpu_description(), note };
    let fall_back = |reason: String| cpu(Some(format!("Using the processor: {reason}.")));
    let gpu = |device, name: &str| OpenDevice { device, description: name.to_owned(), note: None };
    match choice {
        DeviceChoice::Cpu => cpu(None),
        DeviceChoice::Cuda => open_cuda().map_or_else(fall_back, |device| gpu(device, "NVIDIA card 0 (CUDA)")),
        DeviceChoice::Metal => open_metal().map_or_else(fall_back, |device| gpu(device, "Apple graphics (Metal)")),
        DeviceChoice::Auto => {
            if let Ok(device) = open_cuda() {
                return gpu(device, "NVIDIA card 0 (CUDA)");
            }
            open_metal().map_or_else(|_| cpu(None), |device| gpu(device, "Apple graphics (Metal)"))
        }
    }
}

/// What each choice would give on this machine.
pub fn available() -> Vec<DeviceInfo> {
    DeviceChoice::ALL
        .into_iter()
        .map(|choice| {
            let opened = open(choice);
            let usable = opened.note.is_none();
            DeviceInfo { choice, usable, description: opened.note.unwrap_or(opened.description) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_opens_something_and_says_why() {
        for info in available() {
            assert!(!info.description.is_empty());
            assert!(open(info.choice).device.is_cpu() || info.usable);
        }
        assert!(open(DeviceChoice::Cpu).note.is_none(), "the processor is always there");
    }
}
