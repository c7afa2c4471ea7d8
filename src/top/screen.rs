//! The screen: figures above, the chosen table below.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Style, Stylize};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Row, Table as Widget, Tabs};

use super::keys::Choice;
use super::look::Look;
use super::tables::Table;

/// What the keys do.
const KEYS: &str = "q quit   left, right: another table   up, down: further rows";

/// Draws what was seen last; `trouble` is why it is not new.
pub(super) fn draw(frame: &mut Frame<'_>, place: &str, look: &Look, trouble: Option<&str>, choice: &Choice) {
    let state = look.state();
    let title = Line::from(format!("sophie top  {place}  {state}")).bold();
    let title = if state == "ready" { title } else { title.red() };
    let mut head = vec![title, look.counts().into(), look.spent().into(), look.depends_on().into()];
    head.extend(trouble.map(|trouble| Line::from(trouble.to_owned()).red()));
    let height = u16::try_from(head.len()).unwrap_or(u16::MAX);
    let parts = [Constraint::Length(height), Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)];
    let [above, tabs, table, keys] = Layout::vertical(parts).areas(frame.area());
    frame.render_widget(Text::from(head), above);
    let chosen = Table::ALL.iter().position(|table| *table == choice.table);
    frame.render_widget(
        Tabs::new(Table::ALL.map(Table::title)).select(chosen).highlight_style(Style::new().reversed()),
        tabs,
    );
    frame.render_widget(rows_of(look, choice), table);
    frame.render_widget(Line::from(KEYS).dim(), keys);
}

fn rows_of(look: &Look, choice: &Choice) -> Widget<'static> {
    let columns = choice.table.columns();
    let rows = choice.table.rows(look);
    // The last row stays in sight.
    let first = choice.row.min(rows.len().saturating_sub(1));
    let widths = columns.iter().enumerate().map(|(at, name)| {
        let longest = rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0).max(name.len());
        // What is long (an error, a name) gets what is left.
        if longest > 24 { Constraint::Fill(1) } else { Constraint::Length(u16::try_from(longest).unwrap_or(24)) }
    });
    let widths: Vec<Constraint> = widths.collect();
    let shown = rows.into_iter().skip(first).map(Row::new);
    Widget::new(shown, widths).column_spacing(2).header(Row::new(columns.iter().copied()).bold())
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;

    use super::*;
    use crate::top::figures::Figures;

    fn drawn(look: &Look, trouble: Option<&str>, choice: &Choice) -> String {
        let mut terminal = Terminal::new(TestBackend::new(80, 12)).unwrap();
        terminal.draw(|frame| draw(frame, "http://127.0.0.1:1", look, trouble, choice)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn figures_stand_above_the_chosen_table() {
        let look = Look {
            figures: Figures::read(
                "sophie_sockets 7\nsophie_answers_running 2\nsophie_degraded{dependency=\"cache\"} 1\n",
            ),
            ready: json!({"status": "ready"}),
            usage: json!({"currency": "USD", "total": {"prompt_tokens": 10, "completion_tokens": 5, "cost": 0.5}}),
            cache: json!({"hits": 1, "misses": 3, "coalesced": 0}),
            groups: json!({"groups": [{"name": "team-7", "members": 3}]}),
            ..Look::default()
        };
        let screen = drawn(&look, None, &Choice::default());
        for words in [
            "1  ready",
            "sockets 7",
            "answers 2",
            "tokens 15",
            "0.50 USD",
            "hit rate 25%",
            "degraded cache",
            "team-7",
            "q quit",
        ] {
            assert!(screen.contains(words), "{words}\n{screen}");
        }
        let nodes = drawn(&look, None, &Choice { table: Table::Nodes, row: 5 });
        assert!(nodes.contains("version") && !nodes.contains("team-7"), "{nodes}");
    }

    #[test]
    fn a_node_that_drains_or_is_away_says_so() {
        let ready = json!({"status": "not_ready", "reasons": ["this node is draining"]});
        let screen = drawn(&Look { ready, ..Look::default() }, Some("no node answers"), &Choice::default());
        assert!(screen.contains("not ready: this node is draining") && screen.contains("no node answers"), "{screen}");
    }
}
