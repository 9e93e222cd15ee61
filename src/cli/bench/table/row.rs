use serde_json::{Value, json};

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds.
    Nanos,
    /// Seconds.
    Seconds,
    /// How often in a second.
    PerSecond,
    /// Bytes.
    Bytes,
    /// Packages.
    Packages,
}

/// What a figure has to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// The figure is at most this.
    Most(f64),
    /// The figure is at least this.
    Least(f64),
    /// The figure is at most this many times its floor.
    MostTimes(f64),
    /// The figure is at least this many times its floor.
    LeastTimes(f64),
}

/// One figure of the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) name: String,
    /// What the figure and its floor count.
    pub(crate) unit: Unit,
    /// The figure.
    pub(crate) figure: f64,
    /// The floor, and what it is made of.
    pub(crate) floor: Option<(f64, &'static str)>,
    /// What it has to reach; nothing where the figure is only told.
    pub(crate) target: Option<Target>,
}

impl Row {
    /// The figure in floors.
    fn ratio(&self) -> Option<f64> {
        self.floor.map(|(floor, _)| self.figure / floor)
    }

    /// Whether the target is met.
    fn met(&self) -> Option<bool> {
        let ratio = self.ratio().unwrap_or(f64::NAN);
        Some(match self.target? {
            Target::Most(most) => self.figure <= most,
            Target::Least(least) => self.figure >= least,
            Target::MostTimes(most) => ratio <= most,
            Target::LeastTimes(least) => ratio >= least,
        })
    }

    fn target_text(&self) -> String {
        match self.target {
            None => "–".into(),
            Some(Target::Most(most)) => format!("≤ {}", text(self.unit, most)),
            Some(Target::Least(least)) => format!("≥ {}", text(self.unit, least)),
            Some(Target::MostTimes(most)) => format!("≤ {most}×"),
            Some(Target::LeastTimes(least)) => format!("≥ {least}×"),
        }
    }

    fn verdict(&self) -> &'static str {
        match self.met() {
            None => "",
            Some(true) => "met",
            Some(false) => "MISSED",
        }
    }
}

/// The names of the columns, as wide as [`line`] writes them.
pub(crate) fn head() -> String {
    columns(["", "figure", "floor", "ratio", "target", "", "what the floor is"])
}

/// A row as a line of text.
pub(crate) fn line(row: &Row) -> String {
    let (floor, of) = match row.floor {
        Some((floor, of)) => (text(row.unit, floor), of),
        None => ("–".into(), ""),
    };
    let ratio = row.ratio().map_or("–".into(), |ratio| format!("{}×", three_digits(ratio)));
    columns([&row.name, &text(row.unit, row.figure), &floor, &ratio, &row.target_text(), row.verdict(), of])
}

fn columns([name, figure, floor, ratio, target, verdict, of]: [&str; 7]) -> String {
    let line = format!("{name:<62}{figure:>11}{floor:>12}{ratio:>8}{target:>14}  {verdict:<6}  {of}");
    line.trim_end().to_owned()
}

/// A row for machines: figures in full, in the unit that it names.
pub(crate) fn json(row: &Row) -> Value {
    let (of, kind, limit) = match row.target {
        None => return with_floor(row, json!({})),
        Some(Target::Most(most)) => ("figure", "at_most", most),
        Some(Target::Least(least)) => ("figure", "at_least", least),
        Some(Target::MostTimes(most)) => ("ratio", "at_most", most),
        Some(Target::LeastTimes(least)) => ("ratio", "at_least", least),
    };
    with_floor(row, json!({"target": {"of": of, kind: limit}, "met": row.met()}))
}

fn with_floor(row: &Row, mut object: Value) -> Value {
    let unit = match row.unit {
        Unit::Nanos => "ns",
        Unit::Seconds => "s",
        Unit::PerSecond => "per_s",
        Unit::Bytes => "bytes",
        Unit::Packages => "packages",
    };
    if let Some(members) = object.as_object_mut() {
        members.extend([("name".into(), json!(row.name)), ("unit".into(), json!(unit))]);
        members.insert("figure".into(), json!(row.figure));
        if let Some((floor, of)) = row.floor {
            let floor = [("floor", json!(floor)), ("floor_is", json!(of)), ("ratio", json!(row.ratio()))];
            members.extend(floor.map(|(name, value)| (name.to_owned(), value)));
        }
    }
    object
}

fn text(unit: Unit, number: f64) -> String {
    let scaled = |steps: &[(f64, &str)]| {
        let (size, name) =
            steps.iter().rfind(|(size, _)| number >= *size).or(steps.first()).copied().unwrap_or((1.0, ""));
        format!("{} {name}", three_digits(number / size)).trim_end().to_owned()
    };
    match unit {
        Unit::Nanos => scaled(&[(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")]),
        Unit::Seconds => scaled(&[(1.0, "s")]),
        Unit::PerSecond => scaled(&[(1.0, "/s"), (1e3, "k/s"), (1e6, "M/s")]),
        Unit::Bytes => scaled(&[(1.0, "B"), (1e3, "kB"), (1e6, "MB")]),
        Unit::Packages => scaled(&[(1.0, "")]),
    }
}

/// Three digits, and no zeros behind the point that say nothing.
fn three_digits(number: f64) -> String {
    let decimals = match number {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    let text = format!("{number:.decimals$}");
    if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}
