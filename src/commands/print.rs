//! Text for people: columns, colours on a terminal alone, and an end when nobody reads on.

use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

pub const PLAIN: Style = Style::new();
pub const BOLD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();
pub const GOOD: Style = AnsiColor::Green.on_default();
pub const WARN: Style = AnsiColor::Yellow.on_default();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Narrower than this no text is wrapped: it would be one word a line.
const NARROWEST: usize = 40;
const GAP: &str = "  ";

/// To standard output; colours only on a terminal, and not if `NO_COLOR` is set.
pub fn show(text: &str) {
    // Whoever reads may stop reading: `| head` is no fault.
    let _ = anstream::stdout().lock().write_all(text.as_bytes());
}

pub fn painted(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Columns of the terminal; `None` where there is none, and nothing is wrapped.
pub fn width() -> Option<usize> {
    let out = std::io::stdout();
    if !out.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(out).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Rows of the terminal.
pub fn height() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_row)).filter(|rows| *rows > 0)
}

/// What came from a miner, a pool or a file, without what a terminal would obey.
pub fn clean(text: &str) -> String {
    let plain = |c: char| match c.is_control() {
        true => '\u{fffd}',
        false => c,
    };
    text.chars().map(plain).collect()
}

/// Lines of at most so many characters, cut between words where there are some.
pub fn wrapped(text: &str, width: Option<usize>, indent: usize) -> String {
    let room = width
        .unwrap_or(usize::MAX)
        .max(NARROWEST)
        .saturating_sub(indent);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > room {
            lines.push(String::new());
            used = 0;
        }
        let Some(line) = lines.last_mut() else { break };
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

pub struct Cell {
    text: String,
    style: Style,
    is_figure: bool,
}

pub fn text(text: impl AsRef<str>) -> Cell {
    Cell {
        text: clean(text.as_ref()),
        style: PLAIN,
        is_figure: false,
    }
}

/// To the right of its column.
pub fn figure(text: impl ToString) -> Cell {
    Cell {
        text: text.to_string(),
        style: PLAIN,
        is_figure: true,
    }
}

impl Cell {
    pub fn painted(mut self, style: Style) -> Self {
        self.style = style;
        self
    }
}

/// Columns as wide as what stands in them; the last one is wrapped.
pub struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub fn new(heads: &[&'static str]) -> Self {
        Self {
            heads: heads.to_vec(),
            rows: Vec::new(),
        }
    }

    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    pub fn draw(&self, width: Option<usize>, indent: usize) -> String {
        let widths = self.widths();
        let last = widths.len().saturating_sub(1);
        let before: usize = widths.iter().take(last).map(|wide| wide + GAP.len()).sum();
        let before = before + indent;
        let margin = " ".repeat(indent);
        let mut out = margin.clone();
        let is_figure = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let mut cells = cells.peekable();
            cells.peek().is_some_and(|cell| cell.is_figure)
        };
        for (column, (head, wide)) in self.heads.iter().zip(&widths).enumerate() {
            let pad = wide.saturating_sub(head.chars().count());
            push(
                &mut out,
                &painted(BOLD, head),
                pad,
                is_figure(column),
                column == last,
            );
        }
        trim(&mut out);
        for row in &self.rows {
            out.push_str(&margin);
            for (column, (cell, wide)) in row.iter().zip(&widths).enumerate() {
                let shown = match (column == last && !cell.is_figure, width) {
                    (true, Some(_)) => wrapped(&cell.text, width, before),
                    (true, None) | (false, _) => cell.text.clone(),
                };
                let pad = wide.saturating_sub(cell.text.chars().count());
                let shown = painted(cell.style, &shown);
                push(&mut out, &shown, pad, cell.is_figure, column == last);
            }
            trim(&mut out);
        }
        out
    }

    fn widths(&self) -> Vec<usize> {
        let wide = |(column, head): (usize, &&str)| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let cells = cells.map(|cell| cell.text.chars().count());
            cells.chain([head.chars().count()]).max().unwrap_or(0)
        };
        self.heads.iter().enumerate().map(wide).collect()
    }
}

fn push(out: &mut String, shown: &str, pad: usize, is_figure: bool, is_last: bool) {
    let pad = " ".repeat(pad);
    // Writing into a String cannot fail.
    let _ = match (is_figure, is_last) {
        (true, true) => write!(out, "{pad}{shown}"),
        (true, false) => write!(out, "{pad}{shown}{GAP}"),
        (false, true) => write!(out, "{shown}"),
        (false, false) => write!(out, "{shown}{pad}{GAP}"),
    };
}

fn trim(out: &mut String) {
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["POOL", "MINERS", "WHY"]);
        table.row(vec![
            text("a"),
            figure(5),
            text("one two three four five six seven"),
        ]);
        table.row(vec![text("pool-b"), figure(1200), text("x\u{1b}[2J")]);
        table
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn columns_stand_under_their_heads_and_figures_to_the_right() {
        assert_eq!(
            plain(&table().draw(None, 0)),
            "POOL    MINERS  WHY\n\
             a            5  one two three four five six seven\n\
             pool-b    1200  x\u{fffd}[2J\n"
        );
    }

    #[test]
    fn on_a_narrow_terminal_the_last_column_goes_on_below_itself() {
        assert_eq!(
            plain(&table().draw(Some(40), 2)),
            "  POOL    MINERS  WHY\n\
            \x20 a            5  one two three four\n\
            \x20                 five six seven\n\
            \x20 pool-b    1200  x\u{fffd}[2J\n"
        );
    }
}
