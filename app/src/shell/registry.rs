//! Every panel there is. A new method adds one line here.

use crate::panels::spectrum::SpectrumPanel;
use crate::shell::panel::Panel;

/// A fresh set of panels, in the order of their tabs.
pub fn panels() -> Vec<Box<dyn Panel>> {
    vec![Box::new(SpectrumPanel::default())]
}
