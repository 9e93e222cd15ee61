use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A moment in RFC 3339, UTC, whole seconds.
pub(super) fn rfc3339(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01 of the proleptic Gregorian calendar; an era has 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A span in words, in its largest unit.
pub(super) fn words(ms: u64) -> String {
    let units = [(86_400_000, "days"), (3_600_000, "hours"), (60_000, "minutes")];
    let unit = units.into_iter().find(|(unit, _)| ms >= 2 * unit);
    unit.map_or_else(|| format!("{} seconds", ms / 1_000), |(unit, name)| format!("{} {name}", ms / unit))
}

/// Reads a span such as `90s`, `15m`, `1h` or `7d`, in milliseconds.
pub(super) fn span_ms(text: &str) -> Result<u64, String> {
    let error = || format!("`{text}` is not a span of time: expected a number and s, m, h or d, such as 1h");
    let unit = text.chars().last().ok_or_else(error)?;
    let ms: u64 = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return Err(error()),
    };
    let number: u64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(error)?;
    number.checked_mul(ms).filter(|ms| (1..=crate::canon::MAX_INTEGER / 2).contains(ms)).ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_in_utc() {
        for (seconds, told) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds * 1_000), told);
        }
    }

    #[test]
    fn spans_have_a_number_and_a_unit() {
        assert_eq!(span_ms("90s"), Ok(90_000));
        assert_eq!(span_ms("1h"), Ok(3_600_000));
        for wrong in ["", "h", "1", "1y", "0s", "-1s", "1.5h", "99999999999999d", "1ä"] {
            assert!(span_ms(wrong).is_err(), "{wrong}");
        }
    }
}
