//! Asking whoever sits at the terminal to approve what a run waits for.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    sync::Arc,
};

use super::{
    approve::{refused, told},
    failure::Done,
    out::Out,
    review,
    style::{WARN, paint},
    time::now_ms,
};
use crate::{
    crypto::SecretKey,
    runtime::{Answer, Run, Runtime},
    tool::ToolContract,
};

/// Who answers at the terminal: the holder of an approver's key, or whoever is there.
pub(super) struct Approver {
    pub(super) key: Option<(String, SecretKey)>,
}

/// Whether somebody can be asked.
pub(super) fn somebody_is_there() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal()
}

enum Said {
    Yes,
    No,
    Later,
}

/// Shows every request of a run that waits for votes, and asks. Returns whether an answer decided one.
pub(super) async fn about(
    runtime: &Runtime,
    run: &Run,
    tools: &[Arc<dyn ToolContract>],
    approver: &Approver,
    out: &mut Out,
) -> Done<bool> {
    let mut decided = false;
    for mut review in review::of_run(&**runtime.ledger(), &run.id(), now_ms()).await? {
        if review.request.approved {
            continue;
        }
        review.look(tools).await;
        out.line("");
        review.show(out);
        let request = review.request.entry;
        let answer = match question(review.request.seq) {
            Said::Yes => Answer::approve(request),
            Said::No => Answer::deny(request),
            Said::Later => continue,
        };
        let answer = match &approver.key {
            Some((name, key)) => answer.by(name, key),
            None => answer,
        };
        match run.vote(answer).await {
            Ok(voted) => {
                decided |= voted.outcome.is_some();
                out.line(told(&voted, review.request.seq));
            }
            Err(error) => drop(refused(&error).report()),
        }
    }
    Ok(decided)
}

/// Asks until the answer is one. Whoever does not answer has not approved; what was typed before the question was there names no
/// request, and a line that does not end is none.
fn question(seq: u64) -> Said {
    loop {
        let choices = format!("type {seq} to approve it, n to deny it, nothing to leave it:");
        anstream::eprint!("{} {choices} ", paint(WARN, format!("request #{seq}?")));
        drop(io::stderr().flush());
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line).is_err() || !line.ends_with('\n') {
            return Said::Later;
        }
        match line.trim().to_ascii_lowercase().as_str() {
            "n" | "no" => return Said::No,
            "" => return Said::Later,
            typed if typed == seq.to_string() => return Said::Yes,
            _ => {}
        }
    }
}
