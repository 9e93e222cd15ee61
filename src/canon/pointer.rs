/// Works one step deeper in a value, with the step at the end of the JSON pointer (RFC 6901) `at`.
pub(crate) fn below<T>(at: &mut String, step: &str, work: impl FnOnce(&mut String) -> T) -> T {
    let length = at.len();
    at.push('/');
    for part in step.split_inclusive(['~', '/']) {
        match part.strip_suffix(['~', '/']) {
            None => at.push_str(part),
            Some(plain) => {
                at.push_str(plain);
                at.push_str(if part.ends_with('~') { "~0" } else { "~1" });
            }
        }
    }
    let done = work(at);
    at.truncate(length);
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn steps_are_escaped_and_taken_back(before in "(/[a-z]){0,2}", step in "[~/a-cé]{0,8}") {
            let mut at = before.clone();
            let within = below(&mut at, &step, |at| at.clone());
            prop_assert_eq!(within, format!("{before}/{}", step.replace('~', "~0").replace('/', "~1")));
            prop_assert_eq!(at, before);
        }
    }
}
