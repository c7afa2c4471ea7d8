//! What is chosen by keys: a table, and where in it.

use std::ops::ControlFlow;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::tables::Table;

/// What is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// The table.
    pub(super) table: Table,
    /// The first row that is shown.
    pub(super) row: usize,
}

impl Choice {
    /// Takes a key. Breaks if it is the last one.
    pub(super) fn press(&mut self, key: KeyEvent) -> ControlFlow<()> {
        if key.kind == KeyEventKind::Release {
            return ControlFlow::Continue(());
        }
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return ControlFlow::Break(()),
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return ControlFlow::Break(()),
            KeyCode::Right | KeyCode::Tab => self.turn(1),
            KeyCode::Left | KeyCode::BackTab => self.turn(Table::ALL.len() - 1),
            KeyCode::Down => self.row += 1,
            KeyCode::Up => self.row = self.row.saturating_sub(1),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn turn(&mut self, by: usize) {
        let at = Table::ALL.iter().position(|table| *table == self.table).unwrap_or(0);
        *self = Self { table: Table::ALL[(at + by) % Table::ALL.len()], row: 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_choose_and_q_ends() {
        let mut choice = Choice::default();
        let mut press = |code| choice.press(KeyEvent::new(code, KeyModifiers::NONE)).is_break();
        assert!(!press(KeyCode::Right) && !press(KeyCode::Down) && !press(KeyCode::Char('c')));
        assert!(press(KeyCode::Char('q')) && press(KeyCode::Esc));
        assert_eq!(choice, Choice { table: Table::Answers, row: 1 });
        _ = choice.press(KeyEvent::new(KeyCode::Left, KeyModifiers::NONE));
        _ = choice.press(KeyEvent::new(KeyCode::Left, KeyModifiers::NONE));
        assert_eq!(choice, Choice { table: Table::Nodes, row: 0 });
        assert!(choice.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)).is_break());
    }
}
