//! Figures side by side: a row for what is measured, a column for each that it is measured of.

use std::fmt;

struct Row {
    what: String,
    aim: &'static str,
    /// By column.
    figures: Vec<(String, String)>,
}

/// A table that grows by figures.
#[derive(Default)]
pub(crate) struct Comparison {
    columns: Vec<String>,
    rows: Vec<Row>,
}

impl Comparison {
    pub(crate) fn add(&mut self, what: String, column: &str, figure: String, aim: &'static str) {
        if !self.columns.iter().any(|known| known == column) {
            self.columns.push(column.to_owned());
        }
        match self.rows.iter_mut().find(|row| row.what == what) {
            Some(row) => row.figures.push((column.to_owned(), figure)),
            None => self.rows.push(Row { what, aim, figures: vec![(column.to_owned(), figure)] }),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | {} | aim |", self.columns.join(" | "))?;
        writeln!(f, "| --- |{} --- |", " --- |".repeat(self.columns.len()))?;
        for Row { what, aim, figures } in &self.rows {
            write!(f, "| {what} |")?;
            for column in &self.columns {
                let figure = figures.iter().find(|(of, _)| of == column);
                write!(f, " {} |", figure.map_or("", |(_, figure)| figure))?;
            }
            writeln!(f, " {aim} |")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_one_thing_stand_in_one_row() {
        let mut table = Comparison::default();
        table.add("sockets".into(), "ours", "9".into(), "≤ 10");
        table.add("rooms".into(), "ours", "1".into(), "");
        table.add("sockets".into(), "theirs", "20".into(), "≤ 10");
        let lines: Vec<_> = table.to_string().lines().map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "| what | ours | theirs | aim |",
                "| --- | --- | --- | --- |",
                "| sockets | 9 | 20 | ≤ 10 |",
                "| rooms | 1 |  |  |",
            ]
        );
    }
}
