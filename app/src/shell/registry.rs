//! Every panel there is. A new method adds one line here.

use crate::panels::moderate::ModeratePanel;
use crate::panels::spectrum::SpectrumPanel;
use crate::panels::steer::SteerPanel;
use crate::shell::panel::Panel;

/// A fresh set of panels, in the order of their tabs.
pub fn panels() -> Vec<Box<dyn Panel>> {
    vec![Box::new(SteerPanel::default()), Box::new(SpectrumPanel::default()), Box::new(ModeratePanel::default())]
}
