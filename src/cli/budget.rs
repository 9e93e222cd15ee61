use crate::writ::{Amounts, Cap, Dimension};

/// The budget of a writ that says nothing of it: 200 calls and ten minutes, and nothing that costs money.
pub(super) const DEFAULT: Amounts = Amounts { tokens: 0, tool_calls: 200, usd_millicents: 0, wall_clock_ms: 600_000 };

const USD: u64 = 100_000;

/// A budget as the command line gives it: only what it names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Budget {
    tokens: Option<u64>,
    tool_calls: Option<u64>,
    usd_millicents: Option<u64>,
    wall_clock_ms: Option<u64>,
}

impl Budget {
    /// The whole budget; what was not named is taken from `other`.
    pub(super) fn over(self, other: Amounts) -> Amounts {
        Amounts {
            tokens: self.tokens.unwrap_or(other.tokens),
            tool_calls: self.tool_calls.unwrap_or(other.tool_calls),
            usd_millicents: self.usd_millicents.unwrap_or(other.usd_millicents),
            wall_clock_ms: self.wall_clock_ms.unwrap_or(other.wall_clock_ms),
        }
    }
}

impl From<Budget> for Cap {
    fn from(Budget { tokens, tool_calls, usd_millicents, wall_clock_ms }: Budget) -> Self {
        Self { tokens, tool_calls, usd_millicents, wall_clock_ms }
    }
}

impl std::str::FromStr for Budget {
    type Err = String;

    /// Reads `tool_calls=N,tokens=N,usd=D.CC,seconds=N`, each at most once.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut budget = Self::default();
        for part in text.split(',') {
            let error = |why: &str| format!("`{part}`: {why}");
            let (name, value) = part.split_once('=').ok_or_else(|| error("expected name=amount"))?;
            let number = || value.parse::<u64>().map_err(|_| error("expected a whole number"));
            let (place, amount) = match name.trim() {
                "tool_calls" => (&mut budget.tool_calls, number()?),
                "tokens" => (&mut budget.tokens, number()?),
                "usd" => {
                    (&mut budget.usd_millicents, usd(value).ok_or_else(|| error("expected dollars such as 0.50"))?)
                }
                "seconds" => {
                    let ms = number()?.checked_mul(1_000).ok_or_else(|| error("too large"))?;
                    (&mut budget.wall_clock_ms, ms)
                }
                _ => return Err(error("expected tool_calls, tokens, usd or seconds")),
            };
            if amount > crate::canon::MAX_INTEGER {
                return Err(error("too large"));
            }
            if place.replace(amount).is_some() {
                return Err(error("given twice"));
            }
        }
        Ok(budget)
    }
}

/// Dollars with up to five decimals, in thousandths of a cent.
fn usd(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(());
    digits(whole).and_then(|()| digits(decimals))?;
    let decimals: u64 = (decimals.len() <= 5).then(|| format!("{decimals:0<5}"))?.parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(USD)?.checked_add(decimals)
}

/// Amounts in words, those that are zero left out.
pub(super) fn words(amounts: &Amounts) -> String {
    let Amounts { tokens, tool_calls, usd_millicents, wall_clock_ms } = *amounts;
    let mut parts = Vec::new();
    if tool_calls > 0 {
        parts.push(super::style::count(tool_calls, "call", "calls"));
    }
    if wall_clock_ms > 0 {
        parts.push(duration(wall_clock_ms));
    }
    if tokens > 0 {
        parts.push(super::style::count(tokens, "token", "tokens"));
    }
    if usd_millicents > 0 {
        parts.push(dollars(usd_millicents));
    }
    if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
}

/// A cap in words.
pub(super) fn cap(cap: &Cap) -> String {
    let word = |dimension| {
        let amount = cap.get(dimension)?;
        Some(match dimension {
            Dimension::Tokens => super::style::count(amount, "token", "tokens"),
            Dimension::ToolCalls => super::style::count(amount, "call", "calls"),
            Dimension::UsdMillicents => dollars(amount),
            Dimension::WallClockMs => duration(amount),
        })
    };
    let words: Vec<_> = Dimension::ALL.into_iter().filter_map(word).collect();
    if words.is_empty() { "no cap".into() } else { format!("at most {}", words.join(", ")) }
}

/// What was spent of a budget, in words.
pub(super) fn spent_of(spent: &Amounts, budget: &Amounts) -> String {
    let mut parts = Vec::new();
    for (spent, granted, text) in [
        (spent.tool_calls, budget.tool_calls, format!("{} of {} calls", spent.tool_calls, budget.tool_calls)),
        (
            spent.wall_clock_ms,
            budget.wall_clock_ms,
            format!("{} of {}", duration(spent.wall_clock_ms), duration(budget.wall_clock_ms)),
        ),
        (spent.tokens, budget.tokens, format!("{} of {} tokens", spent.tokens, budget.tokens)),
        (
            spent.usd_millicents,
            budget.usd_millicents,
            format!("{} of {}", dollars(spent.usd_millicents), dollars(budget.usd_millicents)),
        ),
    ] {
        if spent > 0 || granted > 0 {
            parts.push(text);
        }
    }
    if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
}

fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ if ms.is_multiple_of(60_000) => format!("{} min", ms / 60_000),
        _ => format!("{}.{} min", ms / 60_000, ms % 60_000 / 6_000),
    }
}

fn dollars(millicents: u64) -> String {
    let decimals = format!("{:05}", millicents % USD);
    let (cents, rest) = decimals.split_at(2);
    format!("{}.{cents}{} USD", millicents / USD, rest.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_names_what_it_limits() {
        let budget: Budget = "tool_calls=5,usd=0.50,seconds=90".parse().unwrap();
        let whole = budget.over(DEFAULT);
        assert_eq!(whole, Amounts { tokens: 0, tool_calls: 5, usd_millicents: 50_000, wall_clock_ms: 90_000 });
        assert_eq!(words(&whole), "5 calls, 90.0 s, 0.50 USD");
        assert_eq!(usd("1.00001"), Some(100_001));
        assert_eq!(dollars(100_001), "1.00001 USD");
        assert_eq!(
            (cap(&budget.into()), cap(&Cap::NONE)),
            ("at most 5 calls, 0.50 USD, 90.0 s".into(), "no cap".into())
        );
        for wrong in ["", "tool_calls", "calls=1", "usd=1.000001", "usd=.5", "usd=+1", "tokens=-1", "tokens=1,tokens=1"]
        {
            assert!(wrong.parse::<Budget>().is_err(), "{wrong}");
        }
    }
}
