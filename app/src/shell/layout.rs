//! Which tabs are open and where: a tree of tiles, kept in a file of its own.

use std::collections::BTreeMap;
use std::path::Path;

use egui_tiles::{Container, Tile, TileId, Tree};
use serde::{Deserialize, Serialize};

use crate::shell::home::{Stored, read_stored, write_stored};

/// Version of the file.
const VERSION: u32 = 1;

/// Width and height of the window at the very first start, in points.
pub const FIRST_SIZE: [f32; 2] = [1280.0, 820.0];

/// The tab that lists run folders.
pub const RUNS: &str = "runs";
/// The tab with the settings.
pub const SETTINGS: &str = "settings";

/// A tab, by the id of what it shows. Never data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pane(pub String);

/// All that is remembered of the window.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Layout {
    /// Version of the file.
    pub version: u32,
    /// The tabs.
    pub tree: Tree<Pane>,
    /// The tab that commands go to.
    pub active: String,
    /// Whether the help page is open.
    pub help: bool,
    /// Width and height of the window in points.
    pub window: Option<[f32; 2]>,
    /// What each panel wants to remember.
    pub panels: BTreeMap<String, String>,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            version: VERSION,
            tree: Tree::empty(tree_id()),
            active: String::new(),
            help: false,
            window: None,
            panels: BTreeMap::new(),
        }
    }
}

fn tree_id() -> egui::Id {
    egui::Id::unique("plumb tabs")
}

impl Layout {
    /// Read the file. An unreadable one is put aside and told in a note.
    pub fn load(path: &Path) -> Stored<Self> {
        read_stored(path, |layout: &Self| layout.version <= VERSION, "tabs")
    }

    /// Write the file, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<(), String> {
        write_stored(path, self)
    }

    /// One row of tabs.
    pub fn reset(&mut self, panes: impl Iterator<Item = &'static str>) {
        let panes: Vec<Pane> = panes.map(|id| Pane(id.to_owned())).collect();
        self.active = panes.first().map(|pane| pane.0.clone()).unwrap_or_default();
        self.tree = if panes.is_empty() { Tree::empty(tree_id()) } else { Tree::new_tabs(tree_id(), panes) };
        let first = self.active.clone();
        self.tree.make_active(|_, tile| matches!(tile, Tile::Pane(pane) if pane.0 == first));
    }

    /// Take out tabs that nothing stands behind any more.
    pub fn keep_only(&mut self, known: impl Fn(&str) -> bool) {
        let unknown: Vec<TileId> = self
            .tree
            .tiles
            .iter()
            .filter_map(|(id, tile)| matches!(tile, Tile::Pane(pane) if !known(&pane.0)).then_some(*id))
            .collect();
        for id in unknown {
            self.tree.remove_recursively(id);
        }
    }

    fn find(&self, pane: &str) -> Option<TileId> {
        self.tree
            .tiles
            .iter()
            .filter_map(|(id, tile)| matches!(tile, Tile::Pane(here) if here.0 == pane).then_some(*id))
            .min_by_key(|id| id.0)
    }

    /// Whether any tab is there.
    pub fn has_tabs(&self) -> bool {
        self.tree.tiles.tiles().any(|tile| matches!(tile, Tile::Pane(_)))
    }

    /// Whether the tab is there.
    pub fn is_open(&self, pane: &str) -> bool {
        self.find(pane).is_some()
    }

    /// Bring the tab to the front, opening it beside the others if need be.
    pub fn show(&mut self, pane: &str) {
        if !self.is_open(pane) {
            let id = self.tree.tiles.insert_pane(Pane(pane.to_owned()));
            match self.tabs_of_active() {
                Some(tabs) => self.tree.move_tile_to_container(id, tabs, usize::MAX, false),
                None => match self.tree.root {
                    Some(root) => {
                        let tabs = self.tree.tiles.insert_tab_tile(vec![root, id]);
                        self.tree.root = Some(tabs);
                    }
                    None => self.tree.root = Some(self.tree.tiles.insert_tab_tile(vec![id])),
                },
            }
        }
        self.tree.make_active(|_, tile| matches!(tile, Tile::Pane(here) if here.0 == pane));
        pane.clone_into(&mut self.active);
    }

    fn tabs_of_active(&self) -> Option<TileId> {
        let is_tabs = |id: &TileId| matches!(self.tree.tiles.get(*id), Some(Tile::Container(Container::Tabs(_))));
        let beside = self.find(&self.active).and_then(|id| self.tree.tiles.parent_of(id)).filter(is_tabs);
        beside.or_else(|| self.tree.root.filter(is_tabs))
    }

    /// Close the tab.
    pub fn close(&mut self, pane: &str) {
        if let Some(id) = self.find(pane) {
            self.tree.remove_recursively(id);
        }
    }

    /// Give the commands to the next tab on screen, where the tabs are split.
    pub fn next_row(&mut self) {
        let mut shown = Vec::new();
        if let Some(root) = self.tree.root {
            self.collect(root, &mut shown);
        }
        let visible: Vec<String> = self
            .tree
            .active_tiles()
            .iter()
            .filter_map(|id| self.tree.tiles.get_pane(id))
            .map(|p| p.0.clone())
            .collect();
        shown.retain(|pane| visible.contains(pane));
        let at = shown.iter().position(|pane| *pane == self.active).map_or(0, |at| at + 1);
        if let Some(next) = shown.get(at % shown.len().max(1)) {
            self.active.clone_from(next);
        }
    }

    /// Bring the tab after the active one, in its row of tabs, to the front.
    pub fn next_tab(&mut self) {
        let Some(tabs) = self.tabs_of_active() else { return };
        let Some(Tile::Container(Container::Tabs(row))) = self.tree.tiles.get(tabs) else { return };
        let at = row.children.iter().position(|child| Some(*child) == row.active).map_or(0, |at| at + 1);
        let Some(next) = row.children.get(at % row.children.len().max(1)).copied() else { return };
        self.tree.make_active(|id, _| id == next);
        if let Some(Tile::Pane(pane)) = self.tree.tiles.get(next) {
            self.active = pane.0.clone();
        }
    }

    /// Whether the active tab shares its row with others, so that it can be moved out.
    pub fn can_split(&self) -> bool {
        let row = self.find(&self.active).and_then(|id| self.tree.tiles.parent_of(id));
        row.and_then(|row| self.tree.tiles.get_container(row)).is_some_and(|row| row.num_children() > 1)
    }

    /// Whether there is more than one row of tabs.
    pub fn is_split(&self) -> bool {
        self.tree.tiles.tiles().filter(|tile| matches!(tile, Tile::Container(Container::Tabs(_)))).count() > 1
    }

    /// Move the active tab out of its row: to the right of it, or below.
    pub fn split(&mut self, below: bool) {
        let Some(pane) = self.find(&self.active).filter(|_| self.can_split()) else { return };
        let Some(row) = self.tree.tiles.parent_of(pane) else { return };
        let above = self.tree.tiles.parent_of(row);
        if let Some(Tile::Container(row)) = self.tree.tiles.get_mut(row) {
            row.remove_child(pane);
        }
        let alone = self.tree.tiles.insert_tab_tile(vec![pane]);
        let both = vec![row, alone];
        let tiles = &mut self.tree.tiles;
        let pair = if below { tiles.insert_vertical_tile(both) } else { tiles.insert_horizontal_tile(both) };
        match above.and_then(|above| tiles.get_mut(above)) {
            Some(Tile::Container(Container::Linear(linear))) => {
                linear.children.iter_mut().filter(|child| **child == row).for_each(|child| *child = pair);
            }
            Some(Tile::Container(Container::Tabs(tabs))) => {
                tabs.children.iter_mut().filter(|child| **child == row).for_each(|child| *child = pair);
                if tabs.active == Some(row) {
                    tabs.active = Some(pair);
                }
            }
            Some(Tile::Container(Container::Grid(grid))) => grid.add_child(pair),
            _ => self.tree.root = Some(pair),
        }
        // The row that stays shows one of its tabs; the tab that left keeps the commands.
        if let Some(Tile::Container(Container::Tabs(tabs))) = self.tree.tiles.get_mut(row)
            && tabs.active.is_none_or(|active| !tabs.children.contains(&active))
        {
            tabs.active = tabs.children.first().copied();
        }
    }

    /// All tabs in one row again, in the order in which they stand.
    pub fn join(&mut self) {
        let mut panes = Vec::new();
        if let Some(root) = self.tree.root {
            self.collect(root, &mut panes);
        }
        let active = self.active.clone();
        self.tree = Tree::new_tabs(tree_id(), panes.into_iter().map(Pane).collect());
        self.show(&active);
    }

    fn collect(&self, at: TileId, panes: &mut Vec<String>) {
        match self.tree.tiles.get(at) {
            Some(Tile::Pane(pane)) => panes.push(pane.0.clone()),
            Some(Tile::Container(container)) => container.children().for_each(|child| self.collect(*child, panes)),
            None => {}
        }
    }

    /// The active tab, or a visible one if the active one has gone.
    pub fn settle_active(&mut self) {
        let visible: Vec<&Pane> =
            self.tree.active_tiles().iter().filter_map(|id| self.tree.tiles.get_pane(id)).collect();
        if !visible.iter().any(|pane| pane.0 == self.active) {
            self.active = visible.first().map(|pane| pane.0.clone()).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Layout {
        let mut layout = Layout::default();
        layout.reset(["a", "b"].into_iter());
        layout
    }

    #[test]
    fn tabs_open_close_and_come_back() {
        let mut layout = two();
        assert_eq!(layout.active, "a");
        layout.close("b");
        assert!(!layout.is_open("b"));
        layout.show("b");
        assert!(layout.is_open("b") && layout.active == "b");
        layout.next_tab();
        assert_eq!(layout.active, "a", "after the last comes the first");
        layout.close("a");
        layout.close("b");
        layout.settle_active();
        assert_eq!(layout.active, "");
        layout.show("a");
        assert_eq!(layout.active, "a", "an empty window takes a tab");
    }

    #[test]
    fn the_file_brings_everything_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config/layout.ron");
        let mut layout = two();
        layout.panels.insert("a".to_owned(), "(log: true)".to_owned());
        layout.window = Some([1000.0, 700.0]);
        layout.save(&path).unwrap();
        let stored = Layout::load(&path);
        assert_eq!(stored.note, None);
        assert_eq!(stored.value.tree, layout.tree);
        assert_eq!(stored.value.panels, layout.panels);

        let mut old = stored.value;
        old.keep_only(|id| id == "a");
        assert!(old.is_open("a") && !old.is_open("b"), "a method that has gone takes its tab along");

        std::fs::write(&path, "(version: 99)").unwrap();
        assert!(Layout::load(&path).note.unwrap().contains("newer"));
    }
}
