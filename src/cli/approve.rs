use std::time::Duration;

use futures::executor::block_on;

use super::{
    failure::{Done, Failure},
    home::{Home, ROOT},
    locate::{self, LEAST_DIGITS, Place},
    out::Out,
    review, steward,
    style::{GOOD, WARN, paint},
    time::{now_ms, span_ms},
};
use crate::{
    approval::{RequestFault, VoteFault},
    ledger::record::Outcome,
    runtime::{Answer, VoteError, Voted},
};

/// Approve or deny what waits for approval
///
/// Your vote is signed, and on record. What has its approvals is carried out by `thymos resume`, where nothing has changed that you
/// were shown. One denial is enough: the same call is then refused for the rest of the run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  thymos approve 4f21 7 --note \"invoice checked\"
  thymos approve 4f21 7 --deny --key alice")]
pub(super) struct Args {
    /// Run: an id, the unique start of one, or, where the request is named by an id, `last`
    run: String,
    /// Request: its number in `thymos approvals`, or the unique start of the id of its entry or proposal, of 8 digits or more
    proposal: String,
    /// Deny it
    #[arg(long)]
    deny: bool,
    /// The key that signs the vote: that of an approver of the channel
    #[arg(long, value_name = "NAME", default_value = ROOT)]
    key: String,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// For how long the vote is good, such as 8h: by then it has to be carried out
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = span_ms)]
    valid_for: u64,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(args: &Args) -> Done {
    // Every run has a request of that number, and another run may be the last by now.
    if args.run == "last" && args.proposal.trim_start_matches('#').len() < LEAST_DIGITS {
        let message = format!(
            "`last` may be another run than the one that you looked at, and request `{}` another",
            args.proposal
        );
        return Err(Failure::usage(message).hint("name the run as `thymos approvals` does, or the request by its id"));
    }
    let home = Home::locate()?;
    let signer = home.secret(&args.key)?;
    let ledger = args.place.open_existing()?;
    let (run, top, mut review) = block_on(async {
        let run = locate::find(&ledger, &args.run).await?;
        let review = review::find(review::of_run(&ledger, &run, now_ms()).await?, &args.proposal)?;
        Done::Ok((run, locate::top(&ledger, run).await?, review))
    })?;
    drop(ledger);
    block_on(review.look_in(&args.place, &home));
    let mut out = Out::new();
    review.show(&mut out);
    out.line("");
    let request = review.request.entry;
    let answer = if args.deny { Answer::deny(request) } else { Answer::approve(request) };
    let answer = answer.by(&args.key, &signer).valid_for(Duration::from_millis(args.valid_for));
    let answer = args.note.as_deref().into_iter().fold(answer, Answer::note);
    let runtime = steward::open(&home, &args.place)?;
    let voted = match block_on(runtime.vote(&run, answer)) {
        Ok(voted) => voted,
        Err(error) => {
            out.finish()?;
            return Err(refused(&error));
        }
    };
    out.line(told(&voted, review.request.seq));
    if voted.outcome == Some(Outcome::Approved) {
        out.line(format_args!("  thymos resume {}{}", top.short(), args.place.arguments()));
    }
    out.finish()
}

/// A vote, and what came of it.
pub(super) fn told(voted: &Voted, seq: u64) -> String {
    let (style, came) = match voted.outcome {
        Some(Outcome::Approved) => (GOOD, format!("request #{seq} is approved")),
        Some(_) => (WARN, format!("request #{seq} is denied")),
        None => {
            let approved = voted.evidence.approved.len();
            (WARN, format!("request #{seq} has {approved} of {} approvals", voted.evidence.quorum))
        }
    };
    format!("voted: entry {} · {}", voted.entry.short(), paint(style, came))
}

/// A vote that was not taken, and what to do.
pub(super) fn refused(error: &VoteError) -> Failure {
    let failure = Failure::failed(error);
    match error {
        VoteError::Request(RequestFault::Vote(VoteFault::Stranger { .. } | VoteFault::KeyNeeded { .. })) => {
            failure.hint("`thymos approvals` tells who may approve; give the key of one of them with --key")
        }
        VoteError::Request(RequestFault::Vote(VoteFault::RequestExpired { .. })) => {
            failure.hint("`thymos resume` goes on without it; what is asked for again can be approved")
        }
        _ => failure,
    }
}
