//! Quoting of foreign text: what files say goes into the answer, and must not act there.

/// One line of at most `limit` characters, without control and direction-changing characters.
pub(super) fn line(text: &str, limit: usize) -> String {
    let kept: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !acts(*c)).collect();
    let joined = kept.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if joined.chars().count() <= limit {
        return joined;
    }
    joined.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

/// The same, as a code span.
pub(super) fn code(text: &str) -> String {
    format!("`{}`", line(text, 120).replace('`', "'"))
}

/// `1 file`, `2 files`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A size for people.
pub(super) fn bytes(number: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, shift)| number >> shift > 0) {
        Some((unit, shift)) => format!("{:.1} {unit}", number as f64 / f64::from(1_u32 << shift)),
        None => format!("{number} bytes"),
    }
}

/// The first items, and how many more there are.
pub(super) fn some(items: &[String], limit: usize) -> String {
    let shown: Vec<_> = items.iter().take(limit).map(|item| code(item)).collect();
    match items.len().saturating_sub(limit) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The title of a document and the first sentence after it, as far as it has them.
pub(super) fn title_and_sentence(text: &str) -> (Option<String>, Option<String>) {
    let mut title = None;
    let mut paragraph = String::new();
    let mut fenced = false;
    let mut lines = text.lines().map(str::trim).peekable();
    while let Some(now) = lines.next() {
        if now.starts_with("```") {
            fenced = !fenced;
        }
        let underlined = lines.peek().is_some_and(|next| next.len() >= 3 && next.bytes().all(|b| b"=-~".contains(&b)));
        if fenced || now.starts_with("```") {
            continue;
        } else if now.starts_with('#') || now.starts_with("= ") || (underlined && !now.is_empty()) {
            if !paragraph.is_empty() {
                break;
            }
            title = title.or_else(|| Some(plain(now.trim_start_matches(['#', '=']))).filter(|title| !title.is_empty()));
            if underlined {
                lines.next();
            }
        } else if now.is_empty() {
            if !paragraph.is_empty() {
                break;
            }
        } else if !paragraph.is_empty() || is_prose(now) {
            paragraph.push_str(now);
            paragraph.push(' ');
        }
    }
    let paragraph = plain(&paragraph);
    let end = paragraph.find(". ").map_or(paragraph.len(), |at| at + 1);
    let sentence = paragraph.get(..end).map(|sentence| line(sentence, 240)).filter(|sentence| !sentence.is_empty());
    (title, sentence)
}

/// What the first comment of a source file says.
pub(super) fn first_comment(text: &str) -> Option<String> {
    let markers = ["//!", "///", "//", "\"\"\"", "'''", "/**", "/*", "--", ";;", "# "];
    let mut inside = false;
    for now in text.lines().map(str::trim).take(20) {
        let marker = markers.into_iter().find(|marker| now.starts_with(marker));
        let said = match marker {
            Some(marker) => now.trim_start_matches(marker),
            None if inside => now,
            None if now.is_empty() || now.starts_with('#') || now.starts_with('\u{feff}') => continue,
            None => return None,
        };
        inside = inside || marker.is_some_and(|marker| ["\"\"\"", "'''", "/**", "/*"].contains(&marker));
        let said = line(said.trim_matches(['*', '/', '"', '\'', '#', '!', ' ', '-']), 160);
        if said.split(' ').count() >= 2 {
            return Some(said);
        }
    }
    None
}

fn is_prose(line: &str) -> bool {
    let markup = ["[![", "![", "<", "[!", "---", "===", "***", "|", ".. ", ":"];
    !markup.iter().any(|start| line.starts_with(start)) && line.chars().any(char::is_alphabetic)
}

/// Markdown emphasis and link targets taken off.
fn plain(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        let Some((_, tail)) = after.split_once(')') else { break };
        match before.rsplit_once('[') {
            Some((lead, label)) => kept.extend([lead.trim_end_matches('!'), label]),
            None => kept.push_str(before),
        }
        rest = tail;
    }
    kept.push_str(rest);
    line(&kept.replace("**", "").replace("__", ""), 2_000)
}

fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_cannot_act() {
        assert_eq!(line("a\u{1b}[31m\nb\u{202e}c\td", 50), "a[31m bc d");
        assert_eq!(line("ééééé", 3), "éé…");
        assert_eq!(code("a`b"), "`a'b`");
    }

    #[test]
    fn a_readme_has_a_title_and_a_first_sentence() {
        let markdown =
            "[![ci](x)](y)\n\n# The **Thing**\n\n<p>x</p>\n\nA [tool](http://x) that\nworks. It is old.\n\n## More\n";
        assert_eq!(title_and_sentence(markdown), (Some("The Thing".into()), Some("A tool that works.".into())));
        let rst = "Title\n=====\n\nOne line only";
        assert_eq!(title_and_sentence(rst), (Some("Title".into()), Some("One line only".into())));
        assert_eq!(title_and_sentence("\u{0}\u{1}"), (None, None));
        assert_eq!(title_and_sentence("# T\n```\ncode\n```\n"), (Some("T".into()), None));
    }

    #[test]
    fn a_source_file_says_what_it_is_in_its_first_comment() {
        assert_eq!(first_comment("#!/bin/sh\n# Starts the thing\n").as_deref(), Some("Starts the thing"));
        assert_eq!(first_comment("//! The crate page\n").as_deref(), Some("The crate page"));
        assert_eq!(first_comment("\"\"\"\nReads the mail.\n\"\"\"").as_deref(), Some("Reads the mail."));
        assert_eq!(first_comment("#[cfg(x)]\nfn main() {}\n// late comment here"), None);
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(
            [bytes(0), bytes(1023), bytes(1536), bytes(5 << 20)],
            ["0 bytes", "1023 bytes", "1.5 KiB", "5.0 MiB"]
        );
    }
}
