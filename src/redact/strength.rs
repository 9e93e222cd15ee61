use super::names::naming;

/// Whether a value is as irregular as a secret: no space, letters with digits or capitals among them, and at least
/// `entropy` bits a character.
pub(super) fn is_strong(value: &str, entropy: f64) -> bool {
    let count = |of: fn(&char) -> bool| value.chars().filter(of).count();
    let (digits, lower) = (count(char::is_ascii_digit), count(char::is_ascii_lowercase));
    let (upper, other) = (count(char::is_ascii_uppercase), count(|char| !char.is_alphanumeric()));
    let mixed = digits > 0 && lower + upper > 0 || lower > 1 && upper > 1 && other > 0;
    value.chars().nth(5).is_some() && !value.contains(char::is_whitespace) && mixed && bits(value) >= entropy
}

/// Shannon's entropy of the characters, in bits each.
fn bits(value: &str) -> f64 {
    let mut chars: Vec<char> = value.chars().collect();
    chars.sort_unstable();
    let length = chars.len() as f64;
    let share = |run: &[char]| run.len() as f64 / length;
    chars.chunk_by(|a, b| a == b).map(|run| -share(run) * share(run).log2()).sum()
}

/// Whether a value only stands for a secret: empty, masked, a variable, a slot in a template, or the name of a type.
pub(super) fn is_stand_in(value: &str) -> bool {
    let value = value.trim();
    let within = |open: &str, close: &str| value.starts_with(open) && value.ends_with(close);
    let masked = value.chars().all(|char| matches!(char, '*' | '•' | '.' | '-' | '_' | '…' | 'x' | 'X' | '#' | '?'));
    let variable = value.strip_prefix('$').is_some_and(|name| name.bytes().all(is_name_byte))
        || within("${", "}")
        || within("$(", ")")
        || within("{", "}")
        || within("<", ">")
        || within("%", "%")
        || within("[", "]");
    let word = ["null", "none", "nil", "true", "false", "undefined", "string", "str", "text", "required", "optional"];
    masked || variable || word.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// Whether an unquoted value reads as code: a path such as `config.api_key1`, or a variable that is itself named as a secret.
pub(super) fn is_code(value: &str) -> bool {
    let starts_a_name = |part: &str| part.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_');
    let a_name = |part: &str| starts_a_name(part) && part.bytes().all(is_name_byte);
    let parts = || value.split(['.', ':', '>', '-']).filter(|part| !part.is_empty());
    let is_path = (value.contains('.') || value.contains("::") || value.contains("->")) && parts().all(a_name);
    is_path || a_name(value) && naming(value.trim_end_matches(|char: char| char.is_ascii_digit())).is_some()
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_weak_and_keys_are_strong() {
        for strong in ["hunter2", "s3cr3tpass", "Tr0ub4dor&3", "9f86d081884c7d659a2feaa0", "Zq/xP+vLmN"] {
            assert!(is_strong(strong, 2.3), "{strong}");
        }
        for weak in ["password", "my-tls-secret", "correct horse 1", "aaaaaa1", "12345678", "SECRET_KEY", ""] {
            assert!(!is_strong(weak, 2.3), "{weak}");
        }
        for stand_in in ["", "****", "${DB_PASSWORD}", "$DB_PASSWORD", "<your-key>", "{{ key }}", "xxxx", "NULL"] {
            assert!(is_stand_in(stand_in), "{stand_in}");
        }
        assert!(is_code("config.api_key1") && is_code("settings::KEY_2") && is_code("password1"));
        assert!(!is_code("hunter2") && !is_code("9f86.d081"));
    }
}
