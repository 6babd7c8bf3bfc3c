//! Pairs of moderators: how often two of them judged the same case differently.

use egui::{Align2, Rect, RichText, Role, Sense, Ui, WidgetInfo, pos2, vec2};
use plumb_moderate::explore::Explored;

use crate::theme::{UiExt as _, semibold};
use crate::widgets::colormap::ColorMap;
use crate::widgets::format;

/// Most moderators the matrix has room for.
const MOST: usize = 16;

/// Draw the matrix.
pub fn ui(ui: &mut Ui, explored: &Explored) {
    let tokens = ui.tokens();
    ui.label(semibold("Pairs of moderators").color(tokens.text_strong));
    let mut order: Vec<usize> = (0..explored.moderators.len()).collect();
    order.sort_by_key(|who| std::cmp::Reverse(explored.moderators[*who].cases));
    order.truncate(MOST);
    order.sort_unstable();
    let left_out = explored.moderators.len().saturating_sub(order.len());
    let names: Vec<String> = order.iter().map(|who| explored.moderators[*who].moderator.clone()).collect();
    let width = ui.available_width();
    let label = 84.0_f32.min(width * 0.3);
    let cell = ((width - label - 64.0) / order.len().max(1) as f32).clamp(14.0, 40.0);
    let height = 18.0 + cell * order.len() as f32;
    let (rect, response) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
    let small = egui::TextStyle::Small.resolve(ui.style());
    let stops = ColorMap::Sequential.stops(tokens);
    let share = |a: usize, b: usize| {
        let pair = explored.pairs.iter().find(|pair| pair.who == [a.min(b), a.max(b)])?;
        Some((pair.differ as f64 / pair.cases.max(1) as f64, pair.cases))
    };
    let most = explored.pairs.iter().filter(|pair| pair.cases >= 5).map(|pair| pair.differ as f64 / pair.cases as f64);
    let most = most.fold(0.05, f64::max);
    let at = |row: usize, column: usize| {
        let corner = pos2(rect.left() + label + cell * column as f32, rect.top() + 18.0 + cell * row as f32);
        Rect::from_min_size(corner, vec2(cell, cell)).shrink(1.0)
    };
    let painter = ui.painter_at(rect);
    for (row, a) in order.iter().enumerate() {
        let votes = &explored.moderators[*a];
        let short: String = names[row].chars().take(11).collect();
        painter.text(
            at(row, 0).left_center() - vec2(6.0, 0.0),
            Align2::RIGHT_CENTER,
            short,
            small.clone(),
            tokens.text,
        );
        let short: String = names[row].chars().take((cell / 6.5) as usize).collect();
        painter.text(
            at(0, row).center_top() - vec2(0.0, 8.0),
            Align2::CENTER_CENTER,
            short,
            small.clone(),
            tokens.text_weak,
        );
        for (column, b) in order.iter().enumerate() {
            let place = at(row, column);
            match share(*a, *b).filter(|_| a != b) {
                Some((share, _)) => {
                    let color = ColorMap::color(&stops, [0.0, most as f32], share as f32);
                    painter.rect_filled(place, 2, color);
                }
                None => {
                    painter.rect_stroke(place, 2, (1.0, tokens.border), egui::StrokeKind::Inside);
                }
            }
        }
        let removed = format!("{:.0} %", 100.0 * votes.removed as f64 / votes.cases.max(1) as f64);
        let right = at(row, order.len().saturating_sub(1)).right_center() + vec2(6.0, 0.0);
        painter.text(right, Align2::LEFT_CENTER, removed, small.clone(), tokens.text_weak);
    }
    let worst = explored
        .pairs
        .iter()
        .filter(|pair| pair.cases >= 5)
        .max_by(|a, b| (a.differ * b.cases).cmp(&(b.differ * a.cases)));
    let said = worst.map_or_else(
        || "No two moderators have judged five cases in common yet.".to_owned(),
        |pair| {
            let name = |place: usize| explored.moderators[pair.who[place]].moderator.as_str();
            format!(
                "Most often of different minds: {} and {}, on {} of {} cases.",
                name(0),
                name(1),
                pair.differ,
                pair.cases
            )
        },
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("Pairs of moderators. {said}")));
    let hovered = response.hover_pos().and_then(|pointer| {
        let row = ((pointer.y - rect.top() - 18.0) / cell).floor();
        let column = ((pointer.x - rect.left() - label) / cell).floor();
        let (a, b) = (order.get(row as usize)?, order.get(column as usize)?);
        (row >= 0.0 && column >= 0.0 && a != b).then_some((*a, *b))
    });
    if let Some((a, b)) = hovered {
        let name = |who: usize| explored.moderators[who].moderator.as_str();
        let text = match share(a, b) {
            Some((share, cases)) => {
                format!("{} and {}: {} of {cases} cases judged differently", name(a), name(b), format::percent(share))
            }
            None => format!("{} and {} have no case in common", name(a), name(b)),
        };
        response.on_hover_text_at_pointer(text);
    }
    ui.label(RichText::new(said).small().color(tokens.text_weak));
    let rest = match left_out {
        0 => String::new(),
        more => format!(" The {more} with fewest cases are left out."),
    };
    let text = format!("At the right: the share that each removed.{rest}");
    ui.label(RichText::new(text).small().color(tokens.text_weak));
}
