//! A request for approval as whoever answers it has to see it: what would be done, why it was asked, what it would change and cost.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use similar::TextDiff;
use unicode_width::UnicodeWidthChar;

use super::{
    budget,
    contracts::Renewed,
    failure::{Done, Failure},
    home::Home,
    locate,
    out::Out,
    style::{BAD, BOLD, WARN, of_change, paint, plain, prose},
    time::rfc3339,
    tools,
    trail::{Action, Line, Reader, What},
};
use crate::{
    approval::{self, Request},
    canon::{EntryId, KeyId, TrajectoryId},
    contract::Contract,
    host::Host,
    intent::masked,
    ledger::{AuthorityState, Entry, LedgerStore},
    policy::Quorum,
    redact::Redactor,
    replay::{self, Contracts, Pins, Replayer, authority_of},
    tool::{Content, Preview, ToolContract},
};

/// Columns before the value of a detail.
const INDENT: usize = 15;

/// The longest that a comparison of two texts may take; a coarser one is shown then.
const COMPARING: Duration = Duration::from_secs(2);

/// A request that waits, with what its run says of it.
pub(super) struct Review {
    pub(super) run: TrajectoryId,
    pub(super) request: Request,
    action: Action,
    /// Who may answer, and how many have to; none where nobody can.
    quorum: Option<Quorum>,
    approved: Vec<KeyId>,
    /// Whether the operator who was present approved, without a key.
    present: bool,
    /// The contract that it was asked for with.
    contract: Option<Contract>,
    /// What of that is another now.
    renewed: Option<Renewed>,
    /// What it would change; `Err` says why that cannot be told.
    change: Result<Preview, &'static str>,
}

/// The requests of a run that wait. The run is replayed: what is shown is what the replay vouches for.
pub(super) async fn of_run(store: &dyn LedgerStore, run: &TrajectoryId, at_ms: u64) -> Done<Vec<Review>> {
    let (mut reader, mut actions) = (Reader::new(), HashMap::<EntryId, Action>::new());
    let mut unreadable = None;
    let visit = |entry: &Entry, replayer: &Replayer<'_>| match reader.read(entry, replayer) {
        Ok(Line { id, what: What::Action(action), .. }) if action.waits() => drop(actions.insert(id, action)),
        Ok(_) => {}
        Err(error) => unreadable = Some(error),
    };
    let (_, folded) = replay::run(store, run, Pins::default(), visit).await?;
    if let Some(error) = unreadable {
        return Err(Failure::failed(error));
    }
    let contract = |request: &Request| request.pending.proposal.resolved.map(|resolved| resolved.contract);
    let contracts: Vec<_> = folded.requests.waiting().iter().filter_map(contract).collect();
    let log = authority_of(store, None, Contracts::Of(&contracts)).await?;
    let waiting = folded.requests.waiting().iter();
    let review = |request: &Request| {
        let action = actions.remove(&request.entry)?;
        let (quorum, approved, present) = standing(request, log.state(), at_ms);
        Some(Review {
            run: *run,
            request: request.clone(),
            action,
            quorum,
            approved,
            present,
            contract: contract(request).and_then(|hash| log.contract(&hash).cloned()),
            renewed: None,
            change: Err("the tools of the run's workspace are not at hand"),
        })
    };
    Ok(waiting.filter_map(review).collect())
}

/// The requests that wait in all runs, and how many of the runs do not verify, which is told.
pub(super) async fn of_all(store: &dyn LedgerStore, at_ms: u64) -> Done<(Vec<Review>, usize)> {
    let mut runs: Vec<_> = approval::waiting(store).await?.into_iter().map(|(run, _)| run).collect();
    runs.dedup();
    let (mut reviews, mut faulty) = (Vec::new(), 0);
    for run in runs {
        match of_run(store, &run, at_ms).await {
            Ok(found) => reviews.extend(found),
            Err(failure) => {
                faulty += 1;
                anstream::eprintln!("{} run {}, in which something waits:", paint(BAD, "error:"), run.short());
                failure.report();
            }
        }
    }
    Ok((reviews, faulty))
}

/// The request that a user names: by its number, or the start of the id of its entry or proposal.
pub(super) fn find(reviews: Vec<Review>, name: &str) -> Done<Review> {
    let list: Vec<_> = reviews.iter().map(|review| format!("#{} {}", review.request.seq, review.tool())).collect();
    let at = locate::among(&reviews, name, |review| {
        let proposal = review.request.pending.proposal.resolved.map(|resolved| resolved.id.to_string());
        (review.request.seq, [Some(review.request.entry.to_string()), proposal].into_iter().flatten().collect())
    });
    if let Some(review) = at.and_then(|at| reviews.into_iter().nth(at)) {
        return Ok(review);
    }
    let shown: String = name.chars().take(80).collect();
    let failure = Failure::usage(format!("`{shown}` names no one request of this run that waits for approval"));
    Err(match list.as_slice() {
        [] => failure.hint("nothing waits there: `thymos approvals` lists what does"),
        list => failure.hint(format_args!("waiting: {}", list.join(", "))),
    })
}

/// Who may answer a request and how many have to, and who approved so far.
fn standing(request: &Request, authority: &AuthorityState, at_ms: u64) -> (Option<Quorum>, Vec<KeyId>, bool) {
    let Ok(ballot) = request.ballot(authority) else { return (None, vec![], false) };
    let evidence = ballot.count(request.cast(), at_ms);
    let mut approvers = ballot.approvers();
    // Roots of trust have their names in the home, not in the ledger.
    let known = Home::locate().ok().filter(Home::exists).and_then(|home| home.trust().ok()).unwrap_or_default();
    for named in approvers.iter_mut().filter(|_| authority.roster.is_none()) {
        named.name =
            known.iter().find(|root| root.key == named.key).map_or(named.key.id().short(), |root| root.name.clone());
    }
    (Some(Quorum { approvers, required: ballot.required() }), evidence.approved, evidence.operator_present)
}

impl Review {
    /// Looks at what the call would change, where its tool is at hand and can tell.
    pub(super) async fn look(&mut self, tools: &[Arc<dyn ToolContract>]) {
        let name = &self.request.pending.proposal.intent.target;
        let tool = tools.iter().find(|tool| tool.contract().name == *name);
        if let (Some(then), Some(tool)) = (&self.contract, tool) {
            let now = tool.contract();
            self.renewed = (now != *then).then(|| Renewed::between(Some(then), &now));
        }
        let (Some(tool), Some(args)) = (tool, &self.action.args) else { return };
        let masked = masked(args).ok().flatten();
        let preview = tool.preview(masked.as_ref().unwrap_or(args), &Host::default().spawn).await;
        self.change = preview.ok_or("the tool does not say");
    }

    /// As [`look`](Self::look), with the tools of a workspace that may not be there.
    pub(super) async fn look_in(&mut self, place: &locate::Place, home: &Home) {
        if let Ok(tools) = place.workspace(home).and_then(|workspace| tools::of(&workspace)) {
            self.look(&tools).await;
        }
    }

    fn tool(&self) -> String {
        plain(&self.action.tool)
    }

    /// Whether the state that the call is about is not as it was when it was asked for.
    fn has_moved_on(&self) -> bool {
        let then = self.request.pending.proposal.decision.quote.as_ref().and_then(|quote| quote.probe);
        let now = self.change.as_ref().ok().and_then(|change| change.version);
        now.is_some() && then.is_some() && now != then
    }

    /// What would change, line by line, without what is a secret.
    fn diff(&self) -> String {
        let Preview { subject, before, after, .. } = match &self.change {
            Ok(change) => change,
            Err(why) => return format!("what it would change cannot be shown: {why}"),
        };
        let subject = plain(subject);
        let (Some(old), Some(new)) = (text(before), text(after)) else {
            return format!("{subject}: {}, then {}", size(before), size(after));
        };
        let name = |content: &Content| if *content == Content::Absent { "/dev/null" } else { &subject };
        if old == new {
            return format!("{subject}: as it is already");
        }
        let diff = TextDiff::configure().timeout(COMPARING).diff_lines(&old, &new);
        diff.unified_diff().header(name(before), name(after)).to_string()
    }

    /// Shows it, as wide as it is: nothing of what is to be approved is left out.
    pub(super) fn show(&self, out: &mut Out) {
        let Self { run, request, action, .. } = self;
        let (channel, reason) = request.asks();
        let title = format!("request #{} of run {}", request.seq, run.short());
        out.line(format_args!("{} · {}", paint(WARN, title), paint(BOLD, self.tool())));
        match &action.args {
            Some(args) => detail(out, "asks", &serde_json::to_string_pretty(args).unwrap_or_default()),
            None => out.detail("asks", "(erased)"),
        }
        if let Some(why) = &action.rationale {
            detail(out, "because", &format!("{why} ({})", action.author));
        }
        out.detail("channel", format_args!("{} · {}", plain(channel), plain(reason)));
        for rule in &action.rules {
            detail(out, "rule", &format!("{} {}", rule.name, rule.verdict));
        }
        if let Some(quote) = &request.pending.proposal.decision.quote {
            out.detail("cost", format_args!("at most {}", budget::words(&quote.cost)));
            out.detail("undo", if quote.compensable { "this call can be undone" } else { "none" });
        }
        out.detail("votes", self.votes());
        if let Some(expires_at_ms) = request.pending.expires_at_ms {
            out.detail("until", rfc3339(expires_at_ms));
        }
        if self.has_moved_on() {
            let told = "what it is about has changed since it was asked for: it will not be carried out";
            out.detail("note", paint(BAD, told));
        }
        if let Some(renewed) = &self.renewed {
            let told = "its tool is not the one that it was asked for with: it will not be carried out";
            out.detail("note", paint(BAD, told));
            renewed.show(out);
        }
        for line in self.diff().lines() {
            let style = of_change(line);
            for piece in pieces(&prose(line), out.width().saturating_sub(5)) {
                out.line(format_args!("     {}", paint(style, piece)));
            }
        }
    }

    fn votes(&self) -> String {
        let Some(quorum) = &self.quorum else {
            return "nobody is named for this channel: record a roster that has it".into();
        };
        let name = |key: &KeyId| {
            let named = quorum.approvers.iter().find(|named| named.key.id() == *key);
            named.map_or_else(|| key.short(), |named| plain(&named.name))
        };
        let approved = if self.request.approved { ", approved: `thymos resume` carries it out" } else { "" };
        let present = self.present.then(|| "the operator who was present".to_owned());
        let by: Vec<_> = self.approved.iter().map(name).chain(present).collect();
        let votes = by.len();
        let by = if by.is_empty() { String::new() } else { format!(" ({})", by.join(", ")) };
        let may: Vec<_> = quorum.approvers.iter().map(|named| plain(&named.name)).collect();
        let may = if may.is_empty() { "the operator who is present".into() } else { may.join(", ") };
        format!("{votes} of {}{by}{approved} · may approve: {may}", quorum.required)
    }

    /// It as JSON.
    pub(super) fn json(&self) -> Value {
        let Self { run, request, action, quorum, approved, .. } = self;
        let proposal = &request.pending.proposal;
        let (channel, reason) = request.asks();
        let quote = proposal.decision.quote.as_ref();
        json!({
            "run": run, "seq": request.seq, "entry": request.entry, "channel": channel, "reason": reason,
            "proposal": proposal.resolved.map(|resolved| resolved.id), "tool": action.tool, "args": action.args,
            "rationale": action.rationale, "author": action.author, "rules": action.rules,
            "cost": quote.map(|quote| quote.cost), "compensable": quote.map(|quote| quote.compensable),
            "required": quorum.as_ref().map(|quorum| quorum.required),
            "may_approve": quorum.as_ref().map(|quorum| &quorum.approvers), "approved_by": approved, "operator_present": self.present,
            "approved": request.approved, "expires_at_ms": request.pending.expires_at_ms,
            "change": self.diff(), "changed_since": self.has_moved_on(), "changed_contract": self.renewed,
        })
    }
}

/// A name, and what it stands for: line by line, and nothing of a long line begins where names do.
fn detail(out: &mut Out, name: &str, text: &str) {
    let room = out.width().saturating_sub(INDENT);
    let pieces = text.lines().flat_map(|line| pieces(&prose(line), room));
    for (index, piece) in pieces.enumerate() {
        out.detail(if index == 0 { name } else { "" }, piece);
    }
}

/// A line in pieces that are at most so wide.
fn pieces(line: &str, room: usize) -> Vec<String> {
    let (mut pieces, mut wide) = (vec![String::new()], 0);
    for char in line.chars() {
        let width = char.width().unwrap_or(0);
        if wide + width > room.max(1) {
            pieces.push(String::new());
            wide = 0;
        }
        wide += width;
        pieces.last_mut().into_iter().for_each(|piece| piece.push(char));
    }
    pieces
}

/// The text of what can be compared, without what is a secret.
fn text(content: &Content) -> Option<String> {
    match content {
        Content::Absent => Some(String::new()),
        Content::Text(text) => Some(Redactor::default().text(text).0.into_owned()),
        _ => None,
    }
}

fn size(content: &Content) -> String {
    match content {
        Content::Absent => "nothing".into(),
        Content::Text(text) => format!("{} bytes of text", text.len()),
        Content::Opaque { bytes } => format!("{bytes} bytes that are no text"),
    }
}
