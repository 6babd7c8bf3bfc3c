//! What stands in a cell: text that fits, and the arrow of a sorted header.

use egui::{Label, Role, Sense, Ui, WidgetInfo};

use crate::theme::UiExt as _;

/// A text cell. What does not fit is cut out of the middle, because names of layers begin alike and end alike; the
/// whole text appears on hover.
pub fn text_cell(ui: &mut Ui, text: &str) {
    let font = egui::TextStyle::Body.resolve(ui.style());
    let width = |text: &str| {
        let painter = ui.painter();
        painter.layout_no_wrap(text.to_owned(), font.clone(), egui::Color32::PLACEHOLDER).size().x
    };
    let available = ui.available_width();
    if width(text) <= available {
        ui.add(Label::new(text).extend().selectable(false));
        return;
    }
    let short = cut(text, |text| width(text) <= available);
    let label = ui.add(Label::new(short).truncate().selectable(false));
    label.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    label.on_hover_text(text);
}

/// The longest form of `text` without its middle that `fits`.
fn cut(text: &str, fits: impl Fn(&str) -> bool) -> String {
    let letters: Vec<char> = text.chars().collect();
    let form = |kept: usize| -> String {
        let head = kept.div_ceil(2);
        let ends = [&letters[..head], &letters[letters.len() - (kept - head)..]].map(String::from_iter);
        format!("{}…{}", ends[0], ends[1])
    };
    let (mut least, mut most) = (0, letters.len().saturating_sub(1));
    while least < most {
        let middle = (least + most).div_ceil(2);
        if fits(&form(middle)) { least = middle } else { most = middle - 1 }
    }
    form(least)
}

/// Which way a column is sorted.
pub(super) fn sort_arrow(ui: &mut Ui, descending: Option<bool>) {
    let Some(descending) = descending else { return };
    let (rect, _) = ui.allocate_exact_size(egui::vec2(8.0, 8.0), Sense::hover());
    let (base, tip) = if descending { (rect.top(), rect.bottom()) } else { (rect.bottom(), rect.top()) };
    let points = vec![egui::pos2(rect.left(), base), egui::pos2(rect.right(), base), egui::pos2(rect.center().x, tip)];
    let color = ui.tokens().accent;
    ui.painter().add(egui::Shape::convex_polygon(points, color, egui::Stroke::NONE));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_lose_their_middle() {
        let fits = |most: usize| move |text: &str| text.chars().count() <= most;
        assert_eq!(cut("model.layers.17.attention.weight", fits(15)), "model.l….weight");
        assert_eq!(cut("σσσσ", fits(3)), "σ…σ");
        assert_eq!(cut("abcdef", fits(1)), "…");
        assert_eq!(cut("abcdef", fits(0)), "…", "there is always something to point at");
        assert_eq!(cut("", fits(9)), "…");
    }
}
