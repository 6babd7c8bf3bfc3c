//! The tabs and what stands in them.

use egui::{Color32, Response, Rgba, Stroke, Ui, Visuals, WidgetText};
use egui_tiles::{Behavior, SimplificationOptions, TabState, Tile, TileId, Tiles, UiResponse};

use super::{Contents, Workbench};
use crate::shell::layout::{Pane, RUNS, SETTINGS};
use crate::theme::{Tokens, UiExt as _};
use crate::widgets::status;

struct View<'a> {
    contents: &'a mut Contents,
    active: &'a mut String,
    /// The tab in front gets the keyboard.
    focus: &'a mut bool,
    tokens: &'static Tokens,
}

impl Workbench {
    pub(super) fn tabs(&mut self, ui: &mut Ui) {
        let tokens = ui.tokens();
        if !self.layout.has_tabs() {
            if status::empty(ui, "No tab is open", "Tabs are listed under View.", Some("Put the tabs back")) {
                self.contents.shared.commands.push(crate::shell::commands::RESET_LAYOUT);
            }
            return;
        }
        let (contents, active, focus) = (&mut self.contents, &mut self.layout.active, &mut self.focus_tab);
        let mut view = View { contents, active, focus, tokens };
        self.layout.tree.ui(&mut view, ui);
    }

    /// Name of a tab.
    pub(super) fn title(&self, pane: &str) -> &'static str {
        title(&self.contents, pane)
    }
}

fn title(contents: &Contents, pane: &str) -> &'static str {
    match pane {
        RUNS => "Runs",
        SETTINGS => "Settings",
        _ => contents.panels.iter().find(|panel| panel.id() == pane).map_or("", |panel| panel.title()),
    }
}

impl Behavior<Pane> for View<'_> {
    fn pane_ui(&mut self, ui: &mut Ui, _tile: TileId, pane: &mut Pane) -> UiResponse {
        let area = ui.max_rect();
        let pressed = ui.input(|input| {
            input.pointer.any_pressed() && input.pointer.interact_pos().is_some_and(|at| area.contains(at))
        });
        if pressed
            && ui.ctx().layer_id_at(ui.input(|i| i.pointer.interact_pos()).unwrap_or_default()) == Some(ui.layer_id())
        {
            self.active.clone_from(&pane.0);
        }
        let contents = &mut *self.contents;
        ui.push_id(("pane", &pane.0), |ui| match pane.0.as_str() {
            RUNS => contents.runs.ui(ui, &mut contents.shared),
            SETTINGS => contents.settings_page.ui(ui, &mut contents.shared),
            id => {
                if let Some(panel) = contents.panels.iter_mut().find(|panel| panel.id() == id) {
                    panel.ui(ui, &mut contents.shared.cx());
                }
            }
        });
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> WidgetText {
        title(self.contents, &pane.0).into()
    }

    fn tab_title_for_tile(&mut self, tiles: &Tiles<Pane>, tile: TileId) -> WidgetText {
        match tiles.get(tile) {
            Some(Tile::Pane(pane)) => title(self.contents, &pane.0).into(),
            _ => "Group".into(),
        }
    }

    fn on_tab_button(&mut self, tiles: &mut Tiles<Pane>, tile: TileId, response: Response) -> Response {
        if response.clicked()
            && let Some(pane) = tiles.get_pane(&tile)
        {
            self.active.clone_from(&pane.0);
        }
        let in_front = matches!(tiles.get_pane(&tile), Some(pane) if pane.0 == *self.active);
        let painter = response.ctx.layer_painter(response.layer_id).with_clip_rect(response.rect);
        if in_front && std::mem::take(self.focus) {
            response.request_focus();
        }
        if in_front {
            let line = response.rect.with_max_y(response.rect.top() + 2.0);
            painter.rect_filled(line, 0.0, self.tokens.accent);
        }
        response
    }

    fn is_tab_closable(&self, _tiles: &Tiles<Pane>, _tile: TileId) -> bool {
        true
    }

    fn close_button_outer_size(&self) -> f32 {
        14.0
    }

    fn close_button_inner_margin(&self) -> f32 {
        4.0
    }

    fn tab_bar_height(&self, _style: &egui::Style) -> f32 {
        32.0
    }

    fn tab_title_spacing(&self, _visuals: &Visuals) -> f32 {
        12.0
    }

    fn min_size(&self) -> f32 {
        160.0
    }

    fn tab_bar_color(&self, _visuals: &Visuals) -> Color32 {
        self.tokens.surface_sunken
    }

    fn tab_bg_color(&self, _visuals: &Visuals, _tiles: &Tiles<Pane>, _tile: TileId, state: &TabState) -> Color32 {
        if state.active { self.tokens.surface } else { Color32::TRANSPARENT }
    }

    fn tab_outline_stroke(&self, _visuals: &Visuals, _tiles: &Tiles<Pane>, _tile: TileId, state: &TabState) -> Stroke {
        if state.active { Stroke::new(1.0, self.tokens.border) } else { Stroke::NONE }
    }

    fn tab_bar_hline_stroke(&self, _visuals: &Visuals) -> Stroke {
        Stroke::new(1.0, self.tokens.border)
    }

    fn tab_text_color(&self, _visuals: &Visuals, _tiles: &Tiles<Pane>, _tile: TileId, state: &TabState) -> Color32 {
        if state.active { self.tokens.text_strong } else { self.tokens.text_weak }
    }

    fn resize_stroke(&self, _style: &egui::Style, state: egui_tiles::ResizeState) -> Stroke {
        match state {
            egui_tiles::ResizeState::Idle => Stroke::new(1.0, self.tokens.border),
            egui_tiles::ResizeState::Hovering => Stroke::new(2.0, self.tokens.border_strong),
            egui_tiles::ResizeState::Dragging => Stroke::new(2.0, self.tokens.accent),
        }
    }

    fn dragged_overlay_color(&self, _visuals: &Visuals) -> Color32 {
        self.tokens.backdrop
    }

    fn drag_preview_stroke(&self, _visuals: &Visuals) -> Stroke {
        Stroke::new(1.0, self.tokens.accent)
    }

    fn drag_preview_color(&self, _visuals: &Visuals) -> Color32 {
        (Rgba::from(self.tokens.accent) * 0.25).into()
    }

    fn simplification_options(&self) -> SimplificationOptions {
        SimplificationOptions { all_panes_must_have_tabs: true, ..SimplificationOptions::default() }
    }
}
