use std::{
    fmt::Display,
    io::{self, Stdout, Write},
};

use anstream::AutoStream;
use serde_json::Value;

use super::{
    failure::{Done, Failure},
    style::{BOLD, DIM, fit, json, pad, paint},
};
use unicode_width::UnicodeWidthStr;

/// Columns where nobody looks at a terminal.
const PIPED: usize = 120;
const NARROWEST: usize = 40;
const INDENT: &str = "  ";

/// Standard output. A reader that has gone away ends the output, not the command.
pub(super) struct Out {
    stream: AutoStream<Stdout>,
    width: usize,
    /// How far lines are moved in.
    depth: usize,
    error: Option<io::Error>,
}

impl Out {
    pub(super) fn new() -> Self {
        let terminal = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
        Self {
            stream: AutoStream::auto(io::stdout()),
            width: terminal.unwrap_or(PIPED).max(NARROWEST),
            depth: 0,
            error: None,
        }
    }

    /// How many columns a line has.
    pub(super) fn width(&self) -> usize {
        self.width.saturating_sub(INDENT.len() * self.depth).max(NARROWEST)
    }

    /// Writes lines so far moved in.
    pub(super) fn indented(&mut self, depth: usize, write: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.depth, depth);
        write(self);
        self.depth = before;
    }

    pub(super) fn line(&mut self, text: impl Display) {
        if self.error.is_none() {
            let indent = INDENT.repeat(self.depth);
            self.error = writeln!(self.stream, "{indent}{text}").err();
        }
    }

    pub(super) fn json(&mut self, value: &Value) {
        self.line(json(value));
    }

    /// A name and what it stands for.
    pub(super) fn field(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("  {} {value}", paint(DIM, pad(name, 10))));
    }

    /// A name and what it stands for, below an entry.
    pub(super) fn detail(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("     {} {value}", paint(DIM, pad(name, 9))));
    }

    /// Rows below their headers, as wide as they need to be; the last column takes what is left of the line.
    pub(super) fn table(&mut self, headers: &[&str], rows: &[Vec<String>]) {
        let widths: Vec<usize> = headers
            .iter()
            .enumerate()
            .map(|(column, header)| {
                let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width());
                cells.max().unwrap_or(0).max(header.width())
            })
            .collect();
        let last = headers.len().saturating_sub(1);
        let before: usize = widths.iter().take(last).map(|width| width + 2).sum();
        let left = self.width.saturating_sub(before).max(12);
        let layout = |cells: &mut dyn Iterator<Item = &str>| {
            let cells = cells.zip(&widths).enumerate();
            let cells = cells.map(
                |(column, (cell, width))| {
                    if column == last { fit(cell, left) } else { pad(cell, width + 2) }
                },
            );
            cells.collect::<String>()
        };
        let head = layout(&mut headers.iter().copied());
        self.line(paint(BOLD, head.trim_end()));
        for row in rows {
            let row = layout(&mut row.iter().map(String::as_str));
            self.line(row.trim_end());
        }
    }

    /// Ends the output.
    pub(super) fn finish(mut self) -> Done {
        let error = self.error.take().or_else(|| self.stream.flush().err());
        match error {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::failed(format_args!("writing the output: {error}")))
            }
            _ => Ok(()),
        }
    }
}
